"""What is known of a whole slide from small pictures of it: how it looks, where its tissue is, how it is stained."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.slide.base import Slide
from napari_tcgn.slide.picture import thumbnails
from napari_tcgn.slide.stain import StainStatistics, pixels_on_tissue, stain_side, stain_statistics
from napari_tcgn.slide.tissue import WORKING_SIDE, TissueDensity, TissueMask, measure_density

PICTURE_SIDE = 2000  # px, as the "hires" image of Visium


@dataclass(frozen=True, slots=True, eq=False)
class Overview:
    """A slide as a whole; a few tens of MB, however large the slide is.

    Attributes
    ----------
    picture : uint8 [h, w, 3]
        At most 2,000 px wide or high.
    scale : float
        Its px per full-resolution px: (x, y) of the slide lies at (x * scale, y * scale).
    density : TissueDensity
        From which the tissue of any threshold follows.
    tissue_pixels : uint8 [n, 3]
        Colours of the tissue at 8 µm per px, or an even choice of half a million of them; empty if none is found.
        Where the slide's µm per px is unknown, they are those of a picture of 1,000 px.
    stain : StainStatistics or None
        Of these colours; None if no tissue is found.
    """

    picture: NDArray[np.uint8]
    scale: float
    density: TissueDensity
    tissue_pixels: NDArray[np.uint8]
    stain: StainStatistics | None
    _tissue: TissueMask

    def tissue(self, threshold: float | None = None) -> TissueMask:
        """Return the tissue at a threshold (optical density), by default at the one chosen for the slide.

        Raises
        ------
        SettingsError
            If `threshold` is not a positive number.
        """
        return self._tissue if threshold is None else self.density.mask(threshold)


@dataclass(slots=True)
class _Known:
    """The overview of one slide, and the µm per px that it was made with."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    mpp: float | None = None
    overview: Overview | None = None


_KNOWN: weakref.WeakKeyDictionary[Slide, _Known] = weakref.WeakKeyDictionary()
_LOCK = threading.Lock()


def overview_of(slide: Slide) -> Overview:
    """Return the overview of a slide: made at the first call, and again only if its µm per px becomes another one.

    It is forgotten with the slide. Several threads may ask for it; the first one makes it, which reads a coarse level
    of the slide once (a slide without levels: the whole of it), and the others wait.

    Parameters
    ----------
    slide : Slide
        Open, and with pixels that do not change.

    Raises
    ------
    SlideError
        If the slide cannot be read.
    """
    with _LOCK:
        known = _KNOWN.setdefault(slide, _Known())
    with known.lock:
        mpp = slide.mpp
        if known.overview is None or known.mpp != mpp:  # what counts as dust, and 8 µm, depend on it
            known.overview, known.mpp = _look_over(slide, mpp), mpp
        return known.overview


def _look_over(slide: Slide, mpp: float | None) -> Overview:
    sides = (PICTURE_SIDE, WORKING_SIDE, stain_side(slide))
    (picture, scale), (working, working_scale), (coloured, coloured_scale) = thumbnails(slide, sides)
    density = measure_density(working, working_scale, mpp)
    tissue = density.mask()
    pixels = pixels_on_tissue(coloured, coloured_scale, tissue)
    stain = stain_statistics(pixels) if len(pixels) else None
    return Overview(picture, scale, density, pixels, stain, tissue)
