"""Moran's I of many genes at once: how far neighbouring spots agree."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_tcgn.errors import DataError

# Values that are worked on at once: more do not fit into a processor's cache, which costs a factor of 5.
VALUES_AT_ONCE = 1_000_000
# But so many genes at the least: of a table with a row per spot, memory is read in lines of 16 values.
GENES_AT_LEAST = 40


def genes_at_once(spots: int) -> int:
    """Return how many genes of so many spots are worked on at once."""
    return max(GENES_AT_LEAST, VALUES_AT_ONCE // max(1, spots))


def morans_i(values: ArrayLike, weights: Any) -> NDArray[np.float64]:
    """Return Moran's I of every gene (Moran 1950).

    I = n / S · Σ_ij w_ij z_i z_j / Σ_i z_i², with z the values less their mean and S the sum of all weights.

    Parameters
    ----------
    values : float array [n, genes]
        A spot whose value of a gene is NaN is left out for that gene, with its links.
    weights : scipy.sparse matrix [n, n]
        Who is whose neighbour: `Lattice.neighbour_weights`.

    Returns
    -------
    float64 [genes]
        Near 1: neighbours agree; near 0 (exactly -1 / (n - 1) on average): no pattern; negative: neighbours differ.
        NaN for a gene that is constant or has no two neighbours with values.

    Raises
    ------
    DataError
        If the weights are not those of as many spots.
    """
    table = np.asarray(values)
    if table.ndim != 2 or weights.shape != (len(table), len(table)):
        raise DataError(
            f"Values of shape {table.shape} do not go with neighbours of {weights.shape[0]} spots.",
            "Give one row of values per spot.",
        )
    result = np.full(table.shape[1], np.nan)
    at_once = genes_at_once(len(table))
    for start in range(0, table.shape[1], at_once):
        block = table[:, start : start + at_once].astype(np.float64)
        known = ~np.isnan(block)
        whole = known.all(axis=0)
        if whole.all():
            result[start : start + at_once] = _complete(block, weights)
            continue
        result[start : start + at_once][whole] = _complete(block[:, whole], weights)
        for gene in np.flatnonzero(~whole):
            rows = np.flatnonzero(known[:, gene])
            part = weights[rows][:, rows]
            result[start + gene] = _complete(block[rows][:, [gene]], _rows_to_one(part))[0]
    return result


def _complete(block: NDArray[np.float64], weights: Any) -> NDArray[np.float64]:
    """Return Moran's I of genes without a missing value; `block` is worked in."""
    n, total = len(block), float(weights.sum())
    if n < 2 or total == 0 or block.shape[1] == 0:
        return np.full(block.shape[1], np.nan)
    mean = block.mean(axis=0)
    z = np.subtract(block, mean, out=block)
    power = np.einsum("ng,ng->g", z, z)
    # What is nothing but rounding is constant.
    varies = power > 1e-18 * np.maximum(power + n * np.square(mean), 1e-300)
    above = np.einsum("ng,ng->g", z, weights @ z)
    figures: NDArray[np.float64] = n / total * above / np.where(varies, power, 1.0)
    figures[~varies] = np.nan
    return figures


def _rows_to_one(weights: Any) -> Any:
    from scipy.sparse import diags_array

    total = np.asarray(weights.sum(axis=1)).ravel()
    return diags_array(1.0 / np.where(total > 0, total, 1.0)) @ weights
