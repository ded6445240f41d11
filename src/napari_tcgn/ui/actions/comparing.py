"""Comparisons of results with measured counts as the dock makes them: one for each result, while a layer shows it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from napari_tcgn.options import CompareSettings
from napari_tcgn.trust import trusted
from napari_tcgn.ui.actions.side_by_side import SideBySide
from napari_tcgn.ui.layers import canvas, layer_names, result_layers, store
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.tasks.background import BackgroundTask, Failure
from napari_tcgn.ui.words import in_the_dock

if TYPE_CHECKING:
    from napari.layers import Points
    from napari.utils.events import Event

    from napari_tcgn.comparison import Comparison
    from napari_tcgn.engine import Progress

T = TypeVar("T")


@dataclass(frozen=True)
class Measured:
    """Files of a measured section.

    Attributes
    ----------
    path : pathlib.Path
        Count table, matrix, Visium folder or .h5ad.
    spots : pathlib.Path or None
        ST selection table, so that positions are compared too.
    layer : str or None
        Of an .h5ad, that holds the raw counts; None: X.
    gene_sets : pathlib.Path or None
        .gmt whose scores are compared, too.
    """

    path: Path
    spots: Path | None = None
    gene_sets: Path | None = None
    layer: str | None = None


@dataclass(eq=False)
class Compared:
    """A predicted result, what was measured at its spots, the files of that, and how the two compare."""

    predicted: store.Result
    files: Measured
    measured: store.Result
    comparison: Comparison


class Comparing:
    """Compares results with measured counts in the background and shows the measurement as a layer.

    Parameters
    ----------
    session : Session
    changed : callable
        Told on the main thread after every step, end and failure, and when a layer of a comparison has gone.

    Attributes
    ----------
    step : Progress or None
        Latest step of the comparison that is being made.
    shared_limits : bool
        Whether a prediction and its measurement have the same colour limits; else each has its own.
    side_by_side : SideBySide
    """

    def __init__(self, session: Session, changed: Callable[[], object]) -> None:
        self._session, self._changed = session, changed
        self._all: list[Compared] = []
        self._task: BackgroundTask[Progress, Compared] | None = None
        self._result: store.Result | None = None  # that is being compared
        self.step: Progress | None = None
        self.shared_limits = True
        self.side_by_side = SideBySide(session, changed)
        session.viewer.layers.events.removed.connect(self._on_removed)

    def disconnect_all(self) -> None:
        """Stop comparing, put layers back and stop listening to the viewer, which outlives the dock."""
        self.cancel()
        self.side_by_side.disconnect_all()
        self._session.viewer.layers.events.removed.disconnect(self._on_removed)

    @property
    def running(self) -> bool:
        """Whether a comparison is being made."""
        return self._task is not None

    def __iter__(self) -> Iterator[Compared]:
        return iter(tuple(self._all))

    def of(self, result: store.Result | None) -> Compared | None:
        """Return the comparison of a predicted or a measured result; None if there is none."""
        return next((one for one in self._all if result in (one.predicted, one.measured)), None)

    def layer_of(self, result: store.Result | None) -> Points | None:
        """Return the uppermost layer that shows a result, one that stays with its gene only if there is no other."""
        session = self._session
        layers = [layer for layer in reversed(session.viewer.layers) if store.shows_result(layer)]
        found = [layer for layer in layers if store.result_of(layer) is result]
        return min(found, key=session.colours.pinned, default=None)

    def start(self, result: store.Result, measured: Measured, failed: Callable[[Failure], object]) -> None:
        """Compare a predicted result with measured counts."""

        def steps() -> Generator[Progress, None, Compared]:
            from napari_tcgn.comparison import compare_steps
            from napari_tcgn.expression import read_measured
            from napari_tcgn.stats import read_gmt

            sets = {s.name: s.genes for s in read_gmt(measured.gene_sets)} if measured.gene_sets is not None else None
            found = read_measured(measured.path, measured.spots)
            with result.slide_for_reading() as slide:
                settings = CompareSettings(layer=measured.layer)
                comparison = yield from compare_steps(result.to_adata(), found, settings, slide=slide, gene_sets=sets)
            return Compared(result, measured, measured_result(result, comparison), comparison)

        def end(tell: Callable[[T], object]) -> Callable[[T], None]:
            def ended(outcome: T) -> None:
                self._task = self._result = self.step = None
                tell(outcome)
                self._changed()

            return ended

        self._result = result
        self._task = self._session.background.walk(steps, end(self._take), end(failed), self._on_step)
        self._changed()

    def cancel(self) -> None:
        """Stop the comparison that is being made; what was compared before stays."""
        if self._task is not None:
            self._task.cancel()
            self._task = self._result = self.step = None
            self._changed()

    def show_side_by_side(self, compared: Compared) -> None:
        """Show the measured spots to the right of the predicted ones."""
        predicted, measured = (self.layer_of(one) for one in (compared.predicted, compared.measured))
        if predicted is not None and measured is not None:
            self.side_by_side.open(predicted, measured)

    def show_one(self) -> None:
        """Show only the chosen one of the two on the slide."""
        self.side_by_side.close()
        if (layer := self._session.state.result_layer) is not None:
            canvas.frame(self._session.viewer, [layer])

    def share_limits(self, compared: Compared, shared: bool) -> None:
        """Give a prediction and its measurement the same limits, or each its own."""
        self.shared_limits = shared
        if (predicted := self.layer_of(compared.predicted)) is not None:
            self._session.colours.share_limits(predicted, shared)

    def _on_step(self, step: Progress) -> None:
        self.step = step
        self._changed()

    def _on_removed(self, event: Event) -> None:
        if self._session.closed:
            return
        if self._result is not None and self.layer_of(self._result) is None:
            self.cancel()
        shown = (store.result_of(layer) for layer in self._session.viewer.layers)
        there = {id(result) for result in shown if result is not None}
        self._all = [one for one in self._all if id(one.predicted) in there or id(one.measured) in there]
        self._changed()

    def _take(self, compared: Compared) -> None:
        """Keep a comparison and show the measurement with the gene and the limits of the prediction."""
        session, viewer = self._session, self._session.viewer
        earlier, predicted = self.of(compared.predicted), self.layer_of(compared.predicted)
        assert predicted is not None  # a comparison ends with the layer of its prediction
        if earlier is not None:
            self._all.remove(earlier)
            for old in [layer for layer in viewer.layers if store.result_of(layer) is earlier.measured]:
                viewer.layers.remove(old)
        self._all.append(compared)
        work = session.slides.owner_of(predicted)
        if work is not None:
            session.slides.claim(compared.measured, work.image)
        gene = result_layers.shown_gene(predicted)
        shown = gene if compared.measured.has(gene) else best_measured(compared)
        with session.selection_kept():
            added = result_layers.add_result_like(viewer, predicted, compared.measured, shown)
        session.colours.pair(predicted, added)
        session.colours.share_limits(predicted, self.shared_limits)
        if store.result_of(session.state.result_layer) is compared.predicted:
            session.state.gene = shown
            self.show_side_by_side(compared)
        else:
            session.story.retell()  # another slide or result was chosen meanwhile


def best_measured(compared: Compared) -> str:
    """Return the gene to look at first where the one that was seen is not measured: the best predicted one.

    One that the model's held-out figures call predictable, if there is any: of thousands some do well by chance.
    """
    pcc, card = compared.comparison.genes["pcc"], compared.predicted.card
    known = pcc[pcc.notna() & pcc.index.isin(compared.measured.genes)]
    good = np.array(card.genes)[trusted(card)] if card is not None else ()
    for some in (known[known.index.isin(good)], known):
        if len(some):
            return str(some.idxmax())
    return compared.measured.genes[0]


def measured_result(result: store.Result, comparison: Comparison) -> store.Result:
    """Return what was measured at the spots of a result, NaN where none was matched."""
    place = {spot: i for i, spot in enumerate(result.spots.ids)}
    rows = np.array([place[spot] for spot in comparison.measured.obs_names], dtype=np.intp)
    values = np.full((len(result.spots), comparison.measured.n_vars), np.nan, dtype=np.float32)
    values[rows] = comparison.measured.X
    done = np.zeros(len(result.spots), dtype=bool)
    done[rows] = True
    return store.Result(
        values,
        done,
        tuple(str(gene) for gene in comparison.measured.var_names),
        result.spots,
        result.mpp,
        result.library_id,
        result.output_scale,
        kind=layer_names.MEASURED,
        drawn_px=result.drawn_px,
    )


def summary(comparison: Comparison) -> list[str]:
    """Return a comparison's overall figures in lines: the model, simple predictors, and what to mind."""
    overall = comparison.overall
    lines = [f"{overall.n_spots} spots, {overall.n_genes} genes; median PCC (95 %):"]
    for row in comparison.baselines.to_dict(orient="records"):
        line = f"• {row['method']}: {row['median_pcc']:.3f} ({row['pcc_low']:.3f} to {row['pcc_high']:.3f})"
        if row["median_depth_pcc"] == row["median_depth_pcc"]:  # not NaN
            line += f"; depth out {row['median_depth_pcc']:.3f}"
        lines.append(line)
    if len(comparison.gene_sets):
        best = comparison.gene_sets.sort_values("pcc", ascending=False).iloc[0]
        lines.append(
            f"{len(comparison.gene_sets)} gene sets: median PCC {comparison.gene_sets['pcc'].median():.3f}, "
            f"best {best['gene_set']} {best['pcc']:.3f}"
        )
    return [*lines, *(f"⚠ {in_the_dock(sentence)}" for sentence in comparison.warnings)]
