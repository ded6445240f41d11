"""A slide that is already an array: a napari layer, or pixels made by a script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SlideError
from napari_tcgn.slide.mpp import UNKNOWN, checked_mpp
from napari_tcgn.slide.padding import check_level, not_rgb, read_on_white, require_opacity, without_alpha

_ROWS = 512  # read at a time to look for opacity


class ArraySlide:
    """A slide over an array or a list of arrays (NumPy, dask, zarr …).

    Parameters
    ----------
    levels : array or sequence of arrays, uint8 [height, width, 3 or 4]
        RGB or RGBA, finest level first. Only what is read is computed.
    name : str
    mpp : float or None
        µm per pixel of level 0.

    Raises
    ------
    SlideError
        If a level is not RGB(A) of 8 bits, or the levels are not ordered from fine to coarse.
    SettingsError
        If `mpp` is not a positive number.
    """

    path: Path | None = None

    def __init__(self, levels: Any, name: str = "slide", mpp: float | None = None) -> None:
        self.name = name
        self.mpp = checked_mpp(mpp)
        self.mpp_source = UNKNOWN if mpp is None else "given"
        # napari's MultiScaleData and plain lists are sequences; arrays of every library are not.
        self._levels = tuple(levels) if isinstance(levels, Sequence) else (levels,)
        if not self._levels:
            raise SlideError(f"{name} has no level at all.", "Give at least one RGB array.")
        for level in self._levels:
            shape, dtype = tuple(getattr(level, "shape", ())), getattr(level, "dtype", None)
            if len(shape) != 3 or shape[2] not in (3, 4) or dtype != np.uint8 or 0 in shape:
                raise not_rgb(name, f"an array of shape {shape} and type {dtype}", _mend(shape, dtype))
        self._opaque_somewhere = self._levels[-1].shape[2] == 3  # not known yet of one with opacity
        self.level_dimensions = tuple((int(level.shape[1]), int(level.shape[0])) for level in self._levels)
        widths = [width for width, _ in self.level_dimensions]
        if widths != sorted(widths, reverse=True):
            raise SlideError(f"The levels of {name} have widths {widths}.", "Put the finest level first.")

    def read_region(self, x: int, y: int, width: int, height: int, level: int = 0) -> NDArray[np.uint8]:
        """Read a rectangle of one level; see `Slide.read_region`.

        Raises
        ------
        SlideError
            If the opacity is zero everywhere, as the coarsest level shows.
        """
        size = check_level(level, self.level_dimensions)
        return read_on_white(
            lambda x0, y0, x1, y1: self._read_inside(level, x0, y0, x1, y1), (x, y, width, height), size
        )

    def close(self) -> None:
        """Do nothing: the array belongs to whoever made it."""

    def _read_inside(self, level: int, x0: int, y0: int, x1: int, y1: int) -> NDArray[np.uint8]:
        pixels: NDArray[np.uint8] = np.asarray(self._levels[level][y0:y1, x0:x1])
        if pixels.shape[-1] == 4 and not self._opaque_somewhere and not pixels[..., 3].any():
            # Only now: an array may be computed, and is so only where it is read.
            coarsest = self._levels[-1]
            require_opacity(self.name, lambda top, end: np.asarray(coarsest[top:end, :, 3]), coarsest.shape[0], _ROWS)
            self._opaque_somewhere = True
        return without_alpha(pixels)


def _mend(shape: tuple[int, ...], dtype: Any) -> str:
    """Say how to make RGB of 8 bits of an array; "" where it is no colour image in another form."""
    if len(shape) == 3 and shape[0] in (3, 4) and shape[2] not in (3, 4):
        return "Put the colours last: np.moveaxis(array, 0, -1)."
    if len(shape) != 3 or shape[2] not in (3, 4) or 0 in shape:
        return ""
    if np.issubdtype(dtype, np.floating):
        return "If its values run from 0 to 1, give (255 * array).round().astype(np.uint8)."
    return "Bring its values to the range 0 to 255 and its type to uint8; nothing is guessed of what they mean."
