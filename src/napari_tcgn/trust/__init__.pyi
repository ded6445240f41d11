from .genes import VERDICTS as VERDICTS, trusted as trusted, verdicts as verdicts
