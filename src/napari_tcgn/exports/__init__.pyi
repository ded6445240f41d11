from .section_figure import PANEL_INCHES as PANEL_INCHES, SectionDrawing as SectionDrawing, gene_figure as gene_figure
from .write import Exported as Exported, check_export_target as check_export_target, export as export
