"""Explaining a spot of a result, and what drives its gene, in the background."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_tcgn.errors import DataError
from napari_tcgn.explanation import ExplainStep, Explanation
from napari_tcgn.ui.actions.trust_maps import LIKENESS_KIND, WIDTH_KIND
from napari_tcgn.ui.layers import store
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.tasks.background import BackgroundTask, Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_tcgn.engine import Progress
    from napari_tcgn.explanation import GeneDrivers, SectionMap
    from napari_tcgn.model import Predictor
    from napari_tcgn.options import PredictSettings
    from napari_tcgn.slide import Slide


class Explaining:
    """Explains one thing at a time; a new wish ends the one before.

    Parameters
    ----------
    session : Session
    told : callable (ExplainStep or Progress)
        Called with every step.
    done : callable (Explanation or GeneDrivers)
    failed : callable (Failure)
    """

    def __init__(
        self,
        session: Session,
        told: Callable[[Progress], object],
        done: Callable[[Explanation | GeneDrivers | SectionMap], object],
        failed: Callable[[Failure], object],
    ) -> None:
        self._session, self._told, self._done, self._failed = session, told, done, failed
        self._task: BackgroundTask[Progress, Explanation | GeneDrivers | SectionMap] | None = None

    @property
    def running(self) -> bool:
        """Whether something is being explained."""
        return self._task is not None

    def cancel(self) -> None:
        """Stop at the next call of the model, and listen to it no longer."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    def spot(self, result: store.Result, spot: str, gene: str, check: bool = False) -> None:
        """Explain the prediction of a gene at a spot."""
        self._start(lambda: _spot_steps(self._session, result, spot, gene, check))

    def gene(self, result: store.Result, gene: str) -> None:
        """Look for what drives a gene over a result."""
        self._start(lambda: _gene_steps(self._session, result, gene))

    def section(self, result: store.Result) -> None:
        """Make the maps of every spot of a result."""
        self._start(lambda: _section_steps(self._session, result))

    def _start(self, steps: Callable[[], Generator[Progress, None, Explanation | GeneDrivers | SectionMap]]) -> None:
        self.cancel()
        self._task = self._session.background.walk(steps, self._end_well, self._end_badly, self._told)

    def _end_well(self, found: Explanation | GeneDrivers | SectionMap) -> None:
        self._task = None
        self._done(found)

    def _end_badly(self, failure: Failure) -> None:
        self._task = None
        self._failed(failure)


def why_not(result: store.Result | None) -> str:
    """Say why a result cannot be explained; "" where it can."""
    if result is None:
        return "Predict a slide first, or open a result."
    if result.kind in (WIDTH_KIND, LIKENESS_KIND):
        return "This map says how far to trust a result; choose the layer of the result itself to explain it."
    if result.record is None or result.card is None:
        return "Only what a model has predicted can be explained; these values come from elsewhere."
    return ""


@contextmanager
def _slide_of(session: Session, result: store.Result) -> Iterator[Slide]:
    """Give the slide of a result: the one it was made from, or the open one of its name."""
    with result.slide_for_reading() as slide:
        open_one = session.state.slide
        if slide is None and open_one is not None and open_one.name == result.library_id:
            slide = open_one
        if slide is None:
            raise DataError(
                f"The slide of this result ({result.library_id}) is not open.", "Open it in the section Slide."
            )
        yield slide


def _model_of(session: Session, result: store.Result) -> tuple[Predictor, PredictSettings]:
    """Return the model that made a result, kept from the run if it was one of the last, and its settings."""
    from napari_tcgn.engine import choose_device, choose_precision

    record = result.record
    assert record is not None  # see `why_not`
    device = choose_device(record.settings.device)
    precision = choose_precision(record.settings.precision, device)
    model = session.models.load(record.settings.model, device, precision)
    return model, replace(record.settings, precision=precision)


def _spot_steps(
    session: Session, result: store.Result, spot: str, gene: str, check: bool
) -> Generator[ExplainStep, None, Explanation]:
    from napari_tcgn.explanation import explain_steps
    from napari_tcgn.options import ExplainSettings

    with _slide_of(session, result) as slide:
        yield ExplainStep("load model", 0, 1)
        model, settings = _model_of(session, result)
        how = ExplainSettings(check=check)
        return (yield from explain_steps(slide, result.spots, spot, gene, model, settings, how))


def _section_steps(session: Session, result: store.Result) -> Generator[Progress, None, SectionMap]:
    from napari_tcgn.explanation import section_map_steps

    with _slide_of(session, result) as slide:
        yield ExplainStep("load model", 0, 1)
        model, settings = _model_of(session, result)
        return (yield from section_map_steps(slide, result.spots, model, settings))


def _gene_steps(session: Session, result: store.Result, gene: str) -> Generator[Progress, None, GeneDrivers]:
    from napari_tcgn.explanation import gene_drivers_steps

    with _slide_of(session, result) as slide:
        return (yield from gene_drivers_steps(result.to_adata(), slide, gene))
