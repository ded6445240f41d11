"""A run's progress in napari's own activity dock."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from napari.utils import progress
from qtpy.QtCore import QTimer

from napari_tcgn.ui.state import DockState

if TYPE_CHECKING:
    from napari_tcgn.engine import Progress

PAUSE = 250  # ms between two updates
STAGES = {"load model": "loading the model …", "read slide": "reading the slide …"}
COUNTED = "predict"


def stage_text(step: Progress) -> str:
    """Return what a run is doing, for people."""
    return STAGES.get(step.stage, step.stage)


class Activity:
    """Shows the run of a dock in the activity dock, from its start to its end.

    It looks at the state from time to time and does not listen to every step: napari's bar works off the events of
    the window whenever it is set, which must not happen while others are still being told of a step.

    Parameters
    ----------
    state : DockState
    """

    def __init__(self, state: DockState) -> None:
        self._state = state
        self._bar: progress | None = None
        self._shown: tuple[str, int, int] = ("", 0, 0)
        self._timer = QTimer()
        self._timer.setInterval(PAUSE)
        self._timer.timeout.connect(self._show)
        state.events.running.connect(self._on_running)

    def _on_running(self, running: bool) -> None:
        if running:
            self._timer.start()
        else:
            self.close()

    def close(self) -> None:
        """Take the bar away, if there is one."""
        with suppress(RuntimeError):  # at the end of the program Qt may have taken the timer already
            self._timer.stop()
        bar, self._bar, self._shown = self._bar, None, ("", 0, 0)
        if bar is not None:
            bar.close()

    def _show(self) -> None:
        step, slide = self._state.progress, self._state.slide
        if step is None or slide is None:
            return
        counted = step.stage == COUNTED
        shown = stage_text(step), step.done if counted else 0, step.total if counted else 0
        if shown == self._shown:
            return
        before, self._shown = self._shown, shown
        text, done, total = shown
        if self._bar is None:
            self._bar = progress(total=total, desc=f"{slide.name}: {text}")
        bar = self._bar
        if text != before[0]:
            bar.set_description(f"{slide.name}: {text}")
        if total != before[2]:
            bar.total = total  # 0 moves to and fro: it cannot be told how long
        if self._bar is bar and done > bar.n:  # not closed by what the window did meanwhile
            bar.update(done - bar.n)
