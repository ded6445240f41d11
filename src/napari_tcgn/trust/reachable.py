"""How well a gene could be predicted at all: the noise of counting is in the measurement, and no predictor knows it.

Counts are thinned binomially (Neufeld et al. 2023, arXiv 2301.07276): under Poisson noise, halves of the molecules are
two independent measurements of the same tissue. Their correlation is the reliability of half of the molecules; that of
all of them follows as Spearman (1910) and Brown (1910) have it, and nothing correlates better with a measurement than
the square root of its reliability.

Spearman and Brown take it that twice the molecules double the odds of signal against noise, r / (1 - r). On a
logarithmic scale they do not: a spot of few molecules shows its depth in every gene. So the step from halves to the
whole is not taken for 2 but for what the step from quarters to halves was measured to be, over genes of similar counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from napari_tcgn.errors import DataError
from napari_tcgn.stats import pearson_per_gene, without

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Scale = Callable[[Floats, Floats], Floats]  # counts [n, genes] and the totals of their spots [n], to values

DRAWS = 5
MIN_SPOTS = 3
TOO_NOISY = 0.1  # a ceiling below this is mostly the error of its own estimate
Judgeable = Literal["yes", "too noisy to judge", "unknown"]
TOO_NOISY_WORDS: Judgeable = "too noisy to judge"
VALUES_AT_ONCE = 2_000_000  # of a block of genes that is made dense: some 150 MB are held
# Genes of similar counts from which the step of the odds is measured; with fewer genes it is Spearman's and Brown's.
GENES_PER_STEP, MOST_STEPS, DOUBLED = 50, 8, 2.0
STEPS = (1.0, 4.0)  # beyond these the step is the error of its own estimate


@dataclass(frozen=True, slots=True, eq=False)
class Reachable:
    """The PCC that no predictor of a gene can exceed, plain and with sequencing depth taken out.

    Attributes
    ----------
    plain, depth : float64 [genes]
        From 0 to 1; 0 where the halves do not agree at all; NaN for a gene that does not vary, or with under 3 spots.
    """

    plain: Floats
    depth: Floats


def reachable_pcc(
    counts: ArrayLike | sparse.spmatrix | sparse.sparray,
    scale: Scale,
    depth: ArrayLike,
    totals: ArrayLike | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Reachable:
    """Return the largest PCC that a prediction of every gene can reach.

    Parameters
    ----------
    counts : array or sparse matrix [n, genes]
        Raw counts of a section: whole numbers, of whatever type.
    scale : callable
        Brings counts [n, genes] with the totals of their spots [n] to the scale that is predicted.
    depth : float array [n]
        What is taken out, as in `stats.partial_pcc_per_gene`.
    totals : array [n], optional
        Counts of every spot over all its genes, where the scale goes by those; default: over the genes of `counts`.
    draws : int
        Thinnings that are averaged.
    seed : int

    Returns
    -------
    Reachable

    Raises
    ------
    DataError
        If these are no raw counts, or the totals are smaller than the sums of the counts.

    Notes
    -----
    Where counts scatter more than Poisson between spots of the same tissue (over-dispersion), the halves of a spot
    share the excess, and it passes for signal: the ceiling is then an upper bound (docs/trust.md).
    """
    table = sparse.csc_matrix(counts, dtype=np.float64)
    thinned = _Thinned(table, _rest(table, totals), scale, np.asarray(depth, dtype=np.float64))
    if table.shape[0] < MIN_SPOTS:
        return Reachable(*np.full((2, table.shape[1]), np.nan))
    rng = np.random.default_rng(seed)
    halves, quarters = np.mean([thinned.agreements(rng) for _ in range(draws)], axis=0)  # [plain or depth, genes] each
    varies = (table.max(axis=0) - table.min(axis=0)).toarray().ravel() > 0
    level = np.asarray(table.mean(axis=0)).ravel()
    found = [_ceiling(half, _steps(half, quarter, level)) for half, quarter in zip(halves, quarters, strict=True)]
    return Reachable(*np.where(varies, found, np.nan))


def share_of_ceiling(pcc: ArrayLike, ceiling: ArrayLike) -> Floats:
    """Return the PCC as a share of what can be reached; NaN where that is unknown or too little to judge by."""
    reached, limit = np.asarray(pcc, dtype=np.float64), np.asarray(ceiling, dtype=np.float64)
    judged = limit >= TOO_NOISY
    share: Floats = np.where(judged, reached / np.where(judged, limit, 1.0), np.nan)
    return share


def judgeable(ceiling: ArrayLike) -> list[Judgeable]:
    """Say of every gene whether its ceiling is high enough to judge by: "too noisy to judge" below 0.1."""
    values = np.asarray(ceiling, dtype=np.float64)
    return ["unknown" if np.isnan(v) else TOO_NOISY_WORDS if v < TOO_NOISY else "yes" for v in values]


class _Thinned:
    """Counts that are divided at random, again and again."""

    def __init__(self, table: Any, rest: Whole, scale: Scale, depth: Floats) -> None:
        self._table, self._rest, self._scale, self._depth = table, rest, scale, depth
        self._whole = table.data.astype(np.int64)

    def agreements(self, rng: np.random.Generator) -> Floats:
        """Return the correlation of two halves, and of a quarter out of each: float64 [2, plain or depth, genes]."""
        half, other = rng.binomial(self._whole, 0.5), rng.binomial(self._rest, 0.5)
        halves = [(half, other), (self._whole - half, self._rest - other)]
        quarters = [tuple(rng.binomial(values, 0.5) for values in part) for part in halves]
        return np.stack([self._agreement(halves), self._agreement(quarters)])

    def _agreement(self, parts: Any) -> Floats:
        n, genes = self._table.shape
        tables = [self._like(values) for values, _ in parts]
        totals = [_row_sums(table) + rest for table, (_, rest) in zip(tables, parts, strict=True)]
        found = np.zeros((2, genes))
        at_once = max(1, VALUES_AT_ONCE // n)
        for start in range(0, genes, at_once):
            block = slice(start, start + at_once)
            a, b = (self._scale(t[:, block].toarray(), total) for t, total in zip(tables, totals, strict=True))
            # Where one of them does not vary, they do not agree.
            found[0, block] = np.nan_to_num(pearson_per_gene(a, b))
            found[1, block] = np.nan_to_num(pearson_per_gene(without(a, self._depth), without(b, self._depth)))
        return found

    def _like(self, values: Whole) -> Any:
        table = self._table
        return sparse.csc_matrix((values.astype(np.float64), table.indices, table.indptr), shape=table.shape)


def _row_sums(table: Any) -> Floats:
    sums: Floats = np.asarray(table.sum(axis=1), dtype=np.float64).ravel()
    return sums


def _rest(table: Any, totals: ArrayLike | None) -> Whole:
    """Return the counts of every spot in genes that are not in the table."""
    values = table.data
    if not (np.isfinite(values).all() and (values >= 0).all() and (values == np.floor(values)).all()):
        raise DataError(
            "What can be reached is estimated by dividing molecules, and these counts are no whole numbers from 0 on.",
            "Give raw counts.",
        )
    sums = _row_sums(table)
    rest = np.rint((sums if totals is None else np.asarray(totals, np.float64)) - sums).astype(np.int64)
    if (rest < 0).any():
        raise DataError("Some spots have smaller totals than the sum of their counts.", "Give totals over all genes.")
    return rest


def _odds(r: Floats) -> Floats:
    inside = np.clip(r, -1.0, 1.0 - 1e-9)
    odds: Floats = inside / (1 - inside)
    return odds


def _steps(halves: Floats, quarters: Floats, level: Floats) -> Floats:
    """Return by how much the odds of signal against noise grow from quarters to halves, of genes of similar counts."""
    steps = np.full(len(level), DOUBLED)
    if len(level) < GENES_PER_STEP:
        return steps
    for genes in np.array_split(np.argsort(level, kind="stable"), min(MOST_STEPS, len(level) // GENES_PER_STEP)):
        before, after = (float(_odds(r[genes]).sum()) for r in (quarters, halves))
        if before > 0:
            steps[genes] = np.clip(after / before, *STEPS)
    return steps


def _ceiling(halves: Floats, steps: Floats) -> Floats:
    """Return the root of the reliability of the whole; with a step of 2 it is that of Spearman and Brown."""
    odds = steps * _odds(np.maximum(halves, 0.0))
    ceiling: Floats = np.sqrt(odds / (1 + odds))
    return ceiling
