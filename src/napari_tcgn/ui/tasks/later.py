"""Something to be done once, as soon as what is being done has ended."""

from __future__ import annotations

from collections.abc import Callable

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

    def ask(self, *_: object) -> None:
        """Have it done."""
        self.start()
