"""Work on the main thread that is asked for faster than it can be done."""

from __future__ import annotations

import time
from collections.abc import Callable

from qtpy.QtCore import QObject
from superqt.utils import QSignalThrottler

QUICK_SECONDS = 0.03


class Throttle(QSignalThrottler):
    """Call a function on the main thread at once, or a moment later where the last call has kept it busy.

    Arrow keys that repeat 30 times a second are followed as far as half of the time allows, and the last one always:
    the pause is as long as the last call took, which `superqt.qthrottled` with its fixed pause does not know.
    """

    def __init__(self, call: Callable[[], object], parent: QObject) -> None:
        super().__init__(parent=parent)
        self._call = call
        self.triggered.connect(self._run)

    def _run(self) -> None:
        started = time.monotonic()
        self._call()
        taken = time.monotonic() - started
        # The pause begins after this.
        self.setTimeout(round(taken * 1000) if taken > QUICK_SECONDS else 0)
