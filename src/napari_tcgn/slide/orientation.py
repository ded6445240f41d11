"""A slide as it is to be looked at, where its file says that the stored pixels are turned or mirrored.

Scanners and cameras may store rows and columns in any of eight orders and say which in a tag (EXIF and TIFF tag 274).
Viewers turn the picture, so spot tables and drawn regions refer to the turned one: every reader of files does the same.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.slide.base import Slide, stated_mpp
from napari_tcgn.slide.padding import check_level

TAG = 274
UPRIGHT = 1
# Value of the tag -> what makes the stored rows and columns upright: rows reversed, columns reversed, both exchanged
# (in this order; TIFF 6.0, page 36).
_STEPS = {
    1: (False, False, False),
    2: (False, True, False),
    3: (True, True, False),
    4: (True, False, False),
    5: (False, False, True),
    6: (True, False, True),
    7: (True, True, True),
    8: (False, True, True),
}
IN_WORDS = {
    1: "upright",
    2: "mirrored left to right",
    3: "turned by 180°",
    4: "mirrored top to bottom",
    5: "rows and columns exchanged",
    6: "turned by 90° clockwise",
    7: "rows and columns exchanged, turned by 180°",
    8: "turned by 90° counterclockwise",
}


def known(value: object) -> int:
    """Return the value of an orientation tag; what is none of the eight says nothing and counts as upright."""
    return value if isinstance(value, int) and value in _STEPS else UPRIGHT


def turned(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return stored pixels, uint8 [h, w, c], as they are to be looked at."""
    rows, columns, exchanged = _STEPS[orientation]
    upright = pixels[:: -1 if rows else 1, :: -1 if columns else 1]
    return upright.swapaxes(0, 1) if exchanged else upright


def turned_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return (width, height) of the upright picture from that of the stored one."""
    return (size[1], size[0]) if _STEPS[orientation][2] else size


class TurnedSlide:
    """A slide whose stored pixels are not upright, seen upright.

    Parameters
    ----------
    slide : Slide
        With the pixels as they are stored; closed with this one.
    orientation : int
        Value of its orientation tag, 2 to 8.
    """

    def __init__(self, slide: Slide, orientation: int) -> None:
        self._slide, self.orientation = slide, orientation
        self.path: Path | None = slide.path
        self.name = slide.name
        self.mpp, self.mpp_source = slide.mpp, slide.mpp_source
        self.mpp_hint = str(getattr(slide, "mpp_hint", ""))
        self.stated = stated_mpp(slide)
        self.level_dimensions: tuple[tuple[int, int], ...] = tuple(
            turned_size(size, orientation) for size in slide.level_dimensions
        )

    def read_region(self, x: int, y: int, width: int, height: int, level: int = 0) -> NDArray[np.uint8]:
        """Read a rectangle of one level; see `Slide.read_region`."""
        check_level(level, self.level_dimensions)
        rows, columns, exchanged = _STEPS[self.orientation]
        if exchanged:
            x, y, width, height = y, x, height, width
        stored_width, stored_height = self._slide.level_dimensions[level]
        if columns:
            x = stored_width - x - width
        if rows:
            y = stored_height - y - height
        return np.ascontiguousarray(turned(self._slide.read_region(x, y, width, height, level), self.orientation))

    def close(self) -> None:
        """Close the slide behind it."""
        self._slide.close()


def stored_orientation(slide: Slide) -> str | None:
    """Return in words how the pixels of a slide's file lie, None where they are upright."""
    orientation = getattr(slide, "orientation", UPRIGHT)
    return None if orientation == UPRIGHT else f"{IN_WORDS[orientation]} for viewing (orientation tag {orientation})"
