"""How much memory there is, and whether what a file asks for may have it: asked before it is taken."""

from __future__ import annotations

import ctypes
import os
import sys

from napari_tcgn.errors import SettingsError, TcgnError

VARIABLE = "NAPARI_TCGN_MEMORY_SHARE"
SHARE = 0.8  # of the memory that is free now
BYTES_PER_CHARACTER = 4  # that a table takes in memory: "0," becomes a number of eight bytes


def available_memory() -> int | None:
    """Return the bytes of memory that can be had without swapping, or None where the system does not tell."""
    import psutil

    try:
        return int(psutil.virtual_memory().available)
    except (OSError, RuntimeError, ValueError):  # a container that hides it
        return None


def in_bytes(count: float) -> str:
    """Say a number of bytes for people."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def require_budget(what: str, needed: int, way_out: str, error: type[TcgnError]) -> None:
    """Refuse what would take more than its share of the memory that is free now.

    Parameters
    ----------
    what : str
        Begins the sentence: "big.png has 44000 x 44000 px, which".
    needed : int
        Bytes at the worst moment.
    way_out : str
        How to go on.
    error : type of TcgnError

    Raises
    ------
    TcgnError
        Of the given type.
    SettingsError
        If $NAPARI_TCGN_MEMORY_SHARE, the share that may be taken (0.8), is no number above 0.
    """
    free = available_memory()
    if free is not None and needed > (share := _share()) * free:
        raise error(
            f"{what} would take {in_bytes(needed)} of memory, and {in_bytes(free)} are free.",
            f"{way_out}; at most {share:.0%} of what is free is taken ({VARIABLE} sets another share).",
        )


def give_back_freed() -> None:
    """Give memory that is freed already back to the system, at the end of a run.

    The allocator of Linux (glibc) keeps it, in pieces between what is still used: a process that predicts again and
    again grows by a MiB or so each time, though it holds no object more.
    """
    if not sys.platform.startswith("linux"):
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    if trim is not None:
        trim(0)


def text_limit() -> int | None:
    """Return how many bytes of text may be read whole; None where the system does not tell how much memory is free."""
    free = available_memory()
    return None if free is None else int(_share() * free / BYTES_PER_CHARACTER)


def _share() -> float:
    said = os.environ.get(VARIABLE, "").strip()
    try:
        share = float(said) if said else SHARE
    except ValueError:
        share = 0.0
    if not 0 < share < float("inf"):
        raise SettingsError(f"{VARIABLE} is {said!r}.", "Set it to a share such as 0.8, or unset it.")
    return share
