"""Open a slide lazily at any level, know its µm per pixel, and find its tissue."""

from napari_tcgn.slide.array import ArraySlide
from napari_tcgn.slide.base import Slide, level_downsamples, require_mpp
from napari_tcgn.slide.open import open_slide
from napari_tcgn.slide.thumbnail import thumbnail
from napari_tcgn.slide.tissue import TissueDensity, TissueMask, tissue_density, tissue_mask

__all__ = [
    "ArraySlide",
    "Slide",
    "TissueDensity",
    "TissueMask",
    "level_downsamples",
    "open_slide",
    "require_mpp",
    "thumbnail",
    "tissue_density",
    "tissue_mask",
]
