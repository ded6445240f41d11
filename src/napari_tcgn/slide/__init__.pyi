from .array import ArraySlide as ArraySlide
from .base import (
    Slide as Slide,
)
from .base import (
    level_downsamples as level_downsamples,
)
from .base import (
    mpp_hint as mpp_hint,
)
from .base import (
    require_mpp as require_mpp,
)
from .density import (
    DARKEST_OF_FEATURES as DARKEST_OF_FEATURES,
)
from .density import (
    optical_density as optical_density,
)
from .image import ImageSlide as ImageSlide
from .normalise import (
    NormalisedSlide as NormalisedSlide,
)
from .normalise import (
    colour_change as colour_change,
)
from .open import open_slide as open_slide
from .overview import (
    Overview as Overview,
)
from .overview import (
    overview_of as overview_of,
)
from .padding import without_alpha as without_alpha
from .picture import thumbnail as thumbnail
from .pyramid_cache import (
    LIMIT_GB as LIMIT_GB,
)
from .pyramid_cache import (
    LIMIT_VARIABLE as LIMIT_VARIABLE,
)
from .pyramid_cache import (
    clear_pyramids as clear_pyramids,
)
from .pyramid_cache import (
    find_pyramid as find_pyramid,
)
from .pyramid_cache import (
    keep_pyramid as keep_pyramid,
)
from .pyramid_cache import (
    kept_size as kept_size,
)
from .pyramid_cache import (
    wants_pyramid as wants_pyramid,
)
from .stain import (
    STAIN_UM as STAIN_UM,
)
from .stain import (
    StainStatistics as StainStatistics,
)
from .stain import (
    stain_of_patches as stain_of_patches,
)
from .stain_fit import fit_stain as fit_stain
from .tissue import (
    TissueDensity as TissueDensity,
)
from .tissue import (
    TissueMask as TissueMask,
)
