"""The structural similarity of maps of spots, for all genes at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix, diags

Floats = NDArray[np.float64]
# Constants of the structural similarity for maps from 0 to 1 (Wang et al. 2004).
C1, C2 = 0.01**2, 0.03**2


def row_scaled(weights: csr_matrix) -> csr_matrix:
    """Return weights whose rows sum to 1; empty rows stay empty."""
    total = np.asarray(weights.sum(axis=1)).ravel()
    return csr_matrix(diags(np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)) @ weights)


def ssim_map(predicted: ArrayLike, measured: ArrayLike, window: csr_matrix) -> Floats:
    """Return the structural similarity of every gene around every spot (Wang et al. 2004).

    Both maps of a gene are scaled to 0 .. 1 by their own extremes, so that it is the pattern which is compared, not the
    amount. Means, variances and the covariance are taken with equal weights over the spots of a window that exist;
    glass around the tissue does not count.

    Parameters
    ----------
    predicted, measured : array [n, genes]
    window : sparse [n, n]
        Who lies in whose window, itself included.

    Returns
    -------
    float64 [n, genes]
        NaN for a gene that is constant in either map. The mean over the spots is the gene's SSIM.
    """
    weights = row_scaled(window)
    x, y = _zero_to_one(predicted), _zero_to_one(measured)
    mean_x, mean_y = weights @ x, weights @ y
    var_x = weights @ x**2 - mean_x**2
    var_y = weights @ y**2 - mean_y**2
    cov = weights @ (x * y) - mean_x * mean_y
    result: Floats = ((2 * mean_x * mean_y + C1) * (2 * cov + C2)) / (
        (mean_x**2 + mean_y**2 + C1) * (var_x + var_y + C2)
    )
    return result


def _zero_to_one(values: ArrayLike) -> Floats:
    x = np.asarray(values, dtype=np.float64)
    low, span = x.min(axis=0), np.ptp(x, axis=0)
    scaled: Floats = np.where(span > 0, (x - low) / np.where(span > 0, span, 1), np.nan)
    return scaled
