from .comparison import (
    Comparison as Comparison,
)
from .comparison import (
    compare as compare,
)
from .comparison import (
    compare_steps as compare_steps,
)
from .comparison import (
    write_comparison as write_comparison,
)
from .errors import TcgnError as TcgnError
from .exports import export as export
from .expression import (
    predict as predict,
)
from .expression import (
    predict_steps as predict_steps,
)
from .expression import (
    read_measured as read_measured,
)
from .expression import (
    to_anndata as to_anndata,
)
from .expression import (
    write_h5ad as write_h5ad,
)
from .model import (
    TCGN as TCGN,
)
from .model import (
    ModelCard as ModelCard,
)
from .model import (
    Predictor as Predictor,
)
from .model import (
    list_models as list_models,
)
from .model import (
    load_model as load_model,
)
from .options import (
    CompareSettings as CompareSettings,
)
from .options import (
    ExportSettings as ExportSettings,
)
from .options import (
    GridSettings as GridSettings,
)
from .options import (
    PredictSettings as PredictSettings,
)
from .options import (
    TrainSettings as TrainSettings,
)
from .slide import Slide as Slide
from .slide import open_slide as open_slide
from .spots import (
    Spots as Spots,
)
from .spots import (
    make_grid as make_grid,
)
from .spots import (
    read_region as read_region,
)
from .spots import (
    read_spots as read_spots,
)
from .spots import (
    read_st_counts as read_st_counts,
)
from .spots import (
    read_st_spots as read_st_spots,
)
from .spots import (
    write_spots as write_spots,
)
from .training import (
    cross_validate as cross_validate,
)
from .training import (
    cross_validate_steps as cross_validate_steps,
)
from .training import (
    train as train,
)
from .training import (
    train_steps as train_steps,
)

__version__: str
