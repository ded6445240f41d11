"""Slides that were written only in part: what was never written of the finest level, and whether tissue was there.

Scanners leave out glass on purpose, and writers of Zarr leave out chunks of the fill value. So a tile that is absent is
damage only where a coarser level shows something else than what the absent tile is read as.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SlideError
from napari_tcgn.slide.density import optical_density
from napari_tcgn.slide.padding import WHITE

# Optical density by which a tile is darker than glass: the least that `slide.tissue` takes for tissue.
_TISSUE = 0.08
_DARKEST_GLASS = 0.15  # optical density; a slide without any glass would else be measured against its own tissue
_OTHER = 16  # of 255: a colour that differs by more from another fill value is not that value, blurred by JPEG
_LEAST_PX = 4  # of a tile's side in a coarser level: one px at either edge is mixed with the tile beside it
_WITNESSES = 2  # coarser levels that are read: the coarsest may lack the same tiles
_LOST_END = 0.05  # share of all tiles

ReadLevel = Callable[[int, int, int, int, int], NDArray[np.uint8]]  # x, y, width, height, level -> [h, w, 3]


@dataclass(frozen=True, slots=True, eq=False)
class Unwritten:
    """What was never written of a slide's finest level.

    Attributes
    ----------
    absent : bool [rows, columns, 3]
        Which tiles, in red, green and blue.
    tile : (height, width)
        Of a tile in px.
    fill : int
        What an absent tile is read as.
    what : str
        How the format calls tiles.
    """

    absent: NDArray[np.bool_]
    tile: tuple[int, int]
    fill: int
    what: str


def require_written(
    name: str, unwritten: Unwritten, level_dimensions: Sequence[tuple[int, int]], read: ReadLevel
) -> None:
    """Refuse a slide of whose finest level tiles were never written that are not empty.

    Nothing is read of a slide of which everything was written; of another one, the coarsest levels.

    Parameters
    ----------
    name : str
    unwritten : Unwritten
    level_dimensions : sequence of (width, height)
        Of the slide.
    read : callable (x, y, width, height, level) -> uint8 [height, width, 3]

    Raises
    ------
    SlideError
        If a coarser level shows that a tile which was never written is not empty. Without a coarser level: if the
        tiles from one on to the end are all absent, more than one in twenty, and no other one is.
    """
    absent = np.asarray(unwritten.absent.any(axis=2))
    if not absent.any():
        return
    witnesses = _witnesses(unwritten.tile, level_dimensions)
    if not witnesses:
        _require_end(name, absent, unwritten.what)
        return
    lost = np.zeros_like(absent)
    for level in witnesses:
        lost |= _contradicted(unwritten, level_dimensions, level, read)
    if lost.any():
        shown = "tissue" if unwritten.fill == WHITE else "something"
        raise SlideError(
            f"{name} is damaged: {absent.sum():,} of {absent.size:,} {unwritten.what} of its finest level were never "
            f"written, {lost.sum():,} of them where a coarser level shows {shown}.",
            "Write or copy it again: whoever made it has not come to its end.",
        )


def _require_end(name: str, absent: NDArray[np.bool_], what: str) -> None:
    """Refuse an image without coarser levels of which only the end is absent, in the order of writing.

    Glass alone does not look like that: who leaves it out does so above and beside the tissue too, and then tiles are
    absent elsewhere as well. Such an image is taken as it is, since nothing tells lost tissue in it from glass.
    """
    order = absent.ravel()  # row by row, as writers go
    lost = int(order.sum())
    if lost > _LOST_END * order.size and order[order.size - lost :].all():
        raise SlideError(
            f"{name} is damaged: the last {lost:,} of its {order.size:,} {what} were never written, and all before "
            "them were.",
            "Write or copy it again: whoever made it has not come to its end. If that part is empty, cut it off.",
        )


def _witnesses(tile: tuple[int, int], level_dimensions: Sequence[tuple[int, int]]) -> list[int]:
    """Return the coarsest levels in which a tile of level 0 is large enough to be judged."""
    width, height = level_dimensions[0]
    fit = [
        level
        for level in range(1, len(level_dimensions))
        if tile[1] * level_dimensions[level][0] >= _LEAST_PX * width
        and tile[0] * level_dimensions[level][1] >= _LEAST_PX * height
    ]
    return fit[-_WITNESSES:]


def _contradicted(
    unwritten: Unwritten, level_dimensions: Sequence[tuple[int, int]], level: int, read: ReadLevel
) -> NDArray[np.bool_]:
    """Return which absent tiles [rows, columns] a coarser level shows as something else than they are read as."""
    absent, tile = unwritten.absent, unwritten.tile
    width, height = level_dimensions[level]
    columns = _inner(np.arange(absent.shape[1]), tile[1] * width / level_dimensions[0][0], width)
    rows = _inner(np.arange(absent.shape[0]), tile[0] * height / level_dimensions[0][1], height)
    colours = np.full(absent.shape, np.nan)  # mean of every tile
    for row in np.flatnonzero(absent.any(axis=(1, 2)) & (rows[1] > rows[0])):
        top, bottom = int(rows[0][row]), int(rows[1][row])
        strip = read(0, top, width, bottom - top, level)
        sums = np.concatenate([np.zeros((1, 3)), np.cumsum(strip.mean(axis=0), axis=0)])
        wide = columns[1] > columns[0]
        start, end = columns[0][wide], columns[1][wide]
        colours[row, wide] = (sums[end] - sums[start]) / (end - start)[:, None]
    if unwritten.fill != WHITE:
        return np.asarray(((np.abs(colours - unwritten.fill) > _OTHER) & absent).any(axis=2))
    density = optical_density(colours[..., :2], add_one=True).mean(axis=2)
    if np.isnan(density).all():
        return np.zeros(density.shape, np.bool_)
    glass = min(float(np.nanpercentile(density, 1)), _DARKEST_GLASS)
    return np.asarray(absent.any(axis=2) & (density > glass + _TISSUE))


def _inner(numbers: NDArray[np.int64], side: float, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return first and one past the last px of tiles in a coarser level, without one at either edge.

    Neighbours are mixed into these. A tile at the edge of the image may be left with none.
    """
    first = np.ceil(numbers * side).astype(np.int64) + 1
    last = np.minimum(np.floor((numbers + 1) * side).astype(np.int64), size) - 1
    return first, last
