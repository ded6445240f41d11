"""Something to be done once, as soon as what is being done has ended."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from qtpy.QtCore import QTimer


class Later(QTimer):
    """Calls a function after the events in hand, once however often it was asked for meanwhile.

    Parameters
    ----------
    call : callable
    """

    def __init__(self, call: Callable[[], object]) -> None:
        super().__init__()
        self.setSingleShot(True)
        self.setInterval(0)
        self.timeout.connect(call)

    def stop(self) -> None:
        """Have it not done; at the end of the program Qt may have taken the timer already."""
        with suppress(RuntimeError):
            super().stop()

    def ask(self, *_: object) -> None:
        """Have it done."""
        self.start()
