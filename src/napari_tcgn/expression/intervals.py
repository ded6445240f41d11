"""Intervals of the values of a result: kept as a few numbers per gene, made where they are asked for.

Two further tables of spots by genes would triple every file; what they follow from is a row per gene.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import DataError
from napari_tcgn.expression.values import dense
from napari_tcgn.model import LEVEL, PROBABILITIES, GeneIntervals

if TYPE_CHECKING:
    from anndata import AnnData

INTERVALS = "napari_tcgn_intervals"  # of varm: centre, scale, slope, then the quantiles of the residuals
_BEFORE = 3
LOOKED_AT, MOST_OUTSIDE = 50, 0.1  # genes, and share of a gene's spots
BOUNDS = ("low", "high")  # layers, and in the names of columns


def interval_columns(intervals: GeneIntervals) -> NDArray[np.float32]:
    """Return a row of numbers per gene, float32 [genes, 3 + probabilities], as varm keeps them."""
    parts = [intervals.centre[:, None], intervals.scale[:, None], intervals.slope[:, None], intervals.quantiles.T]
    return np.concatenate(parts, axis=1).astype(np.float32)


def intervals_in(adata: AnnData) -> GeneIntervals | None:
    """Return what makes intervals of a result's values; None where it is unknown (an older result, another's model).

    Raises
    ------
    DataError
        If what stands there is not that.
    """
    if INTERVALS not in adata.varm:
        return None
    table = np.asarray(adata.varm[INTERVALS])
    if table.shape != (adata.n_vars, _BEFORE + len(PROBABILITIES)) or table.dtype.kind != "f":
        raise DataError(
            f"varm[{INTERVALS!r}] has shape {table.shape} of type {table.dtype}; wanted: numbers of the shape "
            f"({adata.n_vars}, {_BEFORE + len(PROBABILITIES)}).",
            "Predict again, or remove it: intervals are then unknown.",
        )
    table = table.astype(np.float32)
    return GeneIntervals(table[:, 0], table[:, 1], table[:, 2], table[:, _BEFORE:].T)


def gene_interval(
    adata: AnnData, gene: str, values: NDArray[np.floating], level: float = LEVEL
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Return the bounds of a gene's values [n], float32 [n] each; None where they are unknown."""
    intervals = intervals_in(adata)
    if intervals is None or gene not in adata.var_names:
        return None
    one = intervals.select([int(adata.var_names.get_loc(gene))])
    low, high = one.bounds(np.asarray(values, np.float32)[:, None], level)
    return None if np.isnan(low).all() else (low[:, 0], high[:, 0])


def with_intervals(adata: AnnData, level: float = LEVEL) -> AnnData:
    """Return a result with the bounds of every value as layers "low" and "high" (float32 [spots, genes]).

    Parameters
    ----------
    adata : anndata.AnnData
        From `predict` or `read_prediction`; choose genes first where it has thousands, for each layer is as large as X.
    level : float
        Share of measurements that are to lie inside, from 0.2 to 0.98. Beyond K / (K + 1) of K held-out sections
        nothing is guaranteed; the card says what was measured.

    Raises
    ------
    DataError
        If the model does not know intervals.
    SettingsError
        If the level is none.
    """
    intervals = _required(adata)
    found = adata.copy()
    for name, bounds in zip(BOUNDS, intervals.bounds(dense(found.X), level), strict=True):
        found.layers[name] = bounds
    return found


def bounds_by_gene(
    adata: AnnData, genes: Sequence[str], level: float
) -> Callable[[NDArray[np.floating]], dict[str, NDArray[np.float32]]]:
    """Return what makes "low" and "high" (float32 [n, genes]) of blocks of values; nothing where the level is 0.

    Raises
    ------
    DataError, SettingsError
        As `with_intervals`.
    """
    if not level:
        return lambda values: {}
    some = _required(adata).select(adata.var_names.get_indexer(list(genes)).tolist())
    return lambda values: dict(zip(BOUNDS, some.bounds(values, level), strict=True))


def _required(adata: AnnData) -> GeneIntervals:
    intervals = intervals_in(adata)
    require_unchanged(adata)
    if intervals is None:
        raise DataError(
            "This result has no intervals: its model does not know how far it is off.",
            "Predict with a model that does (`napari-tcgn models info` says so).",
        )
    return intervals


def require_unchanged(adata: AnnData) -> None:
    """Refuse a result whose values were normalised or scaled since they were predicted.

    scanpy notes a logarithm; of what nobody notes the intervals tell, for a prediction lies inside its own one.

    Raises
    ------
    DataError
    """
    changed, intervals = "log1p" in adata.uns, intervals_in(adata)
    if not changed and intervals is not None:
        some = np.unique(np.linspace(0, adata.n_vars - 1, LOOKED_AT).astype(int))
        values = np.asarray(dense(adata.X[:, some]), np.float32)
        low, high = intervals.select(some.tolist()).bounds(values)
        outside = (values < np.minimum(low, 0)) | (values > high)
        known = np.isfinite(low + high + values)
        shares = [float(out[here].mean()) for out, here in zip(outside.T, known.T, strict=True) if here.any()]
        changed = bool(shares) and float(np.median(shares)) > MOST_OUTSIDE
    if changed:
        raise DataError(
            "These values are no longer those that the model predicted: they were normalised or scaled since.",
            "Give the result as it was predicted; what you do with it afterwards belongs into a copy.",
        )
