"""The square of tissue around a spot: its size in px, the level it is read from, its pixels."""

from __future__ import annotations

import math
from threading import Event

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.engine.record import PatchRecord
from napari_tcgn.errors import SlideError
from napari_tcgn.model import ModelCard
from napari_tcgn.slide import SharedTiles, Slide, level_downsamples, require_mpp

# Outside this range the µm per pixel is wrong far more often than the slide is unusual.
MIN_PATCH_PX = 8
MAX_PATCH_PX = 4096


def patch_side_px(card: ModelCard, mpp: float) -> int:
    """Return the side of a model's patch in full-resolution px of a slide.

    Parameters
    ----------
    card : ModelCard
        Says how many µm of tissue a patch covers.
    mpp : float
        µm per full-resolution px.

    Raises
    ------
    SlideError
        If the patch would have fewer than 8 px.
    """
    side = round(card.patch_um / mpp)
    if side < MIN_PATCH_PX:
        raise SlideError(
            f"A patch of model {card.name!r} covers {card.patch_um:g} µm, only {side} px at {mpp:g} µm per pixel.",
            "Check the µm per pixel (--mpp) or use a slide of higher resolution.",
        )
    return side


def choose_level(slide: Slide, side: int, wanted_px: int) -> int:
    """Return the coarsest level at which a patch still has all the px that are wanted.

    Parameters
    ----------
    slide : Slide
    side : int
        Side of the patch in full-resolution px.
    wanted_px : int
        Side of the patch that the network needs (`ModelCard.detail_px`; `input_px` for one that is being trained); a
        patch that is smaller than this at level 0 is read from level 0.

    Raises
    ------
    SlideError
        If a patch has more than 4096 px a side even at the chosen level.
    """
    level = 0
    for candidate, downsample in enumerate(level_downsamples(slide)):
        if side / downsample >= wanted_px:
            level = candidate
    found = level_side_px(slide, side, level)
    if found > MAX_PATCH_PX:
        raise SlideError(
            f"A patch is {side} px wide on slide {slide.name!r} ({found} px at level {level}): too many to read.",
            "Check the µm per pixel (--mpp), or save the slide with coarser pyramid levels.",
        )
    return level


def choose_patches(slide: Slide, card: ModelCard) -> PatchRecord:
    """Choose how large a model's patches are on a slide, the level that they are read from, and how far it is shrunk.

    Only the wide patches of a model of several scales are shrunk: where the slide has no level as coarse as they need.

    Raises
    ------
    PixelSizeUnknownError, SlideError
        See `require_mpp`, `patch_side_px` and `choose_level`.
    """
    side = patch_side_px(card, require_mpp(slide))
    level = choose_level(slide, side, card.detail_px)
    if len(card.scales_um) == 1:
        return PatchRecord(card.patch_um, side, level, level_side_px(slide, side, level))
    shrink = max(1, int(side / level_downsamples(slide)[level] / card.detail_px))
    n = level_side_px(SharedTiles(slide, level, shrink), side, 1)
    return PatchRecord(card.patch_um, side, level, n, shrink)


def patch_source(slide: Slide, card: ModelCard, patch: PatchRecord) -> tuple[Slide, int]:
    """Return what a model's patches are cut from, and its level.

    Wide patches overlap many times: the tiles below them are read once (`SharedTiles`).
    """
    if len(card.scales_um) == 1:
        return slide, patch.level
    return SharedTiles(slide, patch.level, patch.shrink), 1


def reading_order(x: NDArray[np.float64], y: NDArray[np.float64], side: int) -> NDArray[np.intp]:
    """Order spots in horizontal bands of the slide, so that patches that share tiles are read together.

    Parameters
    ----------
    x, y : float64 [n]
        Spot centres in full-resolution px.
    side : int
        Side of a patch in full-resolution px.
    """
    return np.lexsort((y, x, np.floor(y / (4 * side))))


def level_side_px(slide: Slide, side: int, level: int) -> int:
    """Return the side of a patch in px of `level`, from its `side` in full-resolution px."""
    return max(1, round(side / level_downsamples(slide)[level]))


def cut_patch(slide: Slide, x: float, y: float, side: int, level: int = 0) -> NDArray[np.uint8]:
    """Cut the patch around a spot; the pixel under the spot is at index ``[n // 2, n // 2]``.

    Parameters
    ----------
    slide : Slide
    x, y : float
        Centre of the spot in full-resolution px.
    side : int
        Side of the patch in full-resolution px (see `patch_side_px`).
    level : int
        Level to read from (see `choose_level`).

    Returns
    -------
    uint8 [n, n, 3]
        Upright RGB; n is `side` at level 0 and the same tissue in coarser px at other levels.
        What lies outside the image is white.
    """
    downsample = level_downsamples(slide)[level]
    n = level_side_px(slide, side, level)
    column = math.floor(x / downsample) - n // 2
    row = math.floor(y / downsample) - n // 2
    return slide.read_region(column, row, n, n, level)


def cut_batch(
    slide: Slide, x: NDArray[np.float64], y: NDArray[np.float64], side: int, level: int, stop: Event
) -> NDArray[np.uint8]:
    """Cut the patches of several spots; gives up between two patches once `stop` is set.

    Returns
    -------
    uint8 [B, n, n, 3]
        Unfilled where `stop` came first (the caller has stopped listening then).
    """
    n = level_side_px(slide, side, level)
    patches = np.empty((len(x), n, n, 3), dtype=np.uint8)
    for i, (spot_x, spot_y) in enumerate(zip(x, y, strict=True)):
        if stop.is_set():
            break
        patches[i] = cut_patch(slide, float(spot_x), float(spot_y), side, level)
    return patches


def leaves_image(
    x: NDArray[np.float64], y: NDArray[np.float64], side: int, width: int, height: int
) -> NDArray[np.bool_]:
    """Mark the spots whose patch reaches over the edge of the image and is filled up with white.

    Parameters
    ----------
    x, y : float64 [n]
        Spot centres in full-resolution px.
    side, width, height : int
        Size of the patch and of the slide in full-resolution px.

    Returns
    -------
    bool [n]
    """
    left, top = np.floor(x) - side // 2, np.floor(y) - side // 2
    return (left < 0) | (top < 0) | (left + side > width) | (top + side > height)
