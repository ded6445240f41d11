"""Measured counts on the scale that the models predict."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_tcgn.errors import DataError

OUTPUT_SCALE = "log10(1 + 1e4 * count / panel total)"
TOTAL_SCALE = "log10(1 + 1e4 * count / total over all genes)"


def scale_counts(counts: ArrayLike, total: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return log10(1 + 1e4 * count / total of the spot).

    Parameters
    ----------
    counts : array [n, genes]
        Raw counts of the genes of the panel and, without `total`, of no others: the total depends on them.
    total : array [n], optional
        Counts of every spot over all its genes (`TOTAL_SCALE`); default: over these (`OUTPUT_SCALE`).

    Returns
    -------
    float64 [n, genes]
        A spot without any count is zero everywhere.

    Raises
    ------
    DataError
        If `counts` is not a table of finite, non-negative numbers.
    """
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim != 2:
        raise DataError(f"Counts have {counts.ndim} dimensions.", "Give one row per spot and one column per gene.")
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise DataError("Counts hold negative or missing numbers.", "Give raw counts; 0 where a gene was not seen.")
    over = counts.sum(axis=1, keepdims=True) if total is None else np.asarray(total, np.float64)[:, None]  # [n, 1]
    return np.log10(1 + 1e4 * counts / np.where(over > 0, over, 1))
