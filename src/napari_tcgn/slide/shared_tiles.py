"""A slide one level of which is read in tiles that are kept for a while, for patches that overlap."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_tcgn.errors import SlideError
from napari_tcgn.slide.base import Slide
from napari_tcgn.slide.padding import check_level, read_on_white

TILE = 512  # px
KEPT_BYTES = 96 * 2**20  # a band of spots whose patches are 700 px wide needs a third of it

Tile = NDArray[np.uint8]


class SharedTiles:
    """Another slide's level, shrunk by a whole number: every tile of it is read, coloured and shrunk once.

    Level 0 is that of the slide, for its size only; level 1 is the one that can be read.

    Parameters
    ----------
    slide : Slide
        Stays the caller's to close.
    level : int
        Of that slide, that is read.
    shrink : int
        Px of it along a side of one px here, which is their mean. Tiles lie on a fixed grid, so that a pixel is the
        same in whichever region it is read.
    """

    def __init__(self, slide: Slide, level: int, shrink: int = 1) -> None:
        self._slide, self._level, self._shrink = slide, level, shrink
        self.name = slide.name
        self.path: Path | None = slide.path
        self.mpp: float | None = slide.mpp
        self.mpp_source = slide.mpp_source
        width, height = check_level(level, slide.level_dimensions)
        shrunk = (-(-width // shrink), -(-height // shrink))
        self.level_dimensions: tuple[tuple[int, int], ...] = (slide.level_dimensions[0], shrunk)
        self._tiles: OrderedDict[tuple[int, int], Future[Tile]] = OrderedDict()
        self._lock = Lock()
        self._kept = max(1, KEPT_BYTES // (3 * TILE**2))

    def read_region(self, x: int, y: int, width: int, height: int, level: int = 1) -> NDArray[np.uint8]:
        """Read a rectangle of level 1; see `Slide.read_region`."""
        if level != 1:
            raise SlideError(f"Level {level} was asked for; only level 1 is shared.", "Read it from the slide itself.")
        return read_on_white(self._assemble, (x, y, width, height), self.level_dimensions[1])

    def _assemble(self, x0: int, y0: int, x1: int, y1: int) -> NDArray[np.uint8]:
        region = np.empty((y1 - y0, x1 - x0, 3), dtype=np.uint8)
        for row in range(y0 // TILE, -(-y1 // TILE)):
            for column in range(x0 // TILE, -(-x1 // TILE)):
                top, left = row * TILE, column * TILE
                a, b = max(y0, top), min(y1, top + TILE)
                c, d = max(x0, left), min(x1, left + TILE)
                tile = self._tile(column, row)
                region[a - y0 : b - y0, c - x0 : d - x0] = tile[a - top : b - top, c - left : d - left]
        return region

    def _tile(self, column: int, row: int) -> Tile:
        """Return a tile; threads that want the same one wait for the first of them to read it."""
        with self._lock:
            found = self._tiles.get((column, row))
            if found is not None:
                self._tiles.move_to_end((column, row))
            else:
                mine = self._tiles[column, row] = Future()
                while len(self._tiles) > self._kept:
                    self._tiles.popitem(last=False)
        if found is not None:
            return found.result()
        try:
            mine.set_result(self._read(column, row))
        except BaseException as error:
            with self._lock:  # the next one tries again
                self._tiles.pop((column, row), None)
            mine.set_exception(error)
            raise
        return mine.result()

    def _read(self, column: int, row: int) -> Tile:
        side = TILE * self._shrink
        pixels = self._slide.read_region(column * side, row * side, side, side, self._level)
        if self._shrink == 1:
            return pixels
        return np.asarray(Image.fromarray(pixels).reduce(self._shrink))

    def close(self) -> None:
        """Do nothing but forget the tiles: the slide belongs to whoever opened it."""
        with self._lock:
            self._tiles.clear()
