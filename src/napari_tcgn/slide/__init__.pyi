from .array import ArraySlide as ArraySlide
from .base import (
    Slide as Slide,
    level_downsamples as level_downsamples,
    mpp_hint as mpp_hint,
    require_mpp as require_mpp,
)
from .image import ImageSlide as ImageSlide
from .normalise import NormalisedSlide as NormalisedSlide, colour_change as colour_change, fit_stain as fit_stain
from .open import open_slide as open_slide
from .overview import thumbnail as thumbnail
from .padding import without_alpha as without_alpha
from .pyramid_cache import (
    LIMIT_GB as LIMIT_GB,
    LIMIT_VARIABLE as LIMIT_VARIABLE,
    clear_pyramids as clear_pyramids,
    find_pyramid as find_pyramid,
    keep_pyramid as keep_pyramid,
    kept_size as kept_size,
    wants_pyramid as wants_pyramid,
)
from .stain import (
    STAIN_UM as STAIN_UM,
    StainStatistics as StainStatistics,
    slide_stain as slide_stain,
    stain_of_patches as stain_of_patches,
    tissue_pixels as tissue_pixels,
)
from .tissue import (
    TissueDensity as TissueDensity,
    TissueMask as TissueMask,
    tissue_density as tissue_density,
    tissue_mask as tissue_mask,
)
