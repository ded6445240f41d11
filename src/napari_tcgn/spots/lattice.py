"""The lattice behind measured spots: where every array position lies, and the µm per pixel that follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SpotsError
from napari_tcgn.settings import HEXAGONAL
from napari_tcgn.spots.table import Spots

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


def fit_lattice(spots: Spots) -> Lattice:
    """Fit a lattice to spots by least squares: px = origin + column * col_step + row * row_step.

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
    if residual > MAX_RESIDUAL * min(np.hypot(*steps[1]), np.hypot(*steps[2])):
        raise SpotsError(
            f"The spots lie {residual:.0f} px off any regular lattice of their array positions.",
            "Check that array rows and columns are not swapped or numbered anew.",
        )
    return lattice


def implied_mpp(spots: Spots) -> float | None:
    """Return the µm per pixel that follows from the px between neighbouring spots of a known pitch.

    The area of a cell of the lattice is what is compared, so that neither a rotation nor an uneven shrinkage of one
    direction matters. Better than scalefactors_json.json, whose spot_diameter_fullres stands for a spot of 65 µm.

    Returns
    -------
    float or None
        None where the spots follow no lattice, or are numbered like a chessboard (ST arrays of 2,000 spots) although
        their layout is square: their pitch is another one.
    """
    chessboard = bool(((spots.array_row + spots.array_col) % 2 == 0).all())
    if chessboard != (spots.layout in HEXAGONAL):
        return None
    try:
        lattice = fit_lattice(spots)
    except SpotsError:
        return None
    cell_px = abs(float(lattice.col_step[0] * lattice.row_step[1] - lattice.col_step[1] * lattice.row_step[0]))
    cell_um = spots.pitch_um**2 * (math.sqrt(3) / 4 if spots.layout in HEXAGONAL else 1.0)
    return math.sqrt(cell_um / cell_px) if cell_px > 0 else None
