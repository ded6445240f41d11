from .genes import VERDICTS as VERDICTS, verdicts as verdicts
