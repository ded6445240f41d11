from .card import (
    DomainOf as DomainOf,
    ModelCard as ModelCard,
    Predictor as Predictor,
    PredictsWithDomain as PredictsWithDomain,
    StartingPredictor as StartingPredictor,
    domain_of as domain_of,
    intervals_of as intervals_of,
)
from .card_words import depth_skill_of as depth_skill_of, describe as describe, skill_of as skill_of
from .domain import (
    PatchDomain as PatchDomain,
    SectionStain as SectionStain,
    TrainingDomain as TrainingDomain,
    TrainingStain as TrainingStain,
)
from .features import FEATURES as FEATURES
from .gene_intervals import (
    LEVEL as LEVEL,
    PROBABILITIES as PROBABILITIES,
    GeneIntervals as GeneIntervals,
    require_level as require_level,
    standard_deviations as standard_deviations,
)
from .graph import Graph as Graph, build_graph as build_graph
from .held_out import FoldFigures as FoldFigures, HeldOut as HeldOut, IntervalFile as IntervalFile
from .intervals import read_intervals as read_intervals, save_intervals as save_intervals
from .loaded import LoadedModels as LoadedModels
from .panels import read_panel as read_panel
from .predictor import LINE as LINE, SumPredictor as SumPredictor, TCGNPredictor as TCGNPredictor
from .prepare import prepare_patches as prepare_patches
from .registry import (
    BUNDLED as BUNDLED,
    from_anywhere as from_anywhere,
    installed_name as installed_name,
    left_out as left_out,
    list_models as list_models,
    load_model as load_model,
    model_folder as model_folder,
    read_card as read_card,
    user_models_folder as user_models_folder,
)
from .ridge import (
    FeatureExtractor as FeatureExtractor,
    Line as Line,
    RidgePredictor as RidgePredictor,
    build_encoder as build_encoder,
    check_encoder_args as check_encoder_args,
    encoder_card as encoder_card,
    feature_card as feature_card,
    hub_encoder as hub_encoder,
    ridge_state as ridge_state,
)
from .some_genes import for_genes as for_genes
from .spot_domain import (
    DOMAIN_NAME as DOMAIN_NAME,
    DomainOfPatches as DomainOfPatches,
    SpotDomain as SpotDomain,
    by_ratio as by_ratio,
    domain_features as domain_features,
    read_domain as read_domain,
    save_domain as save_domain,
)
from .tcgn import GRID as GRID, TCGN as TCGN, whole_head as whole_head
from .timm_import import declared_operators as declared_operators, import_timm as import_timm
from .weights import (
    CARD_NAME as CARD_NAME,
    WEIGHTS_NAME as WEIGHTS_NAME,
    load_into as load_into,
    read_checkpoint as read_checkpoint,
    read_tensors as read_tensors,
    save_model as save_model,
)
