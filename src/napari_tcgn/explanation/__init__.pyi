from .result import (
    AttributionMap as AttributionMap,
    Check as Check,
    Curves as Curves,
    ExplainStep as ExplainStep,
    Explanation as Explanation,
    Shares as Shares,
    TokenGraph as TokenGraph,
)
from .steps import explain as explain, explain_steps as explain_steps
from .write import FILES as FILES, to_record as to_record, write_explanation as write_explanation
