"""Reading an .h5ad that this package, squidpy or anyone else has written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_tcgn.errors import DataError
from napari_tcgn.h5ad import MAX_BYTES, read_h5ad

if TYPE_CHECKING:
    from anndata import AnnData


def read_section(path: str | Path) -> tuple[AnnData, list[str]]:
    """Read an .h5ad; repeated names of genes or spots are numbered.

    Parameters
    ----------
    path : str or pathlib.Path

    Returns
    -------
    adata : anndata.AnnData
        X is as in the file, dense or sparse; a sparse one is by column (CSC), so that a gene is quick to take.
    notes : list of str
        What was changed, one sentence each.

    Raises
    ------
    DataError
        If the file is missing, is no AnnData, has no matrix, or its matrices would take more than 4 GiB of memory.
    """
    from scipy import sparse

    path = Path(path)
    adata = read_h5ad(path, max_bytes=MAX_BYTES)
    if adata.X is None:
        raise DataError(f"{path.name} holds no values: X is empty.", "Put the values into X.")
    notes = []
    for what, names, number in (
        ("gene", adata.var_names, adata.var_names_make_unique),
        ("spot", adata.obs_names, adata.obs_names_make_unique),
    ):
        repeated = names[names.duplicated()]
        if len(repeated):
            number()
            notes.append(
                f"{len(repeated)} {what} names of {path.name} are repeated and were numbered ({repeated[0]}-1)."
            )
    if sparse.issparse(adata.X) and adata.X.format != "csc":
        adata.X = adata.X.tocsc()
    return adata, notes
