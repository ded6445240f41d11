"""The one way to open an .h5ad, whole or in part: what is missing, damaged, no AnnData or too large is named."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_tcgn.errors import DataError, TcgnError
from napari_tcgn.files import reading, require_regular

if TYPE_CHECKING:
    import h5py
    from anndata import AnnData

MAX_DEPTH = 32  # groups within groups: those of uns are a handful
MAX_BYTES = 4 * 2**30  # of the matrices in memory, where a whole file is read for the dock or an export


@contextmanager
def open_h5ad(path: str | Path, error: type[TcgnError] = DataError) -> Iterator[h5py.File]:
    """Open an .h5ad to read parts of it; nothing is loaded.

    Parameters
    ----------
    path : str or pathlib.Path
    error : type of TcgnError
        What is raised: spots and counts have errors of their own.

    Yields
    ------
    h5py.File
        Closed afterwards. Errors of h5py and anndata that are raised while it is open come out as `error` too.

    Raises
    ------
    TcgnError
        Of the given type, if the file is missing, is no HDF5, holds no AnnData, or is damaged.
    """
    import h5py

    path = Path(path)
    with reading(path.name, error):
        require_regular(path)
    if not path.is_file():
        raise error(f"There is no file {path}.", "Check its name and folder.")
    if not h5py.is_hdf5(path):
        raise error(f"{path.name} is not an .h5ad file: it is no HDF5.", "Give a file that anndata has written.")
    with reading(path.name, error, kind=".h5ad"), h5py.File(path, "r") as file:
        missing = [name for name in ("obs", "var") if name not in file]
        if missing:
            raise error(f"{path.name} is no AnnData: it has no {' and '.join(missing)}.", "Give an AnnData's .h5ad.")
        _require_own(file, path.name, error)
        yield file


def _require_own(file: h5py.File, name: str, error: type[TcgnError]) -> None:
    """Refuse a file whose parts lie in other files, or in one another: a file speaks for itself only.

    Links are looked at and not followed, so that neither another file is opened nor a ring is walked for ever.
    """
    import h5py

    def refuse(entry: str, what: str) -> TcgnError:
        return error(f"{name}: {entry} {what}.", "Write the AnnData as one file of its own (adata.write_h5ad).")

    seen: set[Any] = set()
    waiting: list[tuple[str, h5py.Group, int]] = [("", file, 0)]
    while waiting:
        entry, group, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise refuse(entry, f"lies more than {MAX_DEPTH} groups deep")
        for key in group:
            inner, link = f"{entry}/{key}".lstrip("/"), group.get(key, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise refuse(inner, f"lies in another file ({link.filename})")
            if isinstance(link, h5py.SoftLink):
                raise refuse(inner, f"is a link to {link.path}")
            node = group[key]
            if isinstance(node, h5py.Group):
                if node.id in seen or node == file:
                    raise refuse(inner, "is the same group as another entry, or holds itself")
                seen.add(node.id)
                waiting.append((inner, node, depth + 1))
            elif isinstance(node, h5py.Dataset) and (node.is_virtual or node.external):
                raise refuse(inner, "has its values in other files")


def read_h5ad(path: str | Path, error: type[TcgnError] = DataError, max_bytes: int | None = None) -> AnnData:
    """Read a whole .h5ad.

    Parameters
    ----------
    path : str or pathlib.Path
    error : type of TcgnError
    max_bytes : int, optional
        Refuse a file whose matrices would take more memory.

    Raises
    ------
    TcgnError
        As `open_h5ad` does, or if it is too large.
    """
    import anndata

    path = Path(path)
    with open_h5ad(path, error) as file:
        held = sum(_bytes(file[name]) for name in ("X", "layers", "raw", "obsp", "varp") if name in file)
        if max_bytes is not None and held > max_bytes:
            raise error(
                f"The matrices of {path.name} would take {held / 2**30:.1f} GiB of memory, more than "
                f"{max_bytes >> 30}.",
                "Write a file with fewer genes or spots, without layers and raw.",
            )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".* names are not unique")  # our readers number or sum them
            warnings.filterwarnings("ignore", message=".*written without encoding metadata")  # of an old anndata
            adata = anndata.read_h5ad(path)
        _check_sparse(adata)
        return adata


def _check_sparse(adata: AnnData) -> None:
    """Raise ValueError where a sparse matrix points outside itself: scipy would read foreign memory, or crash."""
    from scipy import sparse

    beside = (adata.layers, adata.obsm, adata.varm, adata.obsp, adata.varp)
    tables = [table for part in beside for table in part.values()]
    for matrix in (adata.X, *tables, None if adata.raw is None else adata.raw.X):
        if sparse.issparse(matrix):
            matrix.check_format(full_check=True)


def _bytes(node: Any) -> int:
    if hasattr(node, "nbytes"):
        return int(node.nbytes)
    return sum(_bytes(child) for child in node.values()) if hasattr(node, "values") else 0
