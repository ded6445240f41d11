"""What the prediction of a gene at a spot rests on, step by step."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace
from os import PathLike
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.engine import default_batch_size, to_the_end
from napari_tcgn.explanation import checks as test
from napari_tcgn.explanation.chosen import loaded, look_at, network_of, one_gene, require_spot
from napari_tcgn.explanation.directions import directions_of
from napari_tcgn.explanation.gradients import Gradients, gradients_of
from napari_tcgn.explanation.occlusion import Occlusion, occlude, predict_gene
from napari_tcgn.explanation.result import AttributionMap, Check, Curves, ExplainStep, Explanation, Shares
from napari_tcgn.explanation.token_graph import token_graphs
from napari_tcgn.explanation.windows import FILLS, Windows, choose_windows
from napari_tcgn.model import Predictor, SumPredictor, TCGNPredictor, for_genes
from napari_tcgn.options import ExplainSettings, PredictSettings
from napari_tcgn.slide import Slide, require_mpp
from napari_tcgn.spots import Spots
from napari_tcgn.trust import trust_sentence

Found = TypeVar("Found")
MOST_AT_ONCE = 16  # patches in a model call on a CPU, so that cancelling never waits for long
Steps = Generator[ExplainStep, None, Explanation]


def explain_steps(
    slide: Slide,
    spots: Spots,
    spot: str,
    gene: str,
    model: str | PathLike[str] | Predictor | None = None,
    settings: PredictSettings | None = None,
    how: ExplainSettings | None = None,
) -> Steps:
    """Explain the prediction of a gene at a spot as a generator: every step can be shown, closing it stops the work.

    Parameters
    ----------
    slide : Slide
        With known µm per px; the one that the spots lie on.
    spots : Spots
    spot : str
        Name of one of them.
    gene : str
        Of the model's panel; a name under which people know it will do.
    model : str, path or Predictor, optional
        As for `predict`. Any model is explained by occlusion; a TCGN by integrated gradients, Grad-CAM and its graphs
        as well.
    settings : PredictSettings, optional
        `model`, `device`, `precision`, `batch_size` and `stain` are used: those of the run that is explained.
    how : ExplainSettings, optional

    Yields
    ------
    ExplainStep
        From the stage "gradients" on with what is known so far.

    Returns
    -------
    Explanation

    Raises
    ------
    SpotsError
        If there is no such spot, or the spots do not lie on the slide.
    DataError
        If the model does not have the gene, or more than one is named.
    ModelError
        If the model predicts no finite value there.
    SettingsError
        If the windows do not fit into the patch.
    TcgnError
        As `predict` does.
    """
    started = time.perf_counter()
    settings = settings if settings is not None else PredictSettings()
    how = how if how is not None else ExplainSettings()
    require_mpp(slide)
    require_spot(spots, spot)  # before a model is loaded for nothing
    yield ExplainStep("load model", 0, 1)
    predictor, settings = loaded(model, settings)
    symbol = one_gene(predictor.card, gene)
    yield ExplainStep("load model", 1, 1)
    yield ExplainStep("read slide", 0, 1)
    seen = look_at(slide, spots, spot, predictor.card, settings)
    windows = choose_windows(predictor.card, len(seen.patch), how.window_um)
    network = network_of(predictor)
    model_of_gene = predictor if network is not None else for_genes(predictor, [symbol])
    task = _Task(model_of_gene, network, symbol, seen.patch, windows, how, settings)
    known = seen.begin(predictor.card, symbol, task.prediction(), settings, how)
    directions = directions_of(predictor)
    directions = directions if directions is not None and directions < len(predictor.card.genes) else None
    notes = (trust_sentence(predictor.card, symbol), *known.notes, *_notes(predictor, network, windows, directions))
    known = replace(known, directions=directions, notes=notes)
    known, gradients = task.with_network(known)
    yield ExplainStep("gradients", 1, 1, explanation=known)
    if network is None:
        yield from task.first_look(known)
    known = yield from task.with_occlusion(known)
    if how.check:
        known = yield from task.with_checks(known, gradients)
    record = known.record | {"device": predictor.device, "seconds": round(time.perf_counter() - started, 2)}
    return replace(known, record=record)


explain = to_the_end(explain_steps, "explain")


class _Task:
    """What is computed of one patch for one gene; each method returns the explanation with more in it."""

    def __init__(
        self,
        predictor: Predictor,
        network: TCGNPredictor | None,
        gene: str,
        patch: NDArray[np.uint8],
        windows: Windows,
        how: ExplainSettings,
        settings: PredictSettings,
    ) -> None:
        self.predictor, self.network, self.patch = predictor, network, patch
        self.gene = predictor.card.genes.index(gene)
        self.windows, self.how = windows, how
        wanted = settings.batch_size or default_batch_size(predictor.device)
        self.batch_size = min(wanted, MOST_AT_ONCE) if predictor.device == "cpu" else wanted

    def prediction(self) -> float:
        return float(predict_gene(self.predictor, self.patch[None], self.gene)[0])

    def with_network(self, known: Explanation) -> tuple[Explanation, Gradients | None]:
        """Add what gradients and graphs of a TCGN tell, and the shares of a sum."""
        if self.network is None:
            return known, None
        found = gradients_of(self.network.net, self.predictor.card, self.patch, self.gene)
        known = replace(
            known,
            maps=_maps_of(found, known),
            network_reference=found.empty,
            graphs=token_graphs(self.network, self.patch),
        )
        if isinstance(self.predictor, SumPredictor):
            network, line = (
                float(predict_gene(part, self.patch[None], self.gene)[0])
                for part in (self.predictor.network, self.predictor.line)
            )
            note = "The model is a sum: gradients and graphs explain the network's share only, occlusion both shares."
            known = replace(known, shares=Shares(network, line), notes=(*known.notes, note))
        return known, found

    def first_look(self, known: Explanation) -> Generator[ExplainStep, None, None]:
        """Yield a coarse map with one fill, to be seen until the real one is there; for models without gradients."""
        windows = Windows(max(1, self.windows.count // 2), len(self.patch))
        steps = occlude(self.predictor, self.patch, self.gene, windows, self.batch_size, FILLS[:1])
        found: Occlusion = yield from _progress(steps, "first look", len(windows), known)
        reference = "the same patch with one window in its mean colour; a first look, finer windows follow"
        one = AttributionMap("occlusion", found.mean, known.unit, reference, known.patch_um / windows.count)
        known = replace(known, maps=(one,))
        yield ExplainStep("first look", len(windows), len(windows), explanation=known)

    def with_occlusion(self, known: Explanation) -> Steps:
        steps = occlude(self.predictor, self.patch, self.gene, self.windows, self.batch_size)
        found: Occlusion = yield from _progress(steps, "occlusion", 2 * len(self.windows), known)
        one = AttributionMap(
            "occlusion",
            found.mean,
            known.unit,
            "the same patch with one window replaced, by its mean colour and by blur (mean of the two)",
            known.patch_um / self.windows.count,
        )
        known = replace(known, maps=(one, *known.maps), fills=found.fills, agreement=found.agreement)
        yield ExplainStep("occlusion", 2 * len(self.windows), 2 * len(self.windows), explanation=known)
        return known

    def with_checks(self, known: Explanation, gradients: Gradients | None) -> Steps:
        found: list[Check] = [test.check_fills(known.agreement)]
        signed = [one for one in known.maps if one.signed]
        integrated, occlusion = known.map_of("integrated gradients"), known.map_of("occlusion")
        if gradients is not None and integrated is not None and occlusion is not None:
            found += [test.check_complete(gradients), test.check_methods(integrated.values, occlusion.values)]
        curve_steps = test.measure_curves(self.predictor, self.patch, self.gene, signed, self.how, self.batch_size)
        total = self._curve_patches(signed)
        curves: tuple[Curves, ...] = yield from _progress(curve_steps, "curves", total, known)
        for one in curves:
            found += test.check_curves(one)
        if isinstance(self.predictor, TCGNPredictor | SumPredictor):
            net_steps = test.check_random_nets(self.predictor, self.patch, self.gene, signed, self.how, self.batch_size)
            total = self.how.random_nets * len(self.windows)
            changed: tuple[Check, ...] = yield from _progress(net_steps, "random weights", total, known)
            found += changed
        return replace(known, checks=tuple(found), curves=curves)

    def _curve_patches(self, maps: list[AttributionMap]) -> int:
        orders = {len(one.values): self.how.random_orders for one in maps}
        return sum((2 + orders.pop(len(one.values), 0)) * (len(test.points(one.values.size)) - 2) for one in maps)


def _maps_of(found: Gradients, known: Explanation) -> tuple[AttributionMap, AttributionMap]:
    """Return what gradients tell as maps of an explanation."""
    side = known.patch_um / len(found.integrated)
    integrated = AttributionMap(
        "integrated gradients",
        found.integrated,
        known.unit,
        f"an empty last map, no feature found anywhere, of which the network predicts {found.empty:.3f}; the map sums "
        f"to the network's prediction less that ({found.whole - found.empty:.3f})",
        side,
    )
    blank = float((found.grad_cam == 0).mean())
    cam = AttributionMap(
        "Grad-CAM",
        found.grad_cam,
        "gradient times activation of the last tokens",
        "nothing: it is no part of the prediction",
        side,
        signed=False,
        note=f"As published, to compare with the paper: its ReLU blanks {blank:.0%} of this map, whatever speaks "
        "against the gene there, and its values have no unit of expression.",
    )
    return integrated, cam


def _notes(
    predictor: Predictor, network: TCGNPredictor | None, windows: Windows, directions: int | None
) -> tuple[str, ...]:
    """Say what of a model limits or shapes its explanation."""
    card, notes = predictor.card, []
    if network is None:
        notes.append(f"{card.name} is no TCGN: it is explained by occlusion only.")
    if directions is not None:
        notes.append(
            f"The output of {card.name} is confined to {directions} directions: the map of each of its "
            f"{len(card.genes)} genes is a mixture of the same {directions} maps."
        )
    if len(card.scales_um) > 1:
        sizes = ", ".join(f"{scale:g}" for scale in card.scales_um[:-1])
        side = card.patch_um / windows.count
        notes.append(
            f"{card.name} looks at squares of {sizes} and {card.patch_um:g} µm around the spot. The widest one is "
            f"covered in windows of {side:.3g} µm; what lies in the inner squares is covered in these, too."
        )
    return tuple(notes)


def _progress(
    steps: Generator[int, None, Found], stage: str, total: int, known: Explanation
) -> Generator[ExplainStep, None, Found]:
    """Yield counts as steps of a stage, and return what they find."""
    began = time.perf_counter()
    yield ExplainStep(stage, 0, total, explanation=known)
    while True:
        try:
            done = next(steps)
        except StopIteration as end:
            found: Found = end.value
            return found
        rate = done / max(time.perf_counter() - began, 1e-9)
        yield ExplainStep(stage, done, total, rate, (total - done) / rate, explanation=known)
