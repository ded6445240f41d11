"""How far apart neighbouring spots lie on the image, and the µm per pixel that follows from it."""

from __future__ import annotations

import math

import numpy as np

from napari_tcgn.errors import SpotsError
from napari_tcgn.options import HEXAGONAL
from napari_tcgn.spots.fit import MAX_RESIDUAL, LatticeFit, fit_positions
from napari_tcgn.spots.lattice import ARRAY_STEP, ArrayKind, on_one_colour
from napari_tcgn.spots.table import Spots


def fit_lattice(spots: Spots, max_residual: float = MAX_RESIDUAL) -> LatticeFit:
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
    return fit_positions(spots.array_row, spots.array_col, np.column_stack([spots.x, spots.y]), max_residual)


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
    one_colour = on_one_colour(spots.array_row, spots.array_col)
    kind: ArrayKind = "square"
    if spots.layout in HEXAGONAL:
        if not one_colour:
            return None
        kind = "hexagonal"
    elif spots.layout == "custom" and one_colour:
        kind = "chessboard"
    try:
        lattice = fit_lattice(spots, max_residual)
    except SpotsError:
        return None
    cell = abs(float(lattice.col_step[0] * lattice.row_step[1] - lattice.col_step[1] * lattice.row_step[0]))
    # The same cell in squares of the pitch.
    share = math.prod(ARRAY_STEP[kind])
    return math.sqrt(cell / share) if cell > 0 else None


def implied_mpp(spots: Spots) -> float | None:
    """Return the µm per pixel that follows from the px between neighbouring spots of a known pitch.

    Better than scalefactors_json.json, whose spot_diameter_fullres stands for a spot of 65 µm. None where
    `spot_distance_px` is.
    """
    distance = spot_distance_px(spots)
    return None if distance is None else spots.pitch_um / distance
