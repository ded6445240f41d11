from .comparison import (
    Comparison as Comparison,
    compare as compare,
    compare_steps as compare_steps,
    write_comparison as write_comparison,
)
from .errors import TcgnError as TcgnError
from .explanation import (
    Explanation as Explanation,
    explain as explain,
    explain_steps as explain_steps,
    gene_drivers as gene_drivers,
    gene_drivers_steps as gene_drivers_steps,
    write_explanation as write_explanation,
)
from .exports import export as export
from .expression import (
    predict as predict,
    predict_steps as predict_steps,
    read_measured as read_measured,
    to_anndata as to_anndata,
    with_intervals as with_intervals,
    write_h5ad as write_h5ad,
)
from .model import (
    TCGN as TCGN,
    ModelCard as ModelCard,
    Predictor as Predictor,
    list_models as list_models,
    load_model as load_model,
)
from .options import (
    CompareSettings as CompareSettings,
    ExplainSettings as ExplainSettings,
    ExportSettings as ExportSettings,
    GridSettings as GridSettings,
    PredictSettings as PredictSettings,
    TrainSettings as TrainSettings,
)
from .slide import Slide as Slide, open_slide as open_slide
from .spots import (
    Spots as Spots,
    make_grid as make_grid,
    read_region as read_region,
    read_spots as read_spots,
    read_st_counts as read_st_counts,
    read_st_spots as read_st_spots,
    write_spots as write_spots,
)
from .training import (
    cross_validate as cross_validate,
    cross_validate_steps as cross_validate_steps,
    fit_model as fit_model,
    fit_model_steps as fit_model_steps,
    train as train,
    train_steps as train_steps,
)

__version__: str
