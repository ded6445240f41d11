"""A slide's levels as arrays that napari can show: read when they are looked at."""

from __future__ import annotations

import logging
import math
import threading
import weakref
from collections.abc import Sequence
from types import EllipsisType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_tcgn.errors import TcgnError
from napari_tcgn.slide import ImageSlide, Slide, find_pyramid, keep_pyramid, thumbnail, wants_pyramid

COARSEST_SIDE = 1024  # px; napari reads the coarsest level whole, for its thumbnail and the overview
FACTOR = 4  # between the levels made here

Key = int | slice  # of one axis

log = logging.getLogger(__name__)


class LevelArray:
    """One level of a slide, uint8 [height, width, 3], read when it is sliced.

    Parameters
    ----------
    slide : Slide
        Kept as an attribute, so that a layer leads back to its file.
    level : int
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, slide: Slide, level: int) -> None:
        self.slide, self._level = slide, level
        width, height = slide.level_dimensions[level]
        self.shape = (height, width, 3)

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Key | EllipsisType | tuple[Key | EllipsisType, ...]) -> NDArray[np.uint8]:
        rows, columns, channels = _of_all_axes(key if isinstance(key, tuple) else (key,))
        (top, bottom), (left, right) = _span(rows, self.shape[0]), _span(columns, self.shape[1])
        if bottom <= top or right <= left:
            block = np.empty((max(0, bottom - top), max(0, right - left), 3), np.uint8)
        else:
            block = self.slide.read_region(left, top, right - left, bottom - top, self._level)
        # What remains of each key (a step, an integer, a backward slice) is NumPy's work on the block read.
        part: NDArray[np.uint8] = block[
            _inside(rows, top, self.shape[0]), _inside(columns, left, self.shape[1]), channels
        ]
        return part

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype)


LevelLike = LevelArray | NDArray[np.uint8]  # a level as napari takes it


def _of_all_axes(key: tuple[Key | EllipsisType, ...]) -> tuple[Key, Key, Key]:
    """Spell out what NumPy lets one leave away: an ellipsis, and the last axes."""
    given: list[Key] = []
    for part in key:
        given += [slice(None)] * (4 - len(key)) if isinstance(part, EllipsisType) else [part]
    rows, columns, channels = given + [slice(None)] * (3 - len(given))
    return rows, columns, channels


def _span(key: Key, length: int) -> tuple[int, int]:
    """First and one past the last index that a slice or integer touches."""
    if isinstance(key, slice):
        touched = range(length)[key]
        return (min(touched[0], touched[-1]), max(touched[0], touched[-1]) + 1) if len(touched) else (0, 0)
    index = range(length)[int(key)]
    return index, index + 1


def _inside(key: Key, start: int, length: int) -> Key:
    """Translate a slice or integer of the level into one of the block that starts at `start`."""
    if not isinstance(key, slice):
        return range(length)[int(key)] - start
    touched = range(length)[key]
    if not len(touched):
        return slice(0, 0)
    stop = touched[-1] - start + (1 if touched.step > 0 else -1)
    return slice(touched[0] - start, None if stop < 0 else stop, touched.step)


def levels_for_napari(slide: Slide) -> list[LevelLike]:
    """Return the slide's levels, finest first, with coarse ones added where it lacks them.

    Those of a large image without levels come from the cache on disk; where it has none yet, they are made in memory,
    and the cache is filled in the background for the next time (`slide/pyramid_cache.py`).
    The slide is closed when the levels are no longer in use, by any layer.
    Slow for a slide that must be decoded whole: call it off the main thread.

    Returns
    -------
    list of array-likes, uint8 [height, width, 3]
    """
    levels: list[LevelLike] = [LevelArray(slide, level) for level in range(len(slide.level_dimensions))]
    weakref.finalize(levels[0], slide.close)
    if wants_pyramid(slide):
        kept = find_pyramid(slide)
        if kept is not None:
            return levels + _kept_levels(slide, kept)
    levels += _levels_in_memory(slide)
    if wants_pyramid(slide):
        threading.Thread(target=_fill_cache, args=(slide,), name="napari-tcgn-pyramid", daemon=True).start()
    return levels


def _kept_levels(slide: Slide, kept: Sequence[Slide]) -> list[LevelArray]:
    """Return the coarse levels of a kept pyramid; the finest one serves the slide itself if it is not tiled."""
    coarse = [LevelArray(level, 0) for level in kept[1:]]
    for array in coarse:
        weakref.finalize(array, array.slide.close)
    if isinstance(slide, ImageSlide):
        slide.read_from(kept[0])
    else:
        kept[0].close()
    return coarse


def _levels_in_memory(slide: Slide) -> list[NDArray[np.uint8]]:
    levels: list[NDArray[np.uint8]] = []
    side = max(slide.level_dimensions[-1]) / FACTOR
    while side * FACTOR > COARSEST_SIDE:
        if not levels:
            quick = slide.preview(FACTOR) if isinstance(slide, ImageSlide) else None
            levels.append(quick if quick is not None else thumbnail(slide, round(side))[0])
        else:
            # Every source px of the first made level counts; the further ones may skip.
            levels.append(np.ascontiguousarray(levels[-1][::FACTOR, ::FACTOR]))
        side /= FACTOR
    return levels


def _fill_cache(slide: Slide) -> None:
    try:
        if keep_pyramid(slide) and isinstance(slide, ImageSlide) and (kept := find_pyramid(slide)) is not None:
            for level in kept[1:]:
                level.close()
            slide.read_from(kept[0])
    except TcgnError as error:  # closed or vanished meanwhile: whoever reads it next is told
        log.info("No pyramid of %s is kept: %s", slide.name, error)
