"""Whether a result fits into memory, asked before the run instead of found out at its end."""

from __future__ import annotations

from napari_tcgn.errors import SpotsError
from napari_tcgn.memory import available_memory, in_bytes


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
