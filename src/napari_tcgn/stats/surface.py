"""A smooth surface through the values of spots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_tcgn.errors import DataError
from napari_tcgn.spots import pitch_of

STEPS_PER_PITCH = 8
MOST_STEPS = 2048  # of the longer side
# The surface ends so many pitches from the nearest spot: the corner of a square of four spots is 0.71 away.
REACH = 0.75


@dataclass(frozen=True)
class Surface:
    """Values on a square lattice over the slide.

    Attributes
    ----------
    values : float32 [rows, columns]
        NaN away from the spots.
    x0, y0 : float
        Position of the middle of the first cell, in the unit of the spots' positions.
    step : float
        Side of a cell, in the same unit.
    """

    values: NDArray[np.float32]
    x0: float
    y0: float
    step: float


def smooth_surface(x: ArrayLike, y: ArrayLike, values: ArrayLike, bandwidth: float = 0.5) -> Surface:
    """Smooth the values of spots with a Gaussian kernel (Nadaraya 1964; Watson 1964).

    Every cell is the mean of the spots around it, weighted by a Gaussian of their distance. Nothing is drawn farther
    than 0.75 pitches from the nearest spot with a value: the surface does not cross gaps in the tissue.

    Parameters
    ----------
    x, y : array [n]
        Positions in any one unit.
    values : array [n]
        NaN where a spot has no value.
    bandwidth : float
        Standard deviation of the Gaussian in pitches (median distances to the nearest spot). At 0.5 a spot of a square
        array makes up 62 % of the surface at its own place; at 1, 16 %.

    Raises
    ------
    DataError
        If fewer than two spots have values, or the bandwidth is not positive.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    if not bandwidth > 0:
        raise DataError(f"The bandwidth is {bandwidth}.", "Give a positive number of pitches.")
    x, y, values = (np.asarray(v, dtype=np.float64) for v in (x, y, values))
    pitch = pitch_of(x, y)  # of all spots: those without a value are gaps, not a wider array
    known = np.isfinite(values)
    if known.sum() < 2 or not pitch > 0:
        raise DataError(
            f"{int(known.sum())} spots have values and a place of their own.", "A surface needs at least two of them."
        )
    x, y, values = x[known], y[known], values[known]
    margin = pitch
    longest = max(np.ptp(x), np.ptp(y)) + 2 * margin
    step = max(pitch / STEPS_PER_PITCH, longest / MOST_STEPS)
    x0, y0 = float(x.min() - margin), float(y.min() - margin)
    shape = (int(np.ceil((np.ptp(y) + 2 * margin) / step)) + 1, int(np.ceil((np.ptp(x) + 2 * margin) / step)) + 1)
    column, row = (x - x0) / step, (y - y0) / step
    middle = float(values.mean())  # taken out and put back, so that rounding is small against the differences
    weight = _laid_on_cells(row, column, np.ones(len(x)), shape)
    above = _laid_on_cells(row, column, values - middle, shape)
    sigma = bandwidth * pitch / step
    weight, above = (gaussian_filter(cells, sigma, mode="constant", truncate=5.0) for cells in (weight, above))
    empty = np.ones(shape, dtype=bool)
    empty[np.rint(row).astype(int), np.rint(column).astype(int)] = False
    near = distance_transform_edt(empty) * step <= REACH * pitch
    near &= weight > 0
    surface = np.full(shape, np.nan, dtype=np.float32)
    surface[near] = middle + above[near] / weight[near]
    return Surface(surface, x0, y0, float(step))


def _laid_on_cells(
    row: NDArray[np.float64], column: NDArray[np.float64], amount: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Share every spot's amount among the four cells around its place, nearer ones getting more."""
    cells = np.zeros(shape)
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    down, right = row - top, column - left
    for i, share_i in ((0, 1 - down), (1, down)):
        for j, share_j in ((0, 1 - right), (1, right)):
            inside = (np.minimum(top + i, shape[0] - 1), np.minimum(left + j, shape[1] - 1))
            np.add.at(cells, inside, amount * share_i * share_j)
    return cells
