"""Whether a result fits into memory, asked before the run instead of found out at its end."""

from __future__ import annotations

from napari_tcgn.errors import SpotsError


def available_memory() -> int | None:
    """Return the bytes of memory that can be had without swapping, or None where the system does not tell."""
    import psutil

    try:
        return int(psutil.virtual_memory().available)
    except (OSError, RuntimeError, ValueError):  # a container that hides it
        return None


def in_bytes(count: float) -> str:
    """Say a number of bytes for people."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def require_memory(spots: int, genes: int) -> None:
    """Refuse a result that does not fit into memory.

    Raises
    ------
    SpotsError
    """
    needed = 2 * 4 * spots * genes  # float32 while it is predicted, and once more in the AnnData
    free = available_memory()
    if free is not None and needed > free:
        raise SpotsError(
            f"The values of {spots} spots and {genes} genes take {in_bytes(needed)}, but only {in_bytes(free)} of "
            "memory are free.",
            "Predict fewer genes (the trusted ones), lay fewer spots, or use `napari-tcgn predict`, which keeps them "
            "on disk.",
        )
