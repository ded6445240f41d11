"""The work folder of a run: predicted values on disk as they come, so that a killed run can go on.

A zarr group: `values` (float32 [spots, genes]), `done` (bool [spots]) and `domain_p` (float32 [spots]), all in the
order in which the engine reads the slide, so that what comes together lies together; its attributes say which run it
belongs to.
"""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.engine.disk_rows import DiskRows
from napari_tcgn.engine.identity import require_same
from napari_tcgn.engine.lock import lock_folder
from napari_tcgn.errors import OutputError
from napari_tcgn.files import entries_of, mapping_of, number, plain, read_json, reading, remove_leftovers
from napari_tcgn.memory import in_bytes
from napari_tcgn.moves import remove_folder
from napari_tcgn.paths import is_of_system

if TYPE_CHECKING:
    from filelock import BaseFileLock

CHUNK_ROWS = 256  # about; a multiple of the batch size
DONE_ROWS = 65536  # of one chunk of the mask
FLUSH_SECONDS = 1.0  # so much work at most is lost to kill -9
SUFFIX = ".partial.zarr"
MOST_SPOTS = 10**9
DESCRIBED_BYTES = 16 * 2**20  # of a zarr.json

_KEPT = "Free some space, then give the same command with --resume: what is predicted so far is kept."


def work_folder_of(out: Path) -> Path:
    """Return the work folder beside a result file."""
    return out.with_name(out.name + SUFFIX)


