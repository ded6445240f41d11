from .baselines import DEPTH_ALONE as DEPTH_ALONE
from .bulk import compare_with_bulk as compare_with_bulk, read_bulk as read_bulk
from .ceilings import too_noisy as too_noisy
from .result import FILES as FILES, Comparison as Comparison
from .slide_level import pseudobulk as pseudobulk
from .steps import compare as compare, compare_steps as compare_steps
from .tables import number as number
from .write import write_comparison as write_comparison
