from .card import (
    ModelCard as ModelCard,
)
from .card import (
    Predictor as Predictor,
)
from .card import (
    StartingPredictor as StartingPredictor,
)
from .panels import read_panel as read_panel
from .predictor import LINE as LINE
from .prepare import prepare_patches as prepare_patches
from .registry import (
    BUNDLED as BUNDLED,
)
from .registry import (
    from_anywhere as from_anywhere,
)
from .registry import (
    list_models as list_models,
)
from .registry import (
    load_model as load_model,
)
from .registry import (
    read_card as read_card,
)
from .ridge import (
    FeatureExtractor as FeatureExtractor,
)
from .ridge import (
    Line as Line,
)
from .ridge import (
    build_encoder as build_encoder,
)
from .ridge import (
    encoder_card as encoder_card,
)
from .ridge import (
    feature_card as feature_card,
)
from .ridge import (
    hub_encoder as hub_encoder,
)
from .ridge import (
    ridge_state as ridge_state,
)
from .tcgn import TCGN as TCGN
from .timm_import import (
    declared_operators as declared_operators,
)
from .timm_import import (
    import_timm as import_timm,
)
from .weights import (
    CARD_NAME as CARD_NAME,
)
from .weights import (
    WEIGHTS_NAME as WEIGHTS_NAME,
)
from .weights import (
    load_into as load_into,
)
from .weights import (
    read_checkpoint as read_checkpoint,
)
from .weights import (
    save_model as save_model,
)
