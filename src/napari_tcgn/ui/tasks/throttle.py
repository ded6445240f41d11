"""Work on the main thread that is asked for faster than it can be done."""

from __future__ import annotations

import time
from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer

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
