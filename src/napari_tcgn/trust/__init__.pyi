from .domain import fit_domain as fit_domain
from .genes import VERDICTS as VERDICTS, trusted as trusted, verdicts as verdicts
from .intervals import (
    HeldOutSection as HeldOutSection,
    covered as covered,
    fit_intervals as fit_intervals,
    median_coverage as median_coverage,
)
from .opacity import FAINTEST as FAINTEST, spot_opacity as spot_opacity
from .reachable import (
    TOO_NOISY as TOO_NOISY,
    TOO_NOISY_WORDS as TOO_NOISY_WORDS,
    Reachable as Reachable,
    judgeable as judgeable,
    reachable_pcc as reachable_pcc,
    share_of_ceiling as share_of_ceiling,
)
from .words import trust_sentence as trust_sentence, trust_words as trust_words
