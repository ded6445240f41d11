"""Wait for a condition or a signal, not for a time."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], seconds: float = 120) -> None:
    """Return once the condition is true; fail after so many seconds (far more than a busy machine needs)."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def wait_for_a_signal(seconds: float = 600) -> None:
    """Wait in many short sleeps until the handler of a signal raises.

    Python runs a handler between two steps of the main thread. One long sleep would put it off to its end wherever the
    signal comes just before the sleep begins (the main thread is handing Python's lock over to a thread), or is taken
    by another thread.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.05)
