from .genes import choose_genes as choose_genes
from .section_figure import (
    PANEL_INCHES as PANEL_INCHES,
    SectionDrawing as SectionDrawing,
    gene_figure as gene_figure,
    round_length as round_length,
)
from .write import Exported as Exported, check_export_target as check_export_target, export as export
