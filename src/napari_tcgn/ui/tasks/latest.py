"""Background work that is asked for faster than it is done: only the newest wish counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from napari_tcgn.ui.tasks.background import Background, BackgroundTask, Failure

T = TypeVar("T")


class Latest(Generic[T]):
    """Runs one piece of work at a time; of those that wait, only the newest is kept.

    Parameters
    ----------
    background : Background
    done, failed : callable
        As in `Background.call`; a failure of work that has been overtaken is not told.
    """

    def __init__(
        self, background: Background, done: Callable[[T], object], failed: Callable[[Failure], object]
    ) -> None:
        self._background, self._done, self._failed = background, done, failed
        self._task: BackgroundTask[None, T] | None = None
        self._next: Callable[[], T] | None = None

    def ask(self, work: Callable[[], T]) -> None:
        """Do some work now, or after what is being done."""
        if self._task is not None:
            self._next = work
        else:
            self._start(work)

    def cancel(self) -> None:
        """Forget what is being done and what waits."""
        if self._task is not None:
            self._task.cancel()
        self._task = self._next = None

    def _start(self, work: Callable[[], T]) -> None:
        self._task = self._background.call(work, self._end_well, self._end_badly)

    def _end_well(self, outcome: T) -> None:
        self._go_on()
        self._done(outcome)

    def _end_badly(self, failure: Failure) -> None:
        if not self._go_on():
            self._failed(failure)

    def _go_on(self) -> bool:
        work, self._task, self._next = self._next, None, None
        if work is not None:
            self._start(work)
        return work is not None
