"""Shifts of a section against itself: a null that keeps the spatial structure of both maps."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from napari_tcgn.engine import Progress, run_to_end
from napari_tcgn.options import CompareSettings, NullKind
from napari_tcgn.spots import Lattice
from napari_tcgn.stats.correlation import pearson_per_gene
from napari_tcgn.stats.statistics import MIN_OVERLAP, shift_count, shift_test

Floats = NDArray[np.float64]
Meeting = tuple[NDArray[np.intp], NDArray[np.intp]]
GENES_AT_ONCE = 128
TRIES = 50  # per wanted shift, before a section counts as too small or too thin for any


def random_shifts(lattice: Lattice, permutations: int, seed: int = 0) -> Iterator[Meeting]:
    """Draw toroidal shifts of a section and yield which spots meet: spot a[k] lies where b[k] was before the shift.

    On an array shifts are whole steps; without one they are any length, and the spot nearest to where a shifted spot
    comes to lie meets it if it is no farther than a pitch (spots that only happen to find none would make the null
    narrower than it is: fewer spots are allowed for as if they covered less tissue). Shifts at which fewer than a
    quarter of the spots meet are drawn again.

    Parameters
    ----------
    lattice : Lattice
    permutations : int
        Fewer are yielded where hardly any shift overlaps enough.
    seed : int
    """
    random = np.random.default_rng(seed)
    meet = _array_shift(lattice, random) if lattice.regular else _free_shift(lattice, random)
    least = max(8, MIN_OVERLAP * len(lattice.xy))
    found = 0
    for _ in range(TRIES * permutations):
        a, b = next(meet)
        if len(a) < least:
            continue
        yield a, b
        found += 1
        if found == permutations:
            return


def _array_shift(lattice: Lattice, random: np.random.Generator) -> Generator[Meeting]:
    row, col = lattice.row - lattice.row.min(), lattice.col - lattice.col.min()
    height, width = int(row.max()) + 1, int(col.max()) + 1
    at = np.full((height, width), -1, dtype=np.intp)
    at[row, col] = np.arange(len(row))
    while True:
        down, right = int(random.integers(height)), int(random.integers(width))
        if down == right == 0:
            yield np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
            continue
        met = at[(row + down) % height, (col + right) % width]
        a = np.flatnonzero(met >= 0)
        yield a, met[a]


def _free_shift(lattice: Lattice, random: np.random.Generator) -> Generator[Meeting]:
    xy = lattice.xy - lattice.xy.min(axis=0)
    span = xy.max(axis=0) + 1
    tree = cKDTree(xy)
    while True:
        shift = random.uniform(0, span)
        distance, met = tree.query((xy + shift) % span, distance_upper_bound=1.0)
        a = np.flatnonzero(np.isfinite(distance) & (met != np.arange(len(xy))))
        yield a, met[a].astype(np.intp)


def random_shift_test(
    predicted: ArrayLike, measured: ArrayLike, lattice: Lattice, permutations: int = 1000, seed: int = 0
) -> Generator[int, None, tuple[Floats, int]]:
    """Test every gene's PCC against random toroidal shifts; `shift_test` for spots without an array.

    Parameters
    ----------
    predicted, measured : array [n, genes]
    lattice : Lattice
    permutations, seed : int

    Yields
    ------
    int
        Shifts done, now and then: a place to stop.

    Returns
    -------
    p : float64 [genes]
        One-sided, for a positive correlation: (1 + shifts at least as good) / (1 + shifts). NaN for a gene without a
        PCC, and for all genes where no shift overlaps enough.
    shifts : int
    """
    x, y = (np.asarray(v, dtype=np.float64) for v in (predicted, measured))
    observed = pearson_per_gene(x, y)
    known = np.flatnonzero(~np.isnan(observed))
    x, y = ((v[:, known] - v[:, known].mean(axis=0)) / v[:, known].std(axis=0) for v in (x, y))
    # Single precision: the products of all spots and genes are most of the work.
    x, y = np.ascontiguousarray(x, dtype=np.float32), np.ascontiguousarray(y, dtype=np.float32)
    limit = np.arctanh(np.clip(observed[known], -0.999999, 0.999999))
    better = np.zeros(len(known), dtype=np.int64)
    shifts = 0
    for a, b in random_shifts(lattice, permutations, seed):
        part_x, part_y, count = x[a], y[b], len(a)
        mean_x, mean_y = part_x.mean(axis=0), part_y.mean(axis=0)
        var_x = np.einsum("ij,ij->j", part_x, part_x) / count - mean_x**2
        var_y = np.einsum("ij,ij->j", part_y, part_y) / count - mean_y**2
        product = np.einsum("ij,ij->j", part_x, part_y) / count - mean_x * mean_y
        null = product / np.sqrt(np.maximum(var_x * var_y, 1e-12))
        # Fewer spots meet than there are: allowed for by Fisher's transform, as in `shift_test`.
        z = np.arctanh(np.clip(null, -0.999999, 0.999999)) * np.sqrt(count / len(x))
        better += z >= limit - 1e-6
        shifts += 1
        if shifts % 50 == 0:
            yield shifts
    p = np.full(observed.shape, np.nan)
    if shifts:
        p[known] = (1 + better) / (1 + shifts)
    return p, shifts


def shift_p(predicted: ArrayLike, measured: ArrayLike, lattice: Lattice) -> Floats:
    """Return the p-value of every gene's PCC against shifts of the section against itself, float64 [genes].

    Against all of them on an array (`shift_test`), else against 1,000 random ones (`random_shift_test`).
    """
    if lattice.regular:
        return shift_test(predicted, measured, lattice.row, lattice.col)
    return run_to_end(random_shift_test(predicted, measured, lattice))[0]


def null_test(
    x: Floats, y: Floats, lattice: Lattice, settings: CompareSettings, stage: str
) -> Generator[Progress, None, tuple[Floats, NullKind, int]]:
    """Test every gene's PCC against the null that the settings ask for.

    Parameters
    ----------
    x, y : float64 [n, genes]
        Predicted and measured.
    lattice : Lattice
    settings : CompareSettings
        null, permutations, seed.
    stage : str
        Of the progress.

    Returns
    -------
    p : float64 [genes]
    kind : {"all-shifts", "random-shifts"}
    shifts : int
    """
    everything = settings.null == "all-shifts" or (settings.null == "auto" and lattice.regular)
    if not everything:
        steps = random_shift_test(x, y, lattice, settings.permutations, settings.seed)
        yield Progress(stage, 0, settings.permutations)
        try:
            while True:
                yield Progress(stage, next(steps), settings.permutations)
        except StopIteration as end:
            p, shifts = end.value
        return p, "random-shifts", shifts
    p = np.full(x.shape[1], np.nan)
    for start in range(0, x.shape[1], GENES_AT_ONCE):
        yield Progress(stage, start, x.shape[1])
        part = slice(start, start + GENES_AT_ONCE)
        p[part] = shift_test(x[:, part], y[:, part], lattice.row, lattice.col)
    yield Progress(stage, x.shape[1], x.shape[1])
    return p, "all-shifts", shift_count(lattice.row, lattice.col)
