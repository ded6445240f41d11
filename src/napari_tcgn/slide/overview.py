"""A small picture of a whole slide, without holding the whole slide in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_tcgn.errors import SettingsError
from napari_tcgn.slide.base import Slide

_STRIP_PIXELS = 16 * 2**20  # read at a time


def thumbnail(slide: Slide, max_side: int = 1000) -> tuple[NDArray[np.uint8], float]:
    """Shrink a slide; every source pixel counts (no aliasing).

    Parameters
    ----------
    slide : Slide
    max_side : int
        Longer side of the result in px; a smaller slide is not enlarged.

    Returns
    -------
    picture : uint8 [h, w, 3]
    scale : float
        Thumbnail px per full-resolution px: (x, y) of the slide lies at (x * scale, y * scale).

    Raises
    ------
    SettingsError
        If `max_side` is not positive.
    SlideError
        If the slide cannot be read.
    """
    if max_side < 1:
        raise SettingsError(f"max_side must be at least 1, found {max_side}.", "Give a positive number of px.")
    full_width, full_height = slide.level_dimensions[0]
    scale = min(1.0, max_side / max(full_width, full_height))
    target = (max(1, round(full_width * scale)), max(1, round(full_height * scale)))
    # The coarsest level that still has at least the asked-for size.
    level = max(i for i, (width, _) in enumerate(slide.level_dimensions) if i == 0 or width >= target[0])
    width, height = slide.level_dimensions[level]
    factor = max(1, min(width // target[0], height // target[1]))
    reduced = _box_reduce(slide, level, factor)
    if reduced.shape[:2] == (target[1], target[0]):
        return reduced, scale
    # `box` leaves out the part of the last blocks that lies beyond the image.
    image = Image.fromarray(reduced).resize(
        target, Image.Resampling.LANCZOS, box=(0, 0, width / factor, height / factor)
    )
    return np.array(image), scale


def _box_reduce(slide: Slide, level: int, factor: int) -> NDArray[np.uint8]:
    """Average blocks of `factor` x `factor` px of one level, read in strips; the last blocks may be smaller."""
    width, height = slide.level_dimensions[level]
    rows = max(1, _STRIP_PIXELS // width // factor) * factor
    strips = []
    for y in range(0, height, rows):
        strip = slide.read_region(0, y, width, min(rows, height - y), level)
        strips.append(strip if factor == 1 else np.array(Image.fromarray(strip).reduce(factor)))
    return np.concatenate(strips)
