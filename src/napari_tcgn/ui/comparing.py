"""Comparisons of results with measured counts as the dock makes them: one for each result, for as long as it lives."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_tcgn.ui import layers, store
from napari_tcgn.ui.background import Failure, Job
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.side_by_side import SideBySide

if TYPE_CHECKING:
    from napari_tcgn.expression import Comparison
    from napari_tcgn.predict import Progress

MEASURED = "measured"


@dataclass(frozen=True)
class Measured:
    """Files of a measured section.

    Attributes
    ----------
    path : pathlib.Path
        ST count table, Visium folder or .h5ad.
    spots : pathlib.Path or None
        ST selection table, so that positions are compared too.
    """

    path: Path
    spots: Path | None = None


@dataclass(eq=False)
class Compared:
    """A predicted result, what was measured at its spots, and how the two compare."""

    predicted: store.Result
    measured: store.Result
    comparison: Comparison


class Comparing:
    """Compares results with measured counts in the background and shows the measurement as a layer.

    Parameters
    ----------
    session : Session
    changed : callable
        Told on the main thread after every step, end and failure.

    Attributes
    ----------
    step : Progress or None
        Latest step of the comparison that is being made.
    beside : SideBySide
    """

    def __init__(self, session: Session, changed: Callable[[], object]) -> None:
        self._session, self._changed = session, changed
        self._of: weakref.WeakKeyDictionary[store.Result, Compared] = weakref.WeakKeyDictionary()
        self._job: Job | None = None
        self.step: Progress | None = None
        self.beside = SideBySide(session)

    @property
    def running(self) -> bool:
        """Whether a comparison is being made."""
        return self._job is not None

    def of(self, result: store.Result | None) -> Compared | None:
        """Return the comparison of a predicted or a measured result; None if there is none."""
        return None if result is None else self._of.get(result)

    def layer_of(self, result: store.Result) -> Any:
        """Return the uppermost layer that shows a result; None if there is none."""
        found = (layer for layer in reversed(self._session.viewer.layers) if store.result_of(layer) is result)
        return next(found, None)

    def start(self, result: store.Result, measured: Measured, failed: Callable[[Failure], object]) -> None:
        """Compare a predicted result with measured counts."""

        def steps() -> Generator[Progress, None, Comparison]:
            from napari_tcgn.expression import compare_steps, read_measured

            found = read_measured(measured.path, measured.spots)
            return (yield from compare_steps(result.to_adata(), found, slide=result.slide))

        def end(tell: Callable[[Any], object]) -> Callable[[Any], None]:
            def ended(outcome: Any) -> None:
                self._job = self.step = None
                tell(outcome)
                self._changed()

            return ended

        self._job = self._session.background.walk(
            steps, end(lambda comparison: self._take(result, comparison)), end(failed), self._on_step
        )
        self._changed()

    def cancel(self) -> None:
        """Stop the comparison that is being made; what was compared before stays."""
        if self._job is not None:
            self._job.leave()
            self._job = self.step = None
            self._changed()

    def put_beside(self, compared: Compared) -> None:
        """Show the measured spots to the right of the predicted ones."""
        predicted, measured = (self.layer_of(one) for one in (compared.predicted, compared.measured))
        if predicted is not None and measured is not None:
            work = self._session.slides.owner_of(predicted)
            self.beside.open(predicted, measured, work.image if work is not None else None)

    def _on_step(self, step: Progress) -> None:
        self.step = step
        self._changed()

    def _take(self, result: store.Result, comparison: Comparison) -> None:
        """Keep a comparison and show the measurement with the gene and the limits of the prediction."""
        earlier, predicted = self.of(result), self.layer_of(result)
        viewer, colours = self._session.viewer, self._session.colours
        if earlier is not None and (old := self.layer_of(earlier.measured)) is not None:
            self.beside.close()
            viewer.layers.remove(old)
        compared = Compared(result, measured_result(result, comparison), comparison)
        self._of[result] = self._of[compared.measured] = compared
        if predicted is None:  # removed meanwhile
            return
        work = self._session.slides.owner_of(predicted)
        if work is not None:
            self._session.slides.claim(compared.measured, work.image)
        gene = layers.shown_gene(predicted)
        shown = gene if compared.measured.has(gene) else compared.measured.genes[0]
        added = layers.add_result_like(viewer, predicted, compared.measured, shown)
        colours.link([predicted, added])
        colours.show(predicted, shown)
        self._session.state.gene = shown
        self.put_beside(compared)
        viewer.layers.selection.active = predicted


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
        kind=MEASURED,
        drawn_px=result.drawn_px,
    )
