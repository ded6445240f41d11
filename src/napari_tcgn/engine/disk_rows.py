"""Values of spots on disk that are read and written like an array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

READ_ROWS = 1024  # held in memory at a time while the result is written


class DiskRows:
    """Values of spots on disk that are read and written like an array [spots, genes].

    Parameters
    ----------
    values : zarr array float32 [spots, genes]
        In reading order.
    position : int [spots]
        Row of every spot in it.
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(self, values: Any, position: NDArray[np.intp]) -> None:
        self.shape: tuple[int, int] = values.shape
        self._values, self._position = values, position
        self._rows = int(values.chunks[0])
        self._chunk = -1  # number of the chunk in hand
        self._buffer = np.empty((0, self.shape[1]), np.float32)
        self._changed = False

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        """Read: `rows[spots]` or `rows[spots, genes]`, each an index, slice, mask or array of indices."""
        spots, genes = key if isinstance(key, tuple) else (key, slice(None))
        self.flush()
        position = self._position[spots]
        if position.ndim == 0:
            one: NDArray[np.float32] = self._values[int(position)][genes]
            return one
        # Sorted, zarr reads every chunk once.
        order = np.argsort(position, kind="stable")
        found = np.empty((len(position), self.shape[1]), np.float32)
        if len(position):
            found[order] = self._values.oindex[position[order], slice(None)]
        return found[:, genes]

    def __setitem__(self, spots: NDArray[np.intp], values: NDArray[np.float32]) -> None:
        """Write rows; they reach the disk with `flush`, or when another chunk is begun."""
        position = self._position[spots]
        for chunk in np.unique(position // self._rows):
            inside = position // self._rows == chunk
            if chunk != self._chunk:
                self.flush()
                self._chunk = int(chunk)
                start = self._chunk * self._rows
                self._buffer = np.asarray(self._values[start : start + self._rows])
            self._buffer[position[inside] - self._chunk * self._rows] = values[inside]
            self._changed = True

    def flush(self) -> None:
        """Write the chunk in hand; the old one is replaced whole or not at all."""
        if self._changed:
            start = self._chunk * self._rows
            self._values[start : start + len(self._buffer)] = self._buffer
            self._changed = False

    def as_dask(self, spots: NDArray[np.intp]) -> Any:
        """Return the rows of `spots` (int [n]) as a dask array, read some thousand rows at a time."""
        import dask.array as da

        shape = (len(spots), self.shape[1])
        chunks = (min(READ_ROWS, shape[0]), shape[1])
        return da.from_array(_Selected(self, spots), chunks=chunks, name=False, lock=True)  # type: ignore[no-untyped-call]


class _Selected:
    """Some rows of `DiskRows`, sliced as dask slices."""

    def __init__(self, rows: DiskRows, spots: NDArray[np.intp]) -> None:
        self._rows, self._spots = rows, spots
        self.shape, self.dtype, self.ndim = (len(spots), rows.shape[1]), rows.dtype, 2

    def __getitem__(self, key: tuple[slice, slice]) -> NDArray[np.float32]:
        return self._rows[self._spots[key[0]]][:, key[1]]
