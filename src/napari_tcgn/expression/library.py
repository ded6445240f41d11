"""One section of an AnnData, whoever wrote it: where its spots lie, on which picture, and what its values are.

Follows squidpy's layout: `obsm["spatial"]` in full-resolution px, `uns["spatial"][library_id]` with images and scale
factors. Files of this package say more in `uns["napari_tcgn"]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.engine import RunRecord
from napari_tcgn.errors import DataError
from napari_tcgn.expression.build import own_part
from napari_tcgn.model import ModelCard
from napari_tcgn.options import BINS
from napari_tcgn.slide import without_alpha
from napari_tcgn.spots import Spots, SpotsRecord, SpotsSource, flat_positions, pitch_of, sharing_places

if TYPE_CHECKING:
    from anndata import AnnData

UNKNOWN_SCALE = "unknown scale"
# Where files without a diameter draw discs: this share of the distance to the nearest spot. For the eye only.
DRAWN_SHARE = 0.6
BEYOND = 1.05  # times the size of the image, which a shrunken picture tells only so well
# Columns of obs that usually say to which library a spot belongs; any other one with the libraries' names will do.
LIBRARY_COLUMNS = ("library_id", "library_key", "sample", "batch")


@dataclass(frozen=True, eq=False)
class Library:
    """One section of an AnnData.

    Attributes
    ----------
    adata : AnnData [spots, genes]
        The spots of this section only.
    library_id : str
    centres : float64 [spots, 2]
        (x, y) in full-resolution px.
    mpp : float or None
        µm per full-resolution px; None where the file does not say it.
    diameter_px : float or None
        Of a spot (the side of a bin) in full-resolution px; None where the file does not say it.
    bins : bool
        Whether the spots are square bins.
    picture : uint8 [h, w, 3] or None
        The section's H&E.
    picture_scale : float
        Picture px per full-resolution px; 1 without a picture.
    unit : str
        What a value is.
    kind : str
        "predicted", another word that the file has, or "from file" where nobody says what made the values.
    partial : bool
        Whether the run was stopped before every spot was predicted.
    record : RunRecord or None
        None where no run has made the values.
    card : ModelCard or None
        Of the model that predicted the values, with the genes of `adata` in their order.
    doubts : tuple of str
        What contradicts itself in the file, in sentences.
    """

    adata: AnnData
    library_id: str
    centres: NDArray[np.float64]
    mpp: float | None
    diameter_px: float | None
    bins: bool
    picture: NDArray[np.uint8] | None
    picture_scale: float
    unit: str
    kind: str
    partial: bool
    record: RunRecord | None
    card: ModelCard | None
    doubts: tuple[str, ...] = ()

    @property
    def planned(self) -> int:
        """Number of spots that the run was meant to predict."""
        return self.adata.n_obs if self.record is None else self.record.spots.count or self.adata.n_obs

    def require_diameter(self) -> float:
        """Return the spots' diameter in px.

        Raises
        ------
        DataError
            If the file does not say it.
        """
        if self.diameter_px is None:
            raise DataError(
                f"The size of the spots of {self.library_id!r} is unknown: the file has no spot_diameter_fullres.",
                'Put it into uns["spatial"][library_id]["scalefactors"], in px of the full-resolution image.',
            )
        return self.diameter_px

    def drawn_diameter_px(self) -> float:
        """Return the diameter to draw spots with: the true one, else what leaves a gap between neighbours."""
        return self.diameter_px if self.diameter_px is not None else DRAWN_SHARE * self.pitch_px()

    def pitch_px(self) -> float:
        """Return the median distance from a spot to its nearest neighbour, in px; 1 for a single spot."""
        pitch = pitch_of(*self.centres.T)
        return pitch if pitch > 0 else 1.0

    def spots(self) -> Spots:
        """Return the spots as a table; sizes in µm are NaN where µm per px is unknown.

        Array positions that the file does not have are counted along one row.

        Raises
        ------
        SpotsError
            If a coordinate is not finite or a name is repeated.
        """
        obs, n = self.adata.obs, self.adata.n_obs
        recorded = SpotsRecord(source=SpotsSource(kind="file")) if self.record is None else self.record.spots
        um = self.mpp if self.mpp is not None else float("nan")
        return Spots(
            ids=self.adata.obs_names.to_numpy(dtype=np.str_),
            x=self.centres[:, 0],
            y=self.centres[:, 1],
            array_row=_integers(obs, "array_row", np.zeros(n, np.int64)),
            array_col=_integers(obs, "array_col", np.arange(n)),
            diameter_um=self.drawn_diameter_px() * um,
            pitch_um=recorded.pitch_um if recorded.pitch_um > 0 else self.pitch_px() * um,
            layout=recorded.layout,
            in_tissue=_integers(obs, "in_tissue", np.ones(n, np.int64)).astype(bool),
            tissue_fraction=obs["tissue_fraction"].to_numpy(np.float64) if "tissue_fraction" in obs else None,
            source=recorded.source,
        )


def library_ids(adata: AnnData) -> list[str]:
    """Return the names of the sections of an AnnData: the keys of `uns["spatial"]`, or one name if it has none."""
    spatial = adata.uns.get("spatial")
    return [str(key) for key in spatial] if isinstance(spatial, dict) and spatial else ["section"]


def library_of(adata: AnnData, library_id: str | None = None, mpp: float | None = None) -> Library:
    """Return one section of an AnnData.

    Parameters
    ----------
    adata : AnnData
        With `obsm["spatial"]`.
    library_id : str, optional
        One of `library_ids`; needed where there are several.
    mpp : float, optional
        µm per full-resolution px; wins over what the file says.

    Raises
    ------
    DataError
        If there are no coordinates, no spots or genes, a name is repeated, or it is open which spots are meant.
    """
    centres = _centres(adata)
    known = library_ids(adata)
    if library_id is None and len(known) > 1:
        raise DataError(f"There are {len(known)} sections: {', '.join(known)}.", "Name one of them (--library).")
    chosen = library_id if library_id is not None else known[0]
    if chosen not in known:
        raise DataError(f"There is no section {chosen!r}.", f"There are: {', '.join(known)}.")
    if len(known) > 1:
        mine = adata.obs[_library_column(adata, known)].astype(str).to_numpy() == chosen
        if not mine.any():
            raise DataError(f"No spot belongs to section {chosen!r}.", "Name another section.")
        adata, centres = adata[mine], centres[mine]
    _require_one_section(adata, centres)
    spatial = adata.uns.get("spatial")
    entry = _entries(spatial, chosen)
    scales, said_of_it = _entries(entry, "scalefactors"), _entries(entry, "metadata")
    ours = own_part(adata)
    record = RunRecord.from_json(ours["run_record"]) if "run_record" in ours else None
    card = ModelCard.from_json(ours["model_card"], chosen) if "model_card" in ours else None
    if card is not None:
        card = _card_of(card, [str(gene) for gene in adata.var_names])
    picture, scale = _picture(entry)
    said = said_of_it.get("mpp", scales.get("microns_per_pixel", record.mpp if record is not None else None))
    layout = record.spots.layout if record is not None else said_of_it.get("spot_layout")
    return Library(
        adata=adata,
        library_id=chosen,
        centres=centres,
        mpp=mpp if mpp is not None else _positive(said),
        diameter_px=_positive(scales.get("spot_diameter_fullres")),
        bins=layout == BINS,
        picture=picture,
        picture_scale=scale,
        unit=_unit(adata) if "log1p" in adata.uns else str(ours.get("output_scale", "")) or _unit(adata),
        kind="predicted" if "model_card" in ours else str(ours.get("kind", "from file")),
        partial=bool(ours.get("partial", False)),
        record=record,
        card=card,
        doubts=(*_doubts(centres, picture, scale), *_transformed(adata, ours)),
    )


def _entries(part: object, name: str) -> dict[str, Any]:
    """Return a part of `uns`; what others have put into its place tells nothing."""
    found = part.get(name) if isinstance(part, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


def _doubts(centres: NDArray[np.float64], picture: NDArray[np.uint8] | None, scale: float) -> tuple[str, ...]:
    """Say it if spots lie beyond the image that the picture and its scale describe."""
    if picture is None:
        return ()
    size = np.array([picture.shape[1], picture.shape[0]]) / scale
    beyond = ((centres < 0) | (centres > BEYOND * size)).any(axis=1)
    if not beyond.any():
        return ()
    return (
        f"{int(beyond.sum())} of {len(centres)} spots lie beyond the section's picture: they reach to "
        f"({centres[:, 0].max():.0f}, {centres[:, 1].max():.0f}), and by its scale factor the image has "
        f"{size[0]:.0f} x {size[1]:.0f} px. The positions are px of another image, or the scale factor is wrong.",
    )


def _centres(adata: AnnData) -> NDArray[np.float64]:
    if adata.n_obs == 0 or adata.n_vars == 0:
        raise DataError(f"The AnnData has {adata.n_obs} spots and {adata.n_vars} genes.", "Give one with both.")
    if adata.X is None:
        raise DataError("The AnnData has no values: X is empty.", "Put the values to be seen into X.")
    for what, names in (("Gene", adata.var_names), ("Spot", adata.obs_names)):
        if not names.is_unique:
            hint = "Number them (var_names_make_unique, obs_names_make_unique), or read the file with read_section."
            raise DataError(f"{what} {names[names.duplicated()][0]!r} is there more than once.", hint)
    if "spatial" not in adata.obsm:
        found = ", ".join(adata.obsm) or "nothing"
        raise DataError(
            f'The AnnData has no positions: obsm has {found}, not "spatial".',
            'Put (x, y) in px of the full-resolution image into obsm["spatial"], as squidpy does.',
        )
    centres = flat_positions(adata.obsm["spatial"], "the AnnData", DataError)
    bad = np.asarray(~np.isfinite(centres).all(axis=1))
    if bad.any():
        first = adata.obs_names[bad][0]
        raise DataError(f"{bad.sum()} of {len(bad)} spots have no position (first: {first}).", "Remove these spots.")
    return centres


def _require_one_section(adata: AnnData, centres: NDArray[np.float64]) -> None:
    """Refuse spots that lie in one another's places: sections that were put together without saying so."""
    if (found := sharing_places(adata.obs, centres)) is not None:
        column, told = found
        tells = "no column of obs tells" if column is None else f"obs[{str(column)!r}] tells"
        raise DataError(
            f"These are the spots of several sections: {told}, and {tells} them apart.",
            "Give the sections one by one.",
        )


