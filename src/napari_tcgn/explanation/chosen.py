"""What is explained: the model, the gene, the spot and its patch, as a run would see them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.engine import (
    choose_device,
    choose_patches,
    choose_precision,
    cut_patch,
    leaves_image,
    package_versions,
    patch_source,
    stained_like,
)
from napari_tcgn.errors import DataError, SpotsError
from napari_tcgn.explanation.result import Explanation
from napari_tcgn.expression import genes_of
from napari_tcgn.model import ModelCard, Predictor, SumPredictor, TCGNPredictor, load_model
from napari_tcgn.options import ExplainSettings, PredictSettings, to_record
from napari_tcgn.slide import Slide, require_mpp
from napari_tcgn.spots import Spots, check_on_slide
from napari_tcgn.stats import nearest_names


@dataclass(frozen=True, slots=True, eq=False)
class LookedAt:
    """The patch of a spot as the model gets it.

    Attributes
    ----------
    spot, library_id : str
    x, y, mpp : float
        Centre in full-resolution px; µm per px.
    patch : uint8 [n, n, 3]
    over_edge : bool
        Whether it reaches over the edge of the slide.
    record : dict
        Of slide, spots and patch, as JSON-able values.
    """

    spot: str
    library_id: str
    x: float
    y: float
    mpp: float
    patch: NDArray[np.uint8]
    over_edge: bool
    record: dict[str, Any]

    def begin(
        self, card: ModelCard, gene: str, prediction: float, settings: PredictSettings, how: ExplainSettings
    ) -> Explanation:
        """Return the explanation of a gene here that has no map yet."""
        edge = "The patch reaches over the edge of the slide: what lies outside is white, and explained as such."
        made = {
            "gene": gene,
            "spot": self.spot,
            "model": {"name": card.name, "version": card.version, "sha256": card.sha256},
            "settings": to_record(settings),
            "explain": to_record(how),
            "versions": package_versions(),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        return Explanation(
            gene=gene,
            spot=self.spot,
            library_id=self.library_id,
            model=card.name,
            x=self.x,
            y=self.y,
            mpp=self.mpp,
            patch=self.patch,
            patch_um=card.patch_um,
            prediction=prediction,
            unit=card.output_scale,
            notes=(edge,) if self.over_edge else (),
            record=made | self.record,
        )


def look_at(slide: Slide, spots: Spots, spot: str, card: ModelCard, settings: PredictSettings) -> LookedAt:
    """Cut the patch of a spot as a run of the model would.

    Raises
    ------
    SpotsError
        If there is no such spot, or the spots do not belong to the slide.
    SlideError, ModelError
        If the patch cannot be read, or the stain not be changed as the settings ask.
    """
    mpp = require_mpp(slide)
    require_spot(spots, spot)
    record = choose_patches(slide, card)
    spots = check_on_slide(spots, slide)
    number = int(np.flatnonzero(spots.ids == spot)[0])
    x, y = float(spots.x[number]), float(spots.y[number])
    source, level = patch_source(stained_like(slide, card, settings.stain), card, record)
    patch = cut_patch(source, x, y, record.side_px, level)
    over = leaves_image(spots.x[[number]], spots.y[[number]], record.side_px, *slide.level_dimensions[0])
    about = {
        "slide": {"name": slide.name, "file": slide.path.name if slide.path is not None else None},
        "spots": {"file": spots.source.file, "count": len(spots)},
        "mpp": mpp,
        "patch": asdict(record),
    }
    return LookedAt(spot, slide.name, x, y, mpp, patch, bool(over[0]), about)


def require_spot(spots: Spots, spot: str) -> None:
    """Refuse a spot that is not there.

    Raises
    ------
    SpotsError
        Naming those whose names are most like it.
    """
    if spot in spots.ids:
        return
    close = nearest_names(spot, map(str, spots.ids))
    hint = f"Did you mean {' or '.join(close)}?" if close else f"They are called like {str(spots.ids[0])!r}."
    raise SpotsError(f"There is no spot {spot!r} among the {len(spots)} spots.", hint)


def one_gene(card: ModelCard, name: str) -> str:
    """Return the gene of a model that a name stands for.

    Raises
    ------
    DataError
        If the model does not have it, or the name stands for several.
    """
    found = genes_of(card, name)
    if found is None or len(found) != 1:
        raise DataError(f"{name!r} stands for {'all' if found is None else len(found)} genes.", "Name one gene.")
    return found[0]


def loaded(
    model: str | PathLike[str] | Predictor | None, settings: PredictSettings
) -> tuple[Predictor, PredictSettings]:
    """Return a model ready to predict, and the settings with what is computed.

    Raises
    ------
    DeviceError, ModelError, CheckpointError
        As `choose_device` and `load_model` do.
    """
    if model is not None and not isinstance(model, str | PathLike):
        return model, replace(settings, model=model.card.name)
    settings = replace(settings, model=str(model)) if model is not None else settings
    device = choose_device(settings.device)
    precision = choose_precision(settings.precision, device)
    return load_model(settings.model, device, precision), replace(settings, precision=precision)


def network_of(predictor: Predictor) -> TCGNPredictor | None:
    """Return the TCGN in a model, None where there is none."""
    if isinstance(predictor, SumPredictor):
        return predictor.network
    return predictor if isinstance(predictor, TCGNPredictor) else None
