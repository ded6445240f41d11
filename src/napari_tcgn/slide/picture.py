"""Small pictures of a whole slide, without holding the whole slide in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_tcgn.errors import SettingsError
from napari_tcgn.slide.base import Slide

_STRIP_PIXELS = 16 * 2**20  # read at a time

Picture = tuple[NDArray[np.uint8], float]


def thumbnail(slide: Slide, max_side: int = 1000) -> Picture:
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
    return thumbnails(slide, [max_side])[0]


def thumbnails(slide: Slide, max_sides: Sequence[int]) -> list[Picture]:
    """Shrink a slide to several sizes at once; each level of it is read at most once.

    Parameters
    ----------
    slide : Slide
    max_sides : sequence of int
        As for `thumbnail`, which gives the same pictures one by one.

    Returns
    -------
    list of (picture, scale)
        In the order of `max_sides`.
    """
    plans = [_Plan(slide, max_side) for max_side in max_sides]
    reduced: dict[tuple[int, int], NDArray[np.uint8]] = {}
    for level in {plan.level for plan in plans}:
        factors = sorted({plan.factor for plan in plans if plan.level == level})
        for factor, picture in zip(factors, _box_reduce(slide, level, factors), strict=True):
            reduced[level, factor] = picture
    return [(plan.finish(reduced[plan.level, plan.factor]), plan.scale) for plan in plans]


class _Plan:
    """From which level a picture of a slide is made, and by which whole factor that is reduced first."""

    def __init__(self, slide: Slide, max_side: int) -> None:
        if max_side < 1:
            raise SettingsError(f"max_side must be at least 1, found {max_side}.", "Give a positive number of px.")
        full_width, full_height = slide.level_dimensions[0]
        self.scale = min(1.0, max_side / max(full_width, full_height))
        self.target = (max(1, round(full_width * self.scale)), max(1, round(full_height * self.scale)))
        # The coarsest level that still has at least the asked-for size.
        wide_enough = (i for i, (width, _) in enumerate(slide.level_dimensions) if i == 0 or width >= self.target[0])
        self.level = max(wide_enough)
        self.size = slide.level_dimensions[self.level]
        self.factor = max(1, min(self.size[0] // self.target[0], self.size[1] // self.target[1]))

    def finish(self, reduced: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Bring the reduced level to the size that was asked for."""
        if reduced.shape[:2] == (self.target[1], self.target[0]):
            return reduced
        # `box` leaves out the part of the last blocks that lies beyond the image.
        box = (0, 0, self.size[0] / self.factor, self.size[1] / self.factor)
        return np.array(Image.fromarray(reduced).resize(self.target, Image.Resampling.LANCZOS, box=box))


def _box_reduce(slide: Slide, level: int, factors: Sequence[int]) -> list[NDArray[np.uint8]]:
    """Average blocks of `factor` x `factor` px of one level, for every factor; the last blocks may be smaller.

    The level is read once, in strips. What does not fill a block of some factor waits for the next strip.
    """
    width, height = slide.level_dimensions[level]
    rows = max(1, _STRIP_PIXELS // width)
    parts: list[list[NDArray[np.uint8]]] = [[] for _ in factors]
    waiting = [np.empty((0, width, 3), np.uint8) for _ in factors]
    for y in range(0, height, rows):
        strip = slide.read_region(0, y, width, min(rows, height - y), level)
        last = y + rows >= height
        for i, factor in enumerate(factors):
            together = np.concatenate([waiting[i], strip]) if len(waiting[i]) else strip
            whole = len(together) if last else len(together) // factor * factor
            if whole:
                parts[i].append(_reduce(together[:whole], factor))
            waiting[i] = together[whole:].copy()
    return [np.concatenate(part) for part in parts]


def _reduce(strip: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    return strip if factor == 1 else np.array(Image.fromarray(strip).reduce(factor))
