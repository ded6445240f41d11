"""The lattice behind measured spots, fitted: where every array position lies in px of the image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SpotsError

MAX_RESIDUAL = 0.35  # steps; printed legacy arrays are up to 0.3 step off their lattice


@dataclass(frozen=True, slots=True, eq=False)
class LatticeFit:
    """A regular lattice in px of the full-resolution image.

    Attributes
    ----------
    origin : float64 [2]
        (x, y) of array position (0, 0).
    col_step, row_step : float64 [2]
        (x, y) from one array column, or row, to the next.
    residual : float
        Root mean square distance of the spots from it, in px.
    """

    origin: NDArray[np.float64]
    col_step: NDArray[np.float64]
    row_step: NDArray[np.float64]
    residual: float

    def place(
        self, array_row: NDArray[np.int64], array_col: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the centres (x, y: float64 [n], px) of array positions."""
        at = self.origin[:, None] + np.outer(self.col_step, array_col) + np.outer(self.row_step, array_row)
        return at[0], at[1]


def fit_positions(
    array_row: NDArray[np.int64],
    array_col: NDArray[np.int64],
    pixels: NDArray[np.float64],
    max_residual: float = MAX_RESIDUAL,
) -> LatticeFit:
    """Fit a lattice by least squares: px = origin + column * col_step + row * row_step.

    Parameters
    ----------
    array_row, array_col : int64 [n]
    pixels : float64 [n, 2]
    max_residual : float
        How far (root mean square) they may lie off it, in steps.

    Raises
    ------
    SpotsError
        If the spots are fewer than three, lie in one row or column, or follow no lattice.
    """
    n = len(pixels)
    design = np.column_stack([np.ones(n), array_col, array_row])
    if n < 3 or np.linalg.matrix_rank(design) < 3:
        raise SpotsError(
            f"{n} spots in one row or column do not tell the lattice of their array.",
            "Give spots from at least two rows and two columns.",
        )
    steps, *_ = np.linalg.lstsq(design, pixels, rcond=None)
    residual = math.sqrt(float(((design @ steps - pixels) ** 2).sum(axis=1).mean()))
    if residual > max_residual * min(np.hypot(*steps[1]), np.hypot(*steps[2])):
        raise SpotsError(
            f"The spots lie {residual:.0f} px off any regular lattice of their array positions.",
            "Check that array rows and columns are not swapped or numbered anew.",
        )
    return LatticeFit(steps[0], steps[1], steps[2], residual)
