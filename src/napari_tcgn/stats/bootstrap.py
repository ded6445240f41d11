"""Figures of all genes in samples of whole blocks of spots: confidence intervals that respect neighbourhood."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
TINY = 1e-12  # share of a gene's variance below which a sample counts as constant


class BlockBootstrap:
    """Draws blocks of spots with replacement (Künsch 1989; Lahiri 2003).

    The same draws serve every figure and every method, so that differences between two of them are paired.

    Parameters
    ----------
    block_of : int array [n]
        Number of every spot's block, from 0 (`Lattice.blocks`). Blocks instead of spots, because neighbouring spots are
        not independent.
    draws : int
    seed : int
    """

    def __init__(self, block_of: NDArray[np.intp], draws: int, seed: int = 0) -> None:
        self.block_of = block_of
        self.blocks = int(block_of.max()) + 1
        self.draws = draws
        chances = np.full(self.blocks, 1 / self.blocks)
        self.times: Floats = (
            np.random.default_rng(seed).multinomial(self.blocks, chances, size=draws).astype(np.float64)
        )
        self.count: Floats = self.times @ np.bincount(block_of, minlength=self.blocks)  # spots in a sample, [draws]
        self._order = np.argsort(block_of, kind="stable")
        self._starts = np.searchsorted(block_of[self._order], np.arange(self.blocks))

    def mean(self, values: Floats) -> Floats:
        """Return the mean over the spots [n, genes] of every sample: [draws, genes]."""
        # Sums of blocks first: a sample is a sum of so many of them, however many spots there are.
        sums = np.add.reduceat(values[self._order], self._starts, axis=0)
        means: Floats = self.times @ sums / self.count[:, None]
        return means

    def pcc(self, predicted: ArrayLike, measured: ArrayLike) -> Floats:
        """Return the PCC of every gene in every sample, [draws, genes]; NaN where a gene is constant in a sample."""
        return self.figures(predicted, measured)["pcc"]

    def figures(self, predicted: ArrayLike, measured: ArrayLike) -> dict[str, Floats]:
        """Return pcc, rmse, r2 and variance_ratio of every gene in every sample, each [draws, genes].

        NaN where a figure is undefined in a sample.
        """
        x, y = np.asarray(predicted, dtype=np.float64), np.asarray(measured, dtype=np.float64)
        error = self.mean((x - y) ** 2)
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)  # sums of squares of large values lose digits
        mean_x, mean_y = self.mean(x), self.mean(y)
        var_x, var_y = self.mean(x**2) - mean_x**2, self.mean(y**2) - mean_y**2
        flat_x, flat_y = var_x <= TINY * np.var(x, axis=0), var_y <= TINY * np.var(y, axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            pcc = (self.mean(x * y) - mean_x * mean_y) / np.sqrt(var_x * var_y)
            r2, ratio = 1 - error / var_y, var_x / var_y
        pcc[flat_x | flat_y] = np.nan
        r2[flat_y], ratio[flat_y] = np.nan, np.nan
        return {"pcc": np.clip(pcc, -1.0, 1.0), "rmse": np.sqrt(error), "r2": r2, "variance_ratio": ratio}
