from .domain import fit_domain as fit_domain
from .genes import VERDICTS as VERDICTS, trusted as trusted, verdicts as verdicts
from .reachable import (
    TOO_NOISY as TOO_NOISY,
    TOO_NOISY_WORDS as TOO_NOISY_WORDS,
    Reachable as Reachable,
    judgeable as judgeable,
    reachable_pcc as reachable_pcc,
    share_of_ceiling as share_of_ceiling,
)