def _library_column(adata: AnnData, known: list[str]) -> str:
    """Name the column of obs that says to which library a spot belongs."""
    for column in (*(c for c in LIBRARY_COLUMNS if c in adata.obs), *adata.obs.columns):
        if adata.obs[column].dtype.kind not in "fiub" and set(adata.obs[column].astype(str).unique()) <= set(known):
            return str(column)
    raise DataError(
        f"No column of obs says which spot belongs to which of the sections {', '.join(known)}.",
        'Put their names into obs["library_id"].',
    )


def _picture(entry: dict[str, Any]) -> tuple[NDArray[np.uint8] | None, float]:
    """Return the finest picture whose scale is known, as RGB, and its px per full-resolution px."""
    images, scales = _entries(entry, "images"), _entries(entry, "scalefactors")
    for key in sorted(images, key=lambda name: {"hires": 0, "lowres": 1}.get(name, 2)):
        scale = _positive(scales.get(f"tissue_{key}_scalef"))
        picture = np.asarray(images[key])
        if picture.ndim == 3 and picture.shape[0] in (3, 4) and picture.shape[2] not in (1, 3, 4):
            picture = np.moveaxis(picture, 0, 2)  # colours first, as PyTorch and SpatialData have them
        if scale is None or picture.ndim not in (2, 3) or picture.size == 0 or picture.dtype.kind not in "buif":
            continue
        picture = _of_8_bits(picture)
        if picture.ndim == 2 or picture.shape[2] == 1:
            picture = np.repeat(picture.reshape(*picture.shape[:2], 1), 3, axis=2)
        if picture.shape[2] in (3, 4):
            return without_alpha(picture), scale
    return None, 1.0