class WorkFolder:
    """A run's partial result on disk; use as a context manager around the run and the writing of its result.

    Parameters
    ----------
    path : pathlib.Path
        Beside the result (see `work_folder_of`).
    resume : bool
        Go on with what an interrupted run has left there; without it, such a folder is refused.

    Attributes
    ----------
    batch_size : int or None
        Of the interrupted run; batches of the same size give the same bits.

    Raises
    ------
    OutputError
        On entering, if the folder exists and may not be used, is none, or another process is using it.
    """

    def __init__(self, path: Path, resume: bool = False) -> None:
        self.path, self.resume = Path(path), resume
        self.batch_size: int | None = None
        self._lock: BaseFileLock | None = None
        self._group: Any = None
        self._done = np.zeros(0, bool)  # in reading order
        self._domain_p = np.zeros(0, np.float32)  # likewise
        self._failed = False

    def __enter__(self) -> WorkFolder:
        remove_leftovers(self.path.parent, of=self.path)
        try:
            self.path.mkdir(parents=False, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path} cannot be made: {error}.", "Choose another folder for --out.") from error
        self._lock = lock_folder(self.path / "lock", f"{self.path.name.removesuffix(SUFFIX)}")
        try:
            self._look()
        except BaseException:
            self._lock.release()
            raise
        return self

    def _look(self) -> None:
        """Open what is there already, if it holds anything."""
        import zarr

        path = self.path
        if not (path / "zarr.json").exists():
            strange = [
                f.name
                for f in path.iterdir()
                if not (f.name == "lock" or f.suffix == ".partial" or is_of_system(f.name))
            ]
            if strange:  # it would be removed at the end
                raise OutputError(f"{path} is no work folder of a run: it holds {strange[0]}.", "Move it away.")
            return  # killed before its first spot
        hint = "Move it away, or delete it to begin again."
        for part in ("", "done", "values", "domain_p"):
            described = path / part / "zarr.json"
            if described.exists():
                read_json(described, str(described), OutputError, hint, mapping_of(plain), DESCRIBED_BYTES)
        with reading(f"{path}", OutputError, hint, "the work folder of a run"):
            self._group = zarr.open_group(path, mode="r+")
            if (wrong := _fault_of(self._group)) is not None:
                raise OutputError(f"{path} is no work folder of a run: {wrong}.", hint)
            self._done = np.array(self._group["done"][:])
            kept = self._group["domain_p"][:] if "domain_p" in self._group else np.full(len(self._done), np.nan)
            self._domain_p = np.array(kept, np.float32)
            self.batch_size = int(self._group.attrs["batch_size"])
        if not self.resume:
            raise OutputError(
                f"{path} holds {self._done.sum()} of {len(self._done)} spots of an interrupted run.",
                "Add --resume to go on with it, or delete the folder to begin again.",
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.release()
        if self._group is None or not self._done.any():  # nothing to keep
            self.remove()

    def begin(
        self, identity: dict[str, Any], order: NDArray[np.intp], genes: int, batch_size: int
    ) -> tuple[DiskRows, NDArray[np.bool_]]:
        """Make the arrays, or open those of the interrupted run.

        Parameters
        ----------
        identity : dict
            Of the run (see `run_identity`).
        order : int [spots]
            Spots in the order in which they will be predicted.
        genes, batch_size : int

        Returns
        -------
        rows : DiskRows [spots, genes]
        done : bool [spots]

        Raises
        ------
        OutputError
            If the folder belongs to another run, or the disk has no room for the result.
        """
        position = np.empty(len(order), np.intp)
        position[order] = np.arange(len(order))
        self._position = position
        if self._group is not None:
            require_same(dict(self._group.attrs["identity"]), identity, self.path)
            if self._group["values"].shape != (len(order), genes):
                found, wanted = self._group["values"].shape, (len(order), genes)
                raise OutputError(f"{self.path} holds values of {found} spots and genes, not {wanted}.", "Delete it.")
            self._rows = DiskRows(self._group["values"], position)
            self._forget_damaged()
        else:
            _require_room(self.path, 2 * 4 * len(order) * genes)  # here, and in the result
            self._done, self._domain_p = np.zeros(len(order), bool), np.full(len(order), np.nan, np.float32)
            self._rows = DiskRows(self._create(identity, len(order), genes, batch_size), position)
        self._last_flush = time.monotonic()
        return self._rows, self._done[position]

    def _create(self, identity: dict[str, Any], spots: int, genes: int, batch_size: int) -> Any:
        import zarr

        rows = batch_size * max(1, CHUNK_ROWS // batch_size)
        try:
            # Its own store, because opening a group for writing would empty the folder, lock and all.
            group = zarr.create_group(zarr.storage.LocalStore(self.path))
            more: dict[str, Any] = {"compressors": None}
            for name, kind in (("done", bool), ("domain_p", "float32")):
                group.create_array(name, shape=(spots,), dtype=kind, chunks=(min(spots, DONE_ROWS),), **more)
            values = group.create_array(
                "values", shape=(spots, genes), dtype="float32", chunks=(min(spots, rows), genes), fill_value=np.nan,
                **more,
            )  # fmt: skip
            group.attrs.update({"identity": identity, "batch_size": batch_size})
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written: {error}.", "Choose another folder for --out.") from error
        self._group, self.batch_size = group, batch_size
        return values

    def _forget_damaged(self) -> None:
        """Count only those rows as done that are readable and filled."""
        done = self._done
        values = self._group["values"]
        rows = int(values.chunks[0])
        for start in range(0, len(done), rows):
            part = slice(start, start + rows)
            if done[part].any():
                try:
                    done[part] &= np.isfinite(values[part, 0])
                except (OSError, ValueError):  # a file that a crash of the machine has cut short
                    done[part] = False
                    values[part] = np.nan

    def domain_p(self) -> NDArray[np.float32]:
        """Return the p-values of the spots' patches that are known, float32 [spots]; NaN for the others."""
        return np.where(self._done, self._domain_p, np.float32(np.nan))[self._position]

    def add(
        self, spots: NDArray[np.intp], values: NDArray[np.float32], domain_p: NDArray[np.float32] | None = None
    ) -> None:
        """Keep the values (float32 [B, genes]) of finished spots, and p-values [B]; on disk after a second at most.

        Raises
        ------
        OutputError
            If the disk is full or gone; what was written before stays.
        """
        try:
            self._rows[spots] = values
        except OSError as error:
            raise self._full(error) from error
        self._done[self._position[spots]] = True
        if domain_p is not None:
            self._domain_p[self._position[spots]] = domain_p
        if time.monotonic() - self._last_flush >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is in hand: values first, then the mask that vouches for them."""
        if self._failed:
            return
        try:
            self._rows.flush()
            if "domain_p" in self._group:  # a folder of an older version has none
                self._group["domain_p"][:] = self._domain_p
            self._group["done"][:] = self._done
        except OSError as error:
            raise self._full(error) from error
        self._last_flush = time.monotonic()

    def _full(self, error: OSError) -> OutputError:
        self._failed = True
        return OutputError(f"{self.path} cannot be written: {error}.", _KEPT)

    def remove(self) -> None:
        """Delete the folder: its result is written, or it holds none."""
        if self._lock is not None:
            self._lock.release()
        with suppress(OSError):  # a part of it is open in another program: it stays, and can be resumed
            remove_folder(self.path)


ATTRIBUTES = {"batch_size": number(1, 10**6, whole=True), "identity": mapping_of(plain)}


def _fault_of(group: Any) -> str | None:
    """Say what is wrong with the arrays of a work folder: the parts of a run are as long as one another."""
    import zarr

    attributes = dict(group.attrs)
    missing = [name for name in ATTRIBUTES if name not in attributes]
    if missing:
        return f"it lacks {', '.join(missing)}"
    if (wrong := entries_of(ATTRIBUTES)(attributes)) is not None:
        return wrong
    for name, kind, dimensions in (("values", "float32", 2), ("done", "bool", 1), ("domain_p", "float32", 1)):
        if name not in group and name == "domain_p":  # a folder of an older version has none
            continue
        array = group.get(name)
        if not isinstance(array, zarr.Array) or array.dtype != kind or array.ndim != dimensions:
            return f"{name} is no array of {kind} of {dimensions} dimensions"
        if array.shape[0] != group["values"].shape[0]:
            return f"{name} is of {array.shape[0]} spots, and values are of {group['values'].shape[0]}"
    return None if group["values"].shape[0] <= MOST_SPOTS else f"it is of {group['values'].shape[0]:,} spots"


def _require_room(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path).free
    if free < needed:
        raise OutputError(
            f"The result and its work folder take {in_bytes(needed)}, but the disk of {path.parent} has "
            f"{in_bytes(free)} free.",
            "Free some space, choose another disk for --out, predict fewer genes (--genes trusted), or lay fewer "
            "spots.",
        )
