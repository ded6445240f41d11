"""The lattice behind measured spots: where every array position lies, and the µm per pixel that follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SpotsError
from napari_tcgn.options import HEXAGONAL
from napari_tcgn.spots.table import Spots

ENOUGH_SPOTS = 20  # to tell a chessboard from chance
MAX_RESIDUAL = 0.35  # steps; printed legacy arrays are up to 0.3 step off their lattice


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
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


def fit_lattice(spots: Spots, max_residual: float = MAX_RESIDUAL) -> Lattice:
    """Fit a lattice to spots by least squares: px = origin + column * col_step + row * row_step.

    Parameters
    ----------
    spots : Spots
    max_residual : float
        How far (root mean square) they may lie off it, in steps.

    Raises
    ------
    SpotsError
        If the spots are fewer than three, lie in one row or column, or follow no lattice.
    """
    design = np.column_stack([np.ones(len(spots)), spots.array_col, spots.array_row])
    if len(spots) < 3 or np.linalg.matrix_rank(design) < 3:
        raise SpotsError(
            f"{len(spots)} spots in one row or column do not tell the lattice of their array.",
            "Give spots from at least two rows and two columns.",
        )
    pixels = np.column_stack([spots.x, spots.y])
    steps, *_ = np.linalg.lstsq(design, pixels, rcond=None)
    residual = math.sqrt(float(((design @ steps - pixels) ** 2).sum(axis=1).mean()))
    lattice = Lattice(steps[0], steps[1], steps[2], residual)
    if residual > max_residual * min(np.hypot(*steps[1]), np.hypot(*steps[2])):
        raise SpotsError(
            f"The spots lie {residual:.0f} px off any regular lattice of their array positions.",
            "Check that array rows and columns are not swapped or numbered anew.",
        )
    return lattice


def is_chessboard(array_row: NDArray[np.int64], array_col: NDArray[np.int64]) -> bool:
    """Tell whether spots stand on the fields of one colour only of a chessboard; fewer than 20 do not tell."""
    return len(array_row) >= ENOUGH_SPOTS and _one_colour(array_row, array_col) and len(np.unique(array_row % 2)) == 2


def _one_colour(array_row: NDArray[np.int64], array_col: NDArray[np.int64]) -> bool:
    return len(np.unique((array_row + array_col) % 2)) == 1


def spot_distance_px(spots: Spots, max_residual: float = MAX_RESIDUAL) -> float | None:
    """Return the px from a spot to the next one, whatever the rotation.

    It follows from the area of a cell of the lattice, so that an uneven shrinkage of one direction does not matter.

    Parameters
    ----------
    spots : Spots
    max_residual : float
        As in `fit_lattice`.

    Returns
    -------
    float or None
        None where the spots are numbered otherwise than their layout has it, lie in one line, or follow no lattice.
    """
    one_colour = _one_colour(spots.array_row, spots.array_col)
    # Cells per square of the distance.
    share = 1.0
    if spots.layout in HEXAGONAL:
        if not one_colour:
            return None
        share = math.sqrt(3) / 4  # half steps along a row, and rows that are nearer than spots
    elif spots.layout == "custom" and one_colour:
        share = 0.5  # a chessboard: the next spot is across the corner
    try:
        lattice = fit_lattice(spots, max_residual)
    except SpotsError:
        return None
    cell = abs(float(lattice.col_step[0] * lattice.row_step[1] - lattice.col_step[1] * lattice.row_step[0]))
    return math.sqrt(cell / share) if cell > 0 else None


def implied_mpp(spots: Spots) -> float | None:
    """Return the µm per pixel that follows from the px between neighbouring spots of a known pitch.

    Better than scalefactors_json.json, whose spot_diameter_fullres stands for a spot of 65 µm. None where
    `spot_distance_px` is.
    """
    distance = spot_distance_px(spots)
    return None if distance is None else spots.pitch_um / distance
