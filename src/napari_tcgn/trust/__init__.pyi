from .genes import (
    VERDICTS as VERDICTS,
)
from .genes import (
    verdicts as verdicts,
)
