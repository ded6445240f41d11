from .arguments import as_arguments as as_arguments
from .comparison import (
    BulkScale as BulkScale,
    CompareSettings as CompareSettings,
    MatchName as MatchName,
    NullKind as NullKind,
    NullName as NullName,
    OrientationName as OrientationName,
    ValuesName as ValuesName,
)
from .declaration import (
    Option as Option,
    check_kinds as check_kinds,
    option as option,
    option_of as option_of,
    options_of as options_of,
)
from .explanation import ExplainSettings as ExplainSettings
from .exporting import MPP_HELP as MPP_HELP, ExportSettings as ExportSettings, StyleName as StyleName
from .grid import (
    BIN_SIDES as BIN_SIDES,
    BINS as BINS,
    CHESSBOARD as CHESSBOARD,
    HEXAGONAL as HEXAGONAL,
    LAYOUTS as LAYOUTS,
    GridSettings as GridSettings,
    LayoutName as LayoutName,
)
from .prediction import (
    DeviceName as DeviceName,
    PrecisionChoice as PrecisionChoice,
    PrecisionName as PrecisionName,
    PredictSettings as PredictSettings,
    StainName as StainName,
)
from .record import (
    RENAMED as RENAMED,
    read_part as read_part,
    read_settings as read_settings,
    to_record as to_record,
    with_new_names as with_new_names,
)
from .spots import SpotsSettings as SpotsSettings
from .training import LossName as LossName, ResidualName as ResidualName, TrainSettings as TrainSettings
