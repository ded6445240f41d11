"""How well predicted expression follows measured expression, gene by gene."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_tcgn.errors import DataError


def pearson_per_gene(predicted: ArrayLike, measured: ArrayLike) -> NDArray[np.float64]:
    """Return the Pearson correlation coefficient (PCC) of every gene over the spots.

    Parameters
    ----------
    predicted, measured : array [n, genes]
        The same spots and genes in the same order.

    Returns
    -------
    float64 [genes]
        NaN for a gene that is constant, or missing at a spot, in either of the two.

    Raises
    ------
    DataError
        If the two tables differ in shape.
    """
    x = np.asarray(predicted, dtype=np.float64)
    y = np.asarray(measured, dtype=np.float64)
    if x.ndim != 2 or x.shape != y.shape:
        raise DataError(
            f"Predicted and measured expression have the shapes {x.shape} and {y.shape}.",
            "Give both for the same spots and genes.",
        )
    if len(x) < 2:
        return np.full(x.shape[1], np.nan)
    # Constancy is read from the values: a constant minus its rounded mean need not be zero.
    varies = (x.max(axis=0) > x.min(axis=0)) & (y.max(axis=0) > y.min(axis=0))
    x, y = x[:, varies], y[:, varies]
    pcc = np.full(varies.shape, np.nan)
    pcc[varies] = (_standardised(x) * _standardised(y)).sum(axis=0).clip(-1.0, 1.0)
    return pcc


def _standardised(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return columns of mean 0 and length 1; the mean is taken first, for squares of large values lose digits."""
    x = x - x.mean(axis=0)
    unit: NDArray[np.float64] = x / np.linalg.norm(x, axis=0)
    return unit


def median_pcc(pcc: ArrayLike) -> float:
    """Return the median over the genes that have a PCC; NaN if none has."""
    known = np.asarray(pcc, dtype=np.float64)
    known = known[~np.isnan(known)]
    return float(np.median(known)) if len(known) else float("nan")
