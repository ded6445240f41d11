"""Whether spots belong to the slide that they are laid on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_tcgn.errors import SpotsError
from napari_tcgn.slide import Slide, overview_of
from napari_tcgn.spots.handedness import (
    DOUBTFUL,
    MIN_ON_TISSUE,
    SURE,
    UNTURNED,
    better_turn,
    exchanged_array,
    mirrored_contradiction,
)
from napari_tcgn.spots.scale import other_size_of_st, overlapping, scale_contradiction
from napari_tcgn.spots.source import GridSource, SpotsSource, StSource, VisiumSource
from napari_tcgn.spots.table import Spots

SAME_PX = 3.0  # the size that a table implies is exact to a fraction of a px
SAME_SCALE = 0.005
NEAR = 0.05  # sections of one experiment are photographed at nearly the same size
ON_TISSUE = 0.5  # share of a spot
ENOUGH_SPOTS = 10  # fewer may all lie on fat, or at the border of the mask: they say nothing of the table

_OTHER = "Give the image and the spot table of the same section."
_TRUST = "To take them as they are: --trust-spots (in the dock tick it and read them again)."


def check_on_slide(spots: Spots, slide: Slide, scale: bool = True) -> Spots:
    """Refuse spots that contradict a slide, before anything is predicted for them; the same for spots of any source.

    The image must have the size that the spots were made for, where they tell it, and no spot may lie outside it. The
    array may not imply another µm per pixel than the slide has, nor be mirrored; ten or more must mostly lie on tissue,
    and fewer on a slide that has any. All this unless `source.trusted` says that they are to be taken as they are. A
    grid that was laid on this slide is where it was asked for.

    Parameters
    ----------
    spots : Spots
    slide : Slide
    scale : bool
        Whether the µm per pixel is looked at; not where it can still be changed.

    Returns
    -------
    Spots
        The same spots; those of an ST table or Visium folder on a slide of known µm per pixel with their
        tissue_fraction. `source.doubts` tells what contradicts the slide and was not refused.

    Raises
    ------
    SpotsError
        If they do not belong to it; the message says what was found.
    SlideError
        If the slide cannot be read.
    """
    source = spots.source
    of_st = isinstance(source, StSource)
    if not of_st and source.image_size is not None:
        _check_exact_size(spots, slide)
    _check_inside(spots, slide)
    if isinstance(source, GridSource):
        return spots
    if of_st and source.image_size is not None:
        _check_size(spots, slide)
    doubts: list[str] = []

    def doubt(found: SpotsError | None, may_be: bool = False) -> None:
        if found is None:
            return
        if not (may_be or source.trusted):
            raise SpotsError(found.problem, f"{found.hint} {_TRUST}")
        doubts.append(found.problem)

    if scale:
        doubt(scale_contradiction(spots, slide))
        doubt(other_size_of_st(spots, slide), may_be=True)
    doubt(overlapping(spots))
    exchanged = exchanged_array(spots)
    doubt(exchanged)
    if exchanged is None and (mirrored := mirrored_contradiction(spots, slide)):
        doubt(*mirrored)
    mpp = slide.mpp
    diameter_px = 1.0 if mpp is None else spots.diameter_um / mpp
    fraction = overview_of(slide).tissue().fraction(spots.x, spots.y, diameter_px, spots.shape == "square")
    if not _glass_was_asked_for(source):
        doubt(*_off_tissue(spots, slide, fraction, bool(doubts)))
    if doubts or source.doubts:
        spots = replace(spots, source=replace(source, doubts=tuple(doubts) or None))
    measured = mpp is not None and isinstance(source, StSource | VisiumSource)  # others keep what they have
    return replace(spots, tissue_fraction=fraction) if measured else spots


def _off_tissue(spots: Spots, slide: Slide, fraction: np.ndarray, told: bool) -> tuple[SpotsError | None, bool]:
    """Return what is to be said of spots that miss the tissue, and whether they may be predicted all the same.

    Those of real sections lie on it to 90 % and more; between that and a refusal it is a doubt, unless another one of
    where they lie is `told`, or nearly all would lie on it if they were turned.
    """
    count = int((fraction >= ON_TISSUE).sum())
    few = len(spots) < ENOUGH_SPOTS
    few_of_them = f"Only {count} of {len(spots)} spots lie" if count else f"None of {len(spots)} spots lies"
    found = f"{few_of_them} on tissue of slide {slide.name}"
    if count >= MIN_ON_TISSUE * len(spots) or (few and (fraction > 0).any()):
        if few or told or count >= DOUBTFUL * len(spots):
            return None, False
        turned, share = better_turn(spots, slide)
        return SpotsError(f"{found}.{turned}", UNTURNED if turned else _OTHER), share < SURE
    if not overview_of(slide).tissue().mask.any():
        return SpotsError(
            f"{found}: there is no tissue on slide {slide.name}.", "Give the image of the section."
        ), False
    if few:
        return SpotsError(f"{found}.", _OTHER), True
    turned, _ = better_turn(spots, slide)
    if turned:
        return SpotsError(f"{found}.{turned}", UNTURNED), False
    return SpotsError(f"{found}: the spot table seems to belong to another section.", _OTHER), False


def _glass_was_asked_for(source: SpotsSource) -> bool:
    """Tell whether spots were laid as a grid that was not to keep to what is found to be tissue by default."""
    laid = source
    while laid.recorded is not None:
        laid = laid.recorded
    if not isinstance(laid, GridSource):
        return False
    asked = laid.settings
    return (
        asked is None
        or not asked.tissue_only
        or asked.min_tissue_fraction < ON_TISSUE
        or asked.tissue_threshold is not None
    )


def _check_inside(spots: Spots, slide: Slide) -> None:
    width, height = slide.level_dimensions[0]
    outside = spots.outside(width, height)
    if not outside.any():
        return
    found = (
        f"{outside.sum()} of {len(spots)} spots lie outside slide {slide.name} ({width} x {height} px): "
        f"they reach from ({spots.x.min():.0f}, {spots.y.min():.0f}) to ({spots.x.max():.0f}, {spots.y.max():.0f})."
    )
    factor = max(float(spots.x.max()) / width, float(spots.y.max()) / height)
    swapped = replace(spots, x=spots.y, y=spots.x).outside(width, height)
    if factor > 1.5 and min(spots.x.min(), spots.y.min()) >= 0 and swapped.any():
        hint = f"The table seems made for an image at least {factor:.1f} times larger: give the full-resolution image."
    elif not swapped.any():
        hint = "All would lie on it with x and y swapped: give the table with x to the right, or the image unturned."
    elif outside.all():
        hint = "Give the table of this section, with positions in px of the full-resolution image."
    else:
        hint = _OTHER
    raise SpotsError(found, hint)


def _check_exact_size(spots: Spots, slide: Slide) -> None:
    """Compare the slide's size with the one that a file records."""
    size, made_for = np.array(slide.level_dimensions[0], np.float64), np.array(spots.source.image_size, np.float64)
    tolerance = SAME_PX + (spots.source.image_size_tolerance or 0.0)
    if (np.abs(size - made_for) <= tolerance).all():
        return
    ratio = made_for / size
    words = (
        f"The positions of {spots.source.file or 'these spots'} refer to an image of {made_for[0]:.0f} x "
        f"{made_for[1]:.0f} px, but slide {slide.name} has {size[0]:.0f} x {size[1]:.0f} px"
    )
    if abs(ratio[0] / ratio[1] - 1) <= SAME_SCALE:
        larger = f"{max(ratio[0], 1 / ratio[0]):.3g} times {'smaller' if ratio[0] > 1 else 'larger'}"
        raise SpotsError(f"{words}: it is the same image {larger}.", "Give the full-resolution image of this section.")
    if (np.abs(size[::-1] - made_for) <= tolerance).all():
        raise _turned(words)
    raise SpotsError(f"{words}.", _OTHER)


def _turned(words: str) -> SpotsError:
    return SpotsError(
        f"{words}: it is the image turned by 90°.", "Give the image as it was when the positions were made, unturned."
    )


def _check_size(spots: Spots, slide: Slide) -> None:
    """Compare the slide's size with the one that the table was made for; say nothing if they have nothing in common."""
    size = np.array(slide.level_dimensions[0], np.float64)
    made_for = np.array(spots.source.image_size, np.float64)
    if (np.abs(size - made_for) <= SAME_PX).all():
        return
    ratio = made_for / size
    words = (
        f"{spots.source.file} was made for an image of {made_for[0]:.0f} x {made_for[1]:.0f} px, "
        f"but slide {slide.name} has {size[0]:.0f} x {size[1]:.0f} px"
    )
    if (np.abs(size[::-1] - made_for) <= SAME_PX).all():
        raise _turned(words)
    if (np.abs(ratio - 1) <= NEAR).all():
        raise SpotsError(f"{words}: it belongs to another section.", _OTHER)
    if abs(ratio[0] / ratio[1] - 1) <= SAME_SCALE:
        raise SpotsError(f"{words}: the image was rescaled.", "Give the full-resolution image of this section.")
