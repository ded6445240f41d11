"""Work in the background that the dock waits for: nothing else is begun meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from napari_tcgn.ui.state import DockState
from napari_tcgn.ui.tasks.background import Background, Failure

T = TypeVar("T")


class Busy:
    """Runs functions one at a time, and tells in `state.busy` what is being done.

    Parameters
    ----------
    state : DockState
    background : Background
    """

    def __init__(self, state: DockState, background: Background) -> None:
        self._state, self._background = state, background

    def call(
        self, what: str, work: Callable[[], T], done: Callable[[T], object], failed: Callable[[Failure], object]
    ) -> None:
        """Run a function off the main thread.

        Parameters
        ----------
        what : str
            What is being done, for people.
        work : callable
        done : callable
            Gets what `work` returns, on the main thread.
        failed : callable
            Gets the failure of either of the two.
        """
        self._state.busy = what

        def end_well(outcome: T) -> None:
            self._state.busy = ""
            try:
                done(outcome)
            except Exception as error:
                failed(Failure.of(error))

        def end_badly(failure: Failure) -> None:
            self._state.busy = ""
            failed(failure)

        self._background.call(work, end_well, end_badly)
