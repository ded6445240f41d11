"""Ctrl-C as a sentence that says what was kept and how to go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Stopped(Exception):
    """The user pressed Ctrl-C; the text says what is left and how to go on."""


@contextmanager
def when_stopped(sentence: str) -> Iterator[None]:
    """Turn Ctrl-C inside the block into `Stopped(sentence)`."""
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(sentence) from None
