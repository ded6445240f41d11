"""The array that spots stand on: windows and blocks, for square, hexagonal and irregular arrangements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix, identity
from scipy.spatial import cKDTree

from napari_tcgn.options import HEXAGONAL
from napari_tcgn.stats.statistics import BLOCK_STEPS

if TYPE_CHECKING:
    from anndata import AnnData

Floats = NDArray[np.float64]
Kind = Literal["square", "hexagonal", "irregular"]
SQUARE = ("st", "square", "visium-hd")


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """Spots in steps of their array.

    Attributes
    ----------
    kind : {"square", "hexagonal", "irregular"}
    xy : float64 [n, 2]
        In pitches; x to the right, y down.
    row, col : int64 [n]
        Array positions, as they stand ("hexagonal": columns count half pitches, as Visium's do).
    """

    kind: Kind
    xy: Floats
    row: NDArray[np.int64]
    col: NDArray[np.int64]

    def window(self) -> csr_matrix:
        """Return who lies in whose window, itself included, float64 [n, n] of 0 and 1.

        Five by five steps on a square array; elsewhere all spots within two pitches.
        """
        norm = np.inf if self.kind == "square" else 2
        pairs = cKDTree(self.xy).query_pairs(2.1, p=norm, output_type="ndarray")
        return csr_matrix(_symmetric(pairs, len(self.xy)) + identity(len(self.xy), format="csr"))

    def blocks(self) -> NDArray[np.intp]:
        """Number the blocks of the spatial bootstrap: squares of four pitches; intp [n]."""
        corner = np.floor(self.xy[:, ::-1] / BLOCK_STEPS + 1e-9).astype(np.int64)
        return np.unique(corner, axis=0, return_inverse=True)[1].reshape(-1).astype(np.intp)


def lattice_of(adata: AnnData, layout: str, pitch_px: float) -> Lattice:
    """Return the lattice of the spots of a prediction.

    Parameters
    ----------
    adata : anndata.AnnData
        With array_row and array_col in obs, and obsm["spatial"] in px.
    layout : str
        "st", "square", "visium-hd", "visium", "hex"; anything else, or spots that share an array position: irregular.
    pitch_px : float
    """
    row, col = (adata.obs[name].to_numpy(dtype=np.int64) for name in ("array_row", "array_col"))
    unique = len(np.unique(np.stack([row, col]), axis=1).T) == len(row)
    if unique and layout in SQUARE:
        return Lattice("square", np.column_stack([col, row]).astype(np.float64), row, col)
    if unique and layout in HEXAGONAL:
        return Lattice("hexagonal", np.column_stack([col / 2, row * np.sqrt(3) / 2]), row, col)
    return Lattice("irregular", np.asarray(adata.obsm["spatial"], dtype=np.float64)[:, :2] / pitch_px, row, col)


def _symmetric(pairs: NDArray[np.intp], n: int) -> csr_matrix:
    rows, cols = np.concatenate([pairs, pairs[:, ::-1]]).T
    return coo_matrix((np.ones(len(rows)), (rows, cols)), shape=(n, n)).tocsr()
