from .section_figure import (
    PANEL_INCHES as PANEL_INCHES,
)
from .section_figure import (
    SectionDrawing as SectionDrawing,
)
from .section_figure import (
    gene_figure as gene_figure,
)
from .write import (
    check_export_target as check_export_target,
)
from .write import (
    export as export,
)
