"""The one way to open an .h5ad, whole or in part: what is missing, damaged, no AnnData or too large is named."""

from __future__ import annotations

import io
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
KEPT_BYTES = 2**26  # of what a full disk refuses: HDF5 reads back tables of contents, not values
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


class _Sink(io.RawIOBase):
    """A file that HDF5 writes into, which never fails: what the disk refuses is kept as `fault`.

    HDF5 comes to no good end once a file cannot be closed: it prints a traceback for each part of it, and may crash at
    the next file that it opens, with all of napari. So it reads back what it has written as if that were on disk.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=0)
        self.fault: OSError | None = None
        self._refused: list[tuple[int, bytes]] = []  # offsets and contents
        self._kept = 0
        self._at = 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        end = max(
            [self._file.seek(0, io.SEEK_END), *(start + len(content) for start, content in self._refused)], default=0
        )
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: end}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        into = memoryview(buffer).cast("B")
        self._file.seek(self._at)
        found = self._file.read(len(into)) or b""
        into[:] = found + bytes(len(into) - len(found))
        for start, content in self._refused:
            first, last = max(start, self._at), min(start + len(content), self._at + len(into))
            if first < last:
                into[first - self._at : last - self._at] = content[first - start : last - start]
        self._at += len(into)
        return len(into)

    def write(self, content: Any) -> int:
        left = memoryview(content).cast("B")
        length, at = len(left), self._at
        try:
            self._file.seek(at)
            while self.fault is None and len(left):
                left = left[self._file.write(left) :]
        except OSError as error:
            self.fault = error
        if len(left) and self._kept < KEPT_BYTES:
            self._refused.append((at + length - len(left), bytes(left)))
            self._kept += len(left)
        self._at = at + length
        return length

    def truncate(self, size: int | None = None) -> int:
        try:
            return self._file.truncate(size)
        except OSError as error:
            self.fault = self.fault or error
            return size or 0

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:  # network folders tell of a full disk here
            self.fault = self.fault or error
        super().close()


@contextmanager
def new_h5(path: Path) -> Iterator[h5py.File]:
    """Give an empty HDF5 file to write into.

    Raises
    ------
    OSError
        If the system refuses: one error with its own number, whatever h5py makes of it.
    """
    import h5py

    sink = _Sink(path)
    try:
        with h5py.File(sink, "w") as file:
            yield file
    except Exception:
        if sink.fault is None:
            raise  # else h5py stumbles over what could not be written
    finally:
        sink.close()
    if sink.fault is not None:
        raise sink.fault


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
