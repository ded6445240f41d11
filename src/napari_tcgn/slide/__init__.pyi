from .array import ArraySlide as ArraySlide
from .base import (
    Slide as Slide,
    give_mpp as give_mpp,
    level_downsamples as level_downsamples,
    mpp_hint as mpp_hint,
    require_mpp as require_mpp,
    stated_mpp as stated_mpp,
)
from .density import DARKEST_OF_FEATURES as DARKEST_OF_FEATURES, optical_density as optical_density
from .image import ImageSlide as ImageSlide
from .mpp import PixelSize as PixelSize, contradicts_file as contradicts_file
from .normalise import NormalisedSlide as NormalisedSlide, colour_change as colour_change
from .open import open_slide as open_slide
from .orientation import stored_orientation as stored_orientation
from .overview import Overview as Overview, overview_of as overview_of
from .padding import without_alpha as without_alpha
from .picture import thumbnail as thumbnail
from .pyramid_cache import (
    LIMIT_GB as LIMIT_GB,
    LIMIT_VARIABLE as LIMIT_VARIABLE,
    clear_pyramids as clear_pyramids,
    find_pyramid as find_pyramid,
    keep_pyramid as keep_pyramid,
    kept_size as kept_size,
    wants_pyramid as wants_pyramid,
)
from .record import SlideRecord as SlideRecord
from .shared_tiles import SharedTiles as SharedTiles
from .stain import STAIN_UM as STAIN_UM, StainStatistics as StainStatistics, stain_of_patches as stain_of_patches
from .stain_fit import fit_stain as fit_stain
from .tissue import TissueDensity as TissueDensity, TissueMask as TissueMask
