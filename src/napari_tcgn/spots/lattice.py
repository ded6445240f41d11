"""How the spots of a section stand to each other: neighbours, windows and blocks, whatever their arrangement.

The one home of array geometry: statistics, comparison and training ask here who is near whom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_tcgn.errors import SpotsError
from napari_tcgn.options import HEXAGONAL
from napari_tcgn.spots.fit import fit_positions

Floats = NDArray[np.float64]
ArrayKind = Literal["square", "hexagonal", "chessboard"]
LatticeKind = Literal["square", "hexagonal", "chessboard", "irregular"]

# Layouts whose rows and columns are one pitch apart; the bins of Visium HD adjoin each other on such an array.
SQUARE = ("st", "square", "visium-hd")
# From one array column, and one array row, to the next, in pitches. A pitch is from a spot to its nearest one:
# on a hexagonal array (Visium) that is two columns to the right, on a chessboard (later ST) across the corner.
ARRAY_STEP: dict[ArrayKind, tuple[float, float]] = {
    "square": (1.0, 1.0),
    "hexagonal": (0.5, math.sqrt(3) / 2),
    "chessboard": (math.sqrt(0.5), math.sqrt(0.5)),
}
ENOUGH_SPOTS = 20  # to tell a chessboard from chance
# A chessboard's rows and columns are equally far apart on the image; those of an array whose layout nobody names may
# be hexagonal, which the numbers alone do not tell: there the one step is 0.58 of the other.
UNEVEN = 0.25
# In pitches, with room for spots that were not printed quite where they should be.
SIDES = 1.25  # the four sides of a square array, not its diagonals (1.41); the six of a hexagonal one
AROUND = 1.5  # the eight around a spot of a square array; the six of a hexagonal one, not the next ring (1.73)
WINDOW = 2.1  # two pitches
BLOCK = 4  # spots nearer than this look and express alike


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """Spots in pitches of their array.

    Attributes
    ----------
    kind : {"square", "hexagonal", "chessboard", "irregular"}
        The bins of Visium HD are "square". "irregular": no array, or one that the positions do not follow.
    xy : float64 [n, 2]
        In pitches; x to the right, y down.
    row, col : int64 [n]
        Array positions, as they stand; no two alike, unless "irregular".
    """

    kind: LatticeKind
    xy: Floats
    row: NDArray[np.int64]
    col: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.xy)

    @property
    def regular(self) -> bool:
        """Whether the spots can be shifted against each other by whole steps of an array."""
        return self.kind != "irregular"

    def select(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Lattice:
        """Return the lattice of some spots, picked by a boolean mask or by indices."""
        return replace(self, xy=self.xy[keep], row=self.row[keep], col=self.col[keep])

    def neighbour_weights(self) -> Any:
        """Return who is whose neighbour for Moran's I: four on a square array, six on a hexagonal one.

        Returns
        -------
        scipy.sparse.csr_array [n, n]
            As of the function `neighbour_weights`.
        """
        x, y = self.xy.T
        return neighbour_weights(x, y, 1.0)

    def pairs_around(self) -> NDArray[np.intp]:
        """Return every two spots that lie around each other, once: intp [pairs, 2].

        Eight around a spot of a square array, corners included (Moran's I counts only the four sides), six on a
        hexagonal one; elsewhere all within one and a half pitches.
        """
        return pairs_within(self.xy, AROUND)

    def window(self) -> Any:
        """Return who lies in whose window, itself included, scipy.sparse.csr_matrix float64 [n, n] of 0 and 1.

        Five by five steps on a square array; elsewhere all spots within two pitches.
        """
        from scipy.sparse import coo_matrix, csr_matrix, identity

        n = len(self)
        rows, cols = _both_ways(pairs_within(self.xy, WINDOW, np.inf if self.kind == "square" else 2))
        near = coo_matrix((np.ones(len(rows)), (rows, cols)), shape=(n, n)).tocsr()
        return csr_matrix(near + identity(n, format="csr"))

    def blocks(self, side: int = BLOCK) -> NDArray[np.intp]:
        """Number the blocks of the section: squares of so many pitches, by default four; intp [n], from 0.

        The same for every use: the block bootstrap of a comparison and of a cross-validation, and the spots that are
        set aside in training (with smaller sides for small sections).
        """
        corner = np.floor(self.xy[:, ::-1] / side + 1e-9).astype(np.int64)
        return np.unique(corner, axis=0, return_inverse=True)[1].reshape(-1).astype(np.intp)


def make_lattice(
    layout: str,
    array_row: ArrayLike,
    array_col: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    pitch_px: float | None = None,
) -> Lattice:
    """Return how spots stand to each other; `Spots.lattice` is the way for spots.

    Parameters
    ----------
    layout : str
        As of `Spots`. One that is none of the named ones is a chessboard if the array positions and the places of the
        spots say so, else irregular; spots that share an array position are irregular in any layout.
    array_row, array_col : int array [n]
    x, y : array [n]
        Centres in px.
    pitch_px : float, optional
        Of spots that follow no array; by default the median distance to the nearest one.
    """
    row, col = (np.asarray(v, dtype=np.int64) for v in (array_row, array_col))
    pixels = np.column_stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)])
    kind = _kind(layout, row, col, pixels)
    if kind is not None and len(np.unique(np.stack([row, col]), axis=1).T) == len(row):
        col_step, row_step = ARRAY_STEP[kind]
        return Lattice(kind, np.column_stack([col * col_step, row * row_step]), row, col)
    pitch = pitch_of(*pixels.T) if pitch_px is None else pitch_px
    return Lattice("irregular", pixels / pitch if pitch > 0 else pixels, row, col)


def _kind(layout: str, row: NDArray[np.int64], col: NDArray[np.int64], pixels: Floats) -> ArrayKind | None:
    if layout in SQUARE:
        return "square"
    if layout in HEXAGONAL:
        return "hexagonal"
    if not is_chessboard(row, col):
        return None
    try:
        fitted = fit_positions(row, col, pixels)
    except SpotsError:
        return None
    uneven = abs(np.hypot(*fitted.col_step) / np.hypot(*fitted.row_step) - 1)
    return "chessboard" if uneven < UNEVEN else None


def is_chessboard(array_row: NDArray[np.int64], array_col: NDArray[np.int64]) -> bool:
    """Tell whether spots stand on the fields of one colour only of a chessboard; fewer than 20 do not tell."""
    return len(array_row) >= ENOUGH_SPOTS and on_one_colour(array_row, array_col) and len(np.unique(array_row % 2)) == 2


def on_one_colour(array_row: NDArray[np.int64], array_col: NDArray[np.int64]) -> bool:
    """Tell whether the sum of row and column is odd for all spots, or even for all."""
    return len(np.unique((array_row + array_col) % 2)) == 1


def pitch_of(x: ArrayLike, y: ArrayLike) -> float:
    """Return the median distance of spots [n] to their nearest spot, in the unit of the positions; NaN for n < 2."""
    from scipy.spatial import cKDTree

    positions = np.column_stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)])
    if len(positions) < 2:
        return float("nan")
    nearest, _ = cKDTree(positions).query(positions, k=2)
    return float(np.median(nearest[:, 1]))


def pairs_within(positions: Floats, reach: float, norm: float = 2) -> NDArray[np.intp]:
    """Return every two positions [n, 2] that are at most `reach` apart, once: intp [pairs, 2]."""
    from scipy.spatial import cKDTree

    pairs: NDArray[np.intp] = cKDTree(positions).query_pairs(reach, p=norm, output_type="ndarray")
    return pairs


def _both_ways(pairs: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, cols = np.concatenate([pairs, pairs[:, ::-1]]).T
    return rows, cols


def neighbour_weights(x: ArrayLike, y: ArrayLike, pitch: float | None = None) -> Any:
    """Return which spots are neighbours: those within 1.25 pitches of each other.

    Parameters
    ----------
    x, y : array [n]
        Positions in any one unit.
    pitch : float, optional
        In that unit; by default it is taken from the positions (`pitch_of`).

    Returns
    -------
    scipy.sparse.csr_array [n, n]
        Every row sums to 1 (squidpy's `transformation=True`), or to 0 for a spot without neighbours.
    """
    from scipy.sparse import csr_array

    positions = np.column_stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)])
    n, pitch = len(positions), pitch_of(x, y) if pitch is None else pitch
    if not np.isfinite(pitch):
        return csr_array((n, n), dtype=np.float64)
    rows, cols = _both_ways(pairs_within(positions, SIDES * pitch))
    degree = np.bincount(rows, minlength=n)
    return csr_array((1.0 / degree[rows], (rows, cols)), shape=(n, n))
