"""Statistics of predicted against measured expression, for all genes at once.

Pure arrays [spots, genes] in, arrays [genes] out. A gene without a figure is NaN, except where the text says that a
constant prediction counts as 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import false_discovery_control, rankdata

from napari_tcgn.errors import DataError
from napari_tcgn.stats.correlation import median_pcc, pearson_per_gene

Floats = NDArray[np.float64]

# A shifted section must still overlap itself by this share of its spots, for its correlation to mean something.
MIN_OVERLAP = 0.25
# Values of genes times shifts that are worked on at once: a dozen tables of this size are held.
SHIFTED_AT_ONCE = 8_000_000


def spearman_per_gene(predicted: ArrayLike, measured: ArrayLike) -> Floats:
    """Return Spearman's rank correlation of every gene over the spots; NaN as in `pearson_per_gene`."""
    x, y = np.asarray(predicted, dtype=np.float64), np.asarray(measured, dtype=np.float64)
    rank_x = rankdata(x, axis=0, nan_policy="propagate") if len(x) else x
    rank_y = rankdata(y, axis=0, nan_policy="propagate") if len(y) else y
    return pearson_per_gene(rank_x, rank_y)


def rmse_per_gene(predicted: ArrayLike, measured: ArrayLike) -> Floats:
    """Return the root of the mean squared error of every gene, on the scale of the values."""
    difference = np.asarray(predicted, dtype=np.float64) - np.asarray(measured, dtype=np.float64)
    result: Floats = np.sqrt(np.mean(difference**2, axis=0))
    return result


def variance_ratio_per_gene(predicted: ArrayLike, measured: ArrayLike) -> Floats:
    """Return the variance of the prediction over that of the measurement: far below 1 is over-smoothing."""
    above, below = np.var(np.asarray(predicted, float), axis=0), np.var(np.asarray(measured, float), axis=0)
    ratio: Floats = np.where(below > 0, above / np.where(below > 0, below, 1), np.nan)
    return ratio


def partial_pcc_per_gene(predicted: ArrayLike, measured: ArrayLike, covariate: ArrayLike) -> Floats:
    """Return the PCC of every gene with a covariate (such as the log of a spot's counts) taken out of both.

    Parameters
    ----------
    predicted, measured : array [n, genes]
    covariate : array [n]

    Returns
    -------
    float64 [genes]
        The partial correlation: the PCC of what a line through the covariate leaves. NaN where nothing is left.
    """
    return pearson_per_gene(without(predicted, covariate), without(measured, covariate))


def without(values: ArrayLike, covariate: ArrayLike) -> Floats:
    """Return what a line through a covariate [n] leaves of every column of a table [n, genes]."""
    given = np.asarray(values, dtype=np.float64)
    table: Floats = given - given.mean(axis=0)
    z = np.asarray(covariate, dtype=np.float64)
    z = z - z.mean()
    power = float(z @ z)
    if power == 0:
        return table
    rest: Floats = table - z[:, None] * (z @ table / power)
    # What is nothing but rounding is nothing.
    rest[:, np.linalg.norm(rest, axis=0) <= 1e-9 * np.linalg.norm(table, axis=0)] = 0.0
    return rest


