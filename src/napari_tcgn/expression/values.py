"""Values of a table, whether it is dense, sparse or lazy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from anndata import AnnData


def column(adata: AnnData, gene: str) -> NDArray[np.float64]:
    """Return the values of a gene at all spots (float64 [spots])."""
    return block(adata, slice(None), [gene])[:, 0].astype(np.float64)


def block(adata: AnnData, rows: slice, genes: Sequence[str]) -> NDArray[np.float32]:
    """Return a dense block of the matrix (float32 [rows, genes]), from a dense or a sparse one."""
    indices = adata.var_names.get_indexer(list(genes))
    return dense(adata.X[rows][:, indices]).astype(np.float32, copy=False)


def dense(values: Any) -> NDArray[Any]:
    """Return a table as an array, whether it is one, a sparse matrix or lazy."""
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values)
