"""How much a gene varies over a slide."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_tcgn.stats.moran import genes_at_once


def variability(values: ArrayLike) -> NDArray[np.float64]:
    """Return the standard deviation of every gene over the spots, on the scale of the values.

    Predictions are smooth (docs/evaluation.md): compare genes of one result, not a prediction with a measurement.

    Parameters
    ----------
    values : float array [n, genes]
        NaN where a spot has no value; it is left out.

    Returns
    -------
    float64 [genes]
        Of the population (divided by n); NaN for a gene without any value.
    """
    table = np.asarray(values)
    result = np.full(table.shape[1], np.nan)
    at_once = genes_at_once(len(table))
    for start in range(0, table.shape[1], at_once):  # a copy of the whole may not fit into memory
        block = table[:, start : start + at_once].astype(np.float64)
        mean = block.mean(axis=0) if len(table) else np.full(block.shape[1], np.nan)
        if not np.isnan(mean).any():  # nothing is missing
            np.subtract(block, mean, out=block)
            result[start : start + at_once] = np.sqrt(np.einsum("ng,ng->g", block, block) / len(table))
            continue
        known = ~np.isnan(block)
        count = known.sum(axis=0)
        some = np.maximum(count, 1)
        block[~known] = 0.0
        mean = block.sum(axis=0) / some
        spread = np.where(known, block - mean, 0.0)
        sd = np.sqrt(np.einsum("ng,ng->g", spread, spread) / some)
        result[start : start + at_once] = np.where(count > 0, sd, np.nan)
    return result
