"""Reading an .h5ad that this package, squidpy or anyone else has written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_tcgn.errors import DataError

if TYPE_CHECKING:
    from anndata import AnnData

MAX_BYTES = 4 * 2**30  # of the matrices in memory


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
    import anndata
    from scipy import sparse

    path = Path(path)
    _check(path)
    try:
        adata = anndata.read_h5ad(path)
    except Exception as error:  # h5py and anndata raise many kinds for a damaged file
        raise DataError(f"{path.name} cannot be read as AnnData: {error}.", "Write it again with anndata.") from error
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


def _check(path: Path) -> None:
    """Refuse what is no AnnData or too large, from the file's table of contents."""
    import h5py

    if not path.is_file():
        raise DataError(f"There is no file {path}.", "Check its name and folder.")
    if not h5py.is_hdf5(path):
        raise DataError(f"{path.name} is not an .h5ad file: it is no HDF5.", "Give a file that anndata has written.")
    try:
        with h5py.File(path, "r") as file:
            missing = [name for name in ("obs", "var") if name not in file]
            held = sum(_bytes(file[name]) for name in ("X", "layers", "raw", "obsp", "varp") if name in file)
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error}.", "Copy or download it again.") from error
    if missing:
        raise DataError(f"{path.name} is no AnnData: it has no {' and '.join(missing)}.", "Give an AnnData's .h5ad.")
    if held > MAX_BYTES:
        raise DataError(
            f"The matrices of {path.name} would take {held / 2**30:.1f} GiB of memory, more than {MAX_BYTES >> 30}.",
            "Write a file with fewer genes or spots, without layers and raw.",
        )


def _bytes(node: Any) -> int:
    if hasattr(node, "nbytes"):
        return int(node.nbytes)
    return sum(_bytes(child) for child in node.values()) if hasattr(node, "values") else 0
