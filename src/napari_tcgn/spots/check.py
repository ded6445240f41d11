"""Whether spots belong to the slide that they are laid on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_tcgn.errors import SpotsError
from napari_tcgn.slide import Slide, overview_of
from napari_tcgn.spots.source import StSource, VisiumSource
from napari_tcgn.spots.table import Spots

SAME_PX = 3.0  # the size that a table implies is exact to a fraction of a px
SAME_SCALE = 0.005
NEAR = 0.05  # sections of one experiment are photographed at nearly the same size
MIN_ON_TISSUE = 0.3  # pale fat may be missed by the mask; most spots of a right table are not
ENOUGH_SPOTS = 10  # fewer may all lie on fat, or at the border of the mask: they say nothing of the table

_OTHER = "Give the image and the spot table of the same section."


def check_on_slide(spots: Spots, slide: Slide) -> Spots:
    """Refuse spots that do not belong to a slide, before anything is predicted for them.

    The image must have the size that the spots were made for, where they tell it, and no spot may lie outside it.
    Those of ST selection tables and Visium folders, if they are ten or more, must mostly lie on tissue too.

    Parameters
    ----------
    spots : Spots
    slide : Slide

    Returns
    -------
    Spots
        The same spots; those of such a table or folder on a slide of known µm per pixel with their tissue_fraction.

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
    if not isinstance(source, StSource | VisiumSource):
        return spots
    if of_st and source.image_size is not None:
        _check_size(spots, slide)
    mpp = slide.mpp
    diameter_px = 1.0 if mpp is None else spots.diameter_um / mpp
    fraction = overview_of(slide).tissue().fraction(spots.x, spots.y, diameter_px, spots.shape == "square")
    on_tissue = int((fraction >= 0.5).sum())
    if len(spots) >= ENOUGH_SPOTS and on_tissue < MIN_ON_TISSUE * len(spots):
        raise SpotsError(
            f"Only {on_tissue} of {len(spots)} spots lie on tissue of slide {slide.name}: "
            "the spot table seems to belong to another section.",
            _OTHER,
        )
    return spots if mpp is None else replace(spots, tissue_fraction=fraction)


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
    if factor > 1.5 and min(spots.x.min(), spots.y.min()) >= 0:
        hint = f"The table seems made for an image at least {factor:.1f} times larger: give the full-resolution image."
    elif outside.all():
        hint = "Give the table of this section, with positions in px of the full-resolution image."
    else:
        hint = _OTHER
    raise SpotsError(found, hint)


def _check_exact_size(spots: Spots, slide: Slide) -> None:
    """Compare the slide's size with the one that a file records."""
    size, made_for = np.array(slide.level_dimensions[0], np.float64), np.array(spots.source.image_size, np.float64)
    if (np.abs(size - made_for) <= SAME_PX + (spots.source.image_size_tolerance or 0.0)).all():
        return
    ratio = made_for / size
    rescaled = abs(ratio[0] / ratio[1] - 1) <= SAME_SCALE
    raise SpotsError(
        f"The positions of {spots.source.file or 'these spots'} refer to an image of {made_for[0]:.0f} x "
        f"{made_for[1]:.0f} px, but slide {slide.name} has {size[0]:.0f} x {size[1]:.0f} px"
        + (f": it is the same image {max(ratio[0], 1 / ratio[0]):.3g} times {'smaller' if ratio[0] > 1 else 'larger'}."
           if rescaled else "."),
        "Give the full-resolution image of this section." if rescaled else _OTHER,
    )  # fmt: skip


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
    if (np.abs(ratio - 1) <= NEAR).all():
        raise SpotsError(f"{words}: it belongs to another section.", _OTHER)
    if abs(ratio[0] / ratio[1] - 1) <= SAME_SCALE:
        raise SpotsError(f"{words}: the image was rescaled.", "Give the full-resolution image of this section.")
