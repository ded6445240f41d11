"""One run of the engine as the dock sees it: started, filling in a result layer, ended or cancelled."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from napari_tcgn.ui.layers import layer_names, result_layers, store
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.tasks.background import Failure

if TYPE_CHECKING:
    from collections.abc import Generator

    from anndata import AnnData
    from napari.layers import Points
    from napari.utils.events import Event

    from napari_tcgn.engine import Progress, RunRecord

SECONDS_BETWEEN_UPDATES = 0.25
DEFAULT_COLORMAP = "viridis"


class Run:
    """A run from its start to its end; use a new one for each.

    Parameters
    ----------
    session : Session
        Its state must lack nothing (`missing_for_run`).
    ended : callable (str, Failure or None, bool)
        Told once on the main thread: a sentence of how it went, the failure if it failed, and whether every spot is
        predicted.
    """

    def __init__(self, session: Session, ended: Callable[[str, Failure | None, bool], object]) -> None:
        self._session, self._ended = session, ended
        self._layer: Points | None = None
        self._last_update = 0.0
        self._latest: Progress | None = None
        state = session.state
        image, slide, spots, settings = state.image, state.slide, state.spots, state.predict_settings()
        assert image is not None  # nothing is missing: `missing_for_run`
        assert slide is not None
        assert spots is not None
        self._image, self._slide, self._spots_file = image, slide, session.spots_file
        self._not_predicted = session.spots_layer

        def steps() -> Generator[Progress, None, AnnData]:
            from napari_tcgn.engine import Progress

            yield Progress("load model", 0, 1)  # what follows is imported for a second or two, the first time
            from napari_tcgn.expression import predict_steps

            return (yield from predict_steps(slide, spots, settings=settings, load=session.models.load))

        session.run = self
        state.running, state.progress = True, None
        session.viewer.layers.events.removed.connect(self._on_removed)
        self._task = session.background.walk(steps, self._on_done, self._on_failed, self._on_step)

    def cancel(self) -> None:
        """Stop at once; what is predicted so far stays, labelled partial."""
        self._task.cancel()
        kept = self._keep_partial()
        self._end(f"Cancelled: {kept}" if kept else "Cancelled before any spot was predicted.", None)

    def disconnect_all(self) -> None:
        """Stop watching the viewer, which is going away."""
        self._session.viewer.layers.events.removed.disconnect(self._on_removed)
        self._session.run = None

    def _on_step(self, step: Progress) -> None:
        self._latest = step
        fresh_stage = self._session.state.progress is None or self._session.state.progress.stage != step.stage
        if fresh_stage or time.monotonic() - self._last_update >= SECONDS_BETWEEN_UPDATES:
            self._show(step)
            self._last_update = time.monotonic()  # after the drawing, so that the window is free in between

    def _show(self, step: Progress) -> None:
        state = self._session.state
        if step.prediction is not None and self._layer is None:
            result = store.Result.of_prediction(step.prediction)
            result.kind = self._session.slides.name_of_new_result(self._image)
            result.slide, result.spots_file = self._slide, self._spots_file
            self._session.slides.claim(result, self._image)
            gene = state.gene if result.has(state.gene) else store.best_gene(result)
            self._layer = result_layers.add_result(self._session.viewer, self._image, result, gene, DEFAULT_COLORMAP)
            state.gene, state.result_layer = gene, self._layer
        state.progress = step

    def _on_done(self, adata: AnnData) -> None:
        if self._latest is not None:
            self._show(self._latest)
        result = store.result_of(self._layer)
        assert result is not None  # the engine yields its prediction before it ends
        result.finish(adata)
        assert result.prediction is not None  # set by `of_prediction`
        record = result.prediction.record
        state = self._session.state
        if self._not_predicted is not None and self._not_predicted in self._session.viewer.layers:
            layer_names.name_spots(self._not_predicted, predicted=True)
        self._session.story.retell()  # no spot waits any more
        state.rate = record.spots_per_second
        if state.rate is not None:
            self._session.choices.note_rate(state.rate)
        self._end(f"Done: {adata.n_obs} spots in {duration_text(record.seconds)}.{outside_text(record)}", None, True)

    def _on_failed(self, failure: Failure) -> None:
        kept = self._keep_partial()
        self._end(f"The run failed; {kept}" if kept else "", failure)

    def _keep_partial(self) -> str:
        """Freeze and label what is predicted; returns "" and removes the layer if that is nothing."""
        layer, result = self._layer, store.result_of(self._layer)
        if layer is None or result is None:
            return ""
        result.freeze()
        done, total = int(result.done.sum()), len(result.done)
        layer_is_there = layer in self._session.viewer.layers
        if done == 0 and layer_is_there:
            self._session.viewer.layers.remove(layer)
        if done == 0 or not layer_is_there:
            return ""
        if done < total:
            result_layers.name_result(layer, result, result_layers.shown_gene(layer), partial=True)
        return f"{done} of {total} spots are predicted and kept as a partial result."

    def _on_removed(self, event: Event) -> None:
        if event.value == self._layer:
            self._task.cancel()
            self._end("Cancelled: the layer of its result was removed.", None)
        elif event.value == self._image:
            self.cancel()

    def _end(self, sentence: str, failure: Failure | None, complete: bool = False) -> None:
        self.disconnect_all()
        state = self._session.state
        state.running, state.progress = False, None
        state.result_version += 1
        self._ended(sentence, failure, complete)


def outside_text(record: RunRecord) -> str:
    """Return how many spots of a run are unlike the training (" 3 of 176 are …."); "" where that is unknown."""
    found = record.domain
    if found is None or not found.spots:
        return ""
    return f" {found.outside:,} of {found.spots:,} ({found.share:.0%}) are unlike the training."


def duration_text(seconds: float) -> str:
    """Return a duration for people ("8 s", "3:05", "1:02:05")."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{whole} s"
