"""Variability and Moran's I of every gene of a result, computed in the background and kept."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.ui.layers.store import Result
from napari_tcgn.ui.tasks.background import Background, BackgroundTask, Failure

Floats = NDArray[np.float64]
VALUES_AT_ONCE, GENES_AT_LEAST = 4_000_000, 40


class Statistics:
    """Computes the figures of one result at a time."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._known: weakref.WeakKeyDictionary[Result, tuple[int, Floats, Floats]] = weakref.WeakKeyDictionary()
        self._task: BackgroundTask[int, tuple[Floats, Floats]] | None = None
        self._result: Result | None = None

    def known(self, result: Result) -> tuple[Floats, Floats] | None:
        """Return sd and Moran's I of every gene, None if they have not been computed for as many spots."""
        found = self._known.get(result)
        return found[1:] if found is not None and found[0] == int(result.done.sum()) else None

    def compute(self, result: Result, done: Callable[[Result], object], failed: Callable[[Failure], object]) -> None:
        """Compute the figures of a result; whatever else was being computed is left."""
        if self._result is result:
            return
        if self._task is not None:
            self._task.cancel()
        count = int(result.done.sum())
        self._result = result

        def take(found: tuple[Floats, Floats]) -> None:
            self._task = self._result = None
            self._known[result] = (count, *found)
            done(result)

        def fail(failure: Failure) -> None:
            self._task = self._result = None
            failed(failure)

        rows = result.done.copy()
        self._task = self._background.walk(lambda: _steps(result, rows), take, fail)


def _steps(result: Result, rows: NDArray[np.bool_]) -> Generator[int, None, tuple[Floats, Floats]]:
    """Compute sd and Moran's I of some genes at a time, so that the work can be left between two steps."""
    from napari_tcgn.stats import morans_i, variability

    weights = result.spots.select(rows).lattice.neighbour_weights()
    genes = len(result.genes)
    sd, moran = np.full(genes, np.nan), np.full(genes, np.nan)
    at_once = max(GENES_AT_LEAST, VALUES_AT_ONCE // max(1, len(rows)))
    for start in range(0, genes, at_once):
        block = result.block(slice(start, start + at_once))
        block = block if rows.all() else block[rows]
        sd[start : start + at_once] = variability(block)
        moran[start : start + at_once] = morans_i(block, weights)
        yield start
    return sd, moran
