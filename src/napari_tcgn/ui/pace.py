"""Work that is asked for faster than it can be done: only the latest request counts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, QTimer

from napari_tcgn.ui.background import Background, Failure

QUICK_SECONDS = 0.03


class Throttle(QObject):
    """Call a function on the main thread at once, or a moment later where the last call has kept it busy.

    Arrow keys that repeat 30 times a second are followed as far as half of the time allows, and the last one always.
    """

    def __init__(self, call: Callable[[], object], parent: QObject) -> None:
        super().__init__(parent)
        self._call = call
        self._next = 0.0
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._run)

    def ask(self) -> None:
        """Ask for a call."""
        wait = self._next - time.monotonic()
        if wait <= 0:
            self._run()
        elif not self._timer.isActive():
            self._timer.start(round(wait * 1000) + 1)

    def _run(self) -> None:
        self._timer.stop()
        started = time.monotonic()
        self._call()
        ended = time.monotonic()
        taken = ended - started
        self._next = ended + taken if taken > QUICK_SECONDS else 0.0


class Latest:
    """Background work of which one piece is done at a time, and the latest request next."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._busy = False
        self._next: tuple[Callable[[], Any], Callable[[Any], object], Callable[[Failure], object]] | None = None

    def ask(
        self, work: Callable[[], Any], done: Callable[[Any], object], failed: Callable[[Failure], object]
    ) -> None:
        """Ask for work; `done` gets what it returns, unless a later request has come meanwhile."""
        self._next = (work, done, failed)
        if not self._busy:
            self._start()

    def _start(self) -> None:
        if self._next is None:
            return
        (work, done, failed), self._next = self._next, None
        self._busy = True

        def end(tell: Callable[[Any], object]) -> Callable[[Any], None]:
            def over(outcome: Any) -> None:
                self._busy = False
                overtaken = self._next is not None
                self._start()
                if not overtaken:
                    tell(outcome)

            return over

        self._background.call(work, end(done), end(failed))