def _of_8_bits(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """Return a picture as uint8 by the range that its values have: scanpy's are floats from 0 to 1.

    Floats and wide integers of 0 to 255 are those of 8 bits in another type; else an integer's whole range is meant.
    """
    if picture.dtype == np.uint8:
        return picture
    values = np.nan_to_num(picture.astype(np.float64))
    largest = float(values.max())
    of_float = picture.dtype.kind in "fb"
    brightest = 1.0 if of_float and largest <= 1 else 255.0 if largest <= 255 else _range(picture)
    return (np.clip(values / brightest, 0, 1) * 255).round().astype(np.uint8)


def _range(picture: NDArray[Any]) -> float:
    return float(np.iinfo(picture.dtype).max) if picture.dtype.kind in "iu" else float(picture.max())


def _card_of(card: ModelCard, genes: list[str]) -> ModelCard | None:
    """Return a model's card for a selection of its genes; None if some are not its own."""
    if card.genes == genes:
        return card
    place = {gene: i for i, gene in enumerate(card.genes)}
    if not set(genes) <= set(place):
        return None
    rows = [place[gene] for gene in genes]

    ids = [card.gene_ids[i] for i in rows] if card.gene_ids else []
    return replace(card, genes=genes, gene_ids=ids, metrics=card.metrics.select(rows))


def _transformed(adata: AnnData, ours: dict[str, Any]) -> tuple[str, ...]:
    """Say it if predicted values were changed since: scanpy notes it, the scale that the file names is the old one."""
    if not ours.get("output_scale") or "log1p" not in adata.uns:
        return ()
    return (
        f"The values are no longer on the scale that they were predicted on ({ours['output_scale']}): uns['log1p'] "
        "says that their logarithm was taken since.",
    )


def _unit(adata: AnnData) -> str:
    """Say what the values of a file are that does not say it itself: "counts", "ln(1 + …)" or unknown."""
    if "log1p" in adata.uns:
        base = adata.uns["log1p"].get("base") if isinstance(adata.uns["log1p"], dict) else None
        return "ln(1 + x)" if base is None else f"log(1 + x), base {base:g}"
    some = (adata.X if isinstance(adata.X, np.ndarray) else adata.X.data).ravel()[:1_000_000]
    counted = some.dtype.kind in "iuf" and len(some) > 0 and bool(np.all((some >= 0) & (some == np.floor(some))))
    return "counts" if counted else UNKNOWN_SCALE


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) and number > 0 else None


def _integers(obs: Any, column: str, default: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a whole-number column of obs, or the default where there is none."""
    if column not in obs or obs[column].dtype.kind not in "iubf" or not np.isfinite(obs[column].to_numpy(float)).all():
        return default
    values: NDArray[np.int64] = obs[column].to_numpy(np.float64).astype(np.int64)
    return values