def interval(samples: Floats, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return the percentile interval over the first axis; NaN samples are left out."""
    tail = (1 - level) / 2
    with np.errstate(all="ignore"):
        known = np.isfinite(samples).any(axis=0)
        filled = np.where(known, samples, 0.0)
        low, high = np.nanquantile(filled, [tail, 1 - tail], axis=0)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def median_interval(samples: NDArray[np.floating], level: float = 0.95) -> tuple[float, float]:
    """Return the interval of the median over genes, from samples [draws, genes]; NaN counts as 0."""
    medians = np.median(np.where(np.isnan(samples), 0.0, samples), axis=1)
    low, high = np.quantile(medians, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def shift_test(predicted: ArrayLike, measured: ArrayLike, array_row: ArrayLike, array_col: ArrayLike) -> Floats:
    """Return the p-value of every gene's PCC against all toroidal shifts of the section against itself.

    A shift keeps the spatial structure of both maps and breaks only what links them; a permutation of single spots
    would call every smooth gene significant (toroidal shift: Lotwick and Silverman 1982). Where the shifted section
    leaves its own outline, the spots that meet are correlated; their smaller number is allowed for by Fisher's
    transform. All shifts are computed at once by Fourier transforms (masked correlation: Padfield 2012).

    Parameters
    ----------
    predicted, measured : array [n, genes]
    array_row, array_col : int array [n]
        Positions on the array, each used once.

    Returns
    -------
    float64 [genes]
        One-sided, for a positive correlation: (1 + shifts at least as good) / (1 + shifts). NaN for a gene without a
        PCC, and for all genes where no shift overlaps enough.

    Raises
    ------
    DataError
        If two spots share a position.
    """
    x, y = np.asarray(predicted, dtype=np.float64), np.asarray(measured, dtype=np.float64)
    row, col = (np.asarray(v).astype(np.int64) for v in (array_row, array_col))
    row, col = row - row.min(), col - col.min()
    place = np.ravel_multi_index((row, col), (row.max() + 1, col.max() + 1))
    if len(np.unique(place)) < len(place):
        raise DataError("Two spots share a position on the array.", "Give every spot its own array position.")
    observed = pearson_per_gene(x, y)
    shape = (int(row.max()) + 1, int(col.max()) + 1)
    mask = _on_grid(np.ones((len(x), 1)), row, col, shape)
    overlap, enough = _overlaps(mask)
    count = overlap[enough][:, None]
    result = np.full(x.shape[1], np.nan)
    if not enough.any():
        return result
    known, at_once = np.flatnonzero(~np.isnan(observed)), max(1, SHIFTED_AT_ONCE // (shape[0] * shape[1]))
    for start in range(0, len(known), at_once):
        genes = known[start : start + at_once]
        a, b = ((t[:, genes] - t[:, genes].mean(0)) / t[:, genes].std(0) for t in (x, y))
        grid_a, grid_b = _on_grid(a, row, col, shape), _on_grid(b, row, col, shape)
        sum_a, sum_b = _circular(grid_a, mask)[enough], _circular(mask, grid_b)[enough]  # [shifts, genes]
        square_a, square_b = _circular(grid_a**2, mask)[enough], _circular(mask, grid_b**2)[enough]
        product = _circular(grid_a, grid_b)[enough]
        var = np.maximum((square_a - sum_a**2 / count) * (square_b - sum_b**2 / count), 1e-12)
        null = np.clip((product - sum_a * sum_b / count) / np.sqrt(var), -1, 1)
        z = np.arctanh(np.clip(null, -0.999999, 0.999999)) * np.sqrt(count / len(x))
        better = z >= np.arctanh(np.clip(observed[genes], -0.999999, 0.999999)) - 1e-9
        result[genes] = (1 + better.sum(axis=0)) / (1 + len(z))
    return result


def shift_count(array_row: ArrayLike, array_col: ArrayLike) -> int:
    """Return how many shifts `shift_test` compares with: its p-values cannot be below 1 / (1 + shifts)."""
    row, col = (np.asarray(v).astype(np.int64) for v in (array_row, array_col))
    row, col = row - row.min(), col - col.min()
    mask = _on_grid(np.ones((len(row), 1)), row, col, (int(row.max()) + 1, int(col.max()) + 1))
    return int(_overlaps(mask)[1].sum())


def _overlaps(mask: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return how many spots of a section [1, rows, columns] meet at every shift, and whether they are enough."""
    overlap = np.round(_circular(mask, mask)[:, 0])  # [shifts]
    enough = overlap >= max(8, MIN_OVERLAP * mask.sum())
    enough[0] = False  # no shift at all
    return overlap, enough


def _on_grid(values: Floats, row: NDArray[np.int64], col: NDArray[np.int64], shape: tuple[int, int]) -> Floats:
    """Lay spots [n, genes] out on their array [genes, rows, columns], 0 where there is none."""
    grid = np.zeros((values.shape[1], *shape))
    grid[:, row, col] = values.T
    return grid


def _circular(a: Floats, b: Floats) -> Floats:
    """Sum a(p) b(p + shift) over all positions p of a torus, for every shift: [shifts, genes]."""
    spectrum = np.conj(np.fft.rfft2(a)) * np.fft.rfft2(b)
    total: Floats = np.fft.irfft2(spectrum, s=a.shape[1:])
    return total.reshape(len(total), -1).T


def q_values(p: Floats) -> Floats:
    """Return the p-values adjusted by Benjamini and Hochberg (1995); NaN stays NaN and is not counted."""
    result = np.full(p.shape, np.nan)
    known = ~np.isnan(p)
    if known.any():
        result[known] = false_discovery_control(p[known])
    return result


def median_counting_constants(pcc: Floats, measured_varies: NDArray[np.bool_]) -> float:
    """Return the median PCC over the genes that vary in the measurement; a constant prediction scores 0."""
    scores = np.where(np.isnan(pcc), 0.0, pcc)[measured_varies]
    return median_pcc(scores)
