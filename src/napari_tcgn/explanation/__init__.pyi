from .chosen import one_gene as one_gene
from .drivers import (
    Driver as Driver,
    Gallery as Gallery,
    GeneDrivers as GeneDrivers,
    gene_drivers as gene_drivers,
    gene_drivers_steps as gene_drivers_steps,
)
from .drivers_files import (
    DRIVERS_FILES as DRIVERS_FILES,
    drivers_record as drivers_record,
    write_drivers as write_drivers,
)
from .ends import explain_ends_steps as explain_ends_steps
from .figure import explanation_figure as explanation_figure
from .morphology import Morphology as Morphology, measure_morphology as measure_morphology
from .result import (
    AttributionMap as AttributionMap,
    Check as Check,
    Curves as Curves,
    ExplainStep as ExplainStep,
    Explanation as Explanation,
    Shares as Shares,
    TokenGraph as TokenGraph,
)
from .same_slide import require_same_slide as require_same_slide
from .steps import explain as explain, explain_steps as explain_steps
from .two_genes import TwoGenes as TwoGenes, compare_genes as compare_genes
from .whole_section import (
    SectionMap as SectionMap,
    Stitched as Stitched,
    attribution_in as attribution_in,
    section_map as section_map,
    section_map_steps as section_map_steps,
    stitch as stitch,
    with_attribution as with_attribution,
)
from .write import FILES as FILES, to_record as to_record, write_explanation as write_explanation
