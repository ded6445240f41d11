from .build import (
    UNS_KEY as UNS_KEY,
)
from .build import (
    check_h5ad_target as check_h5ad_target,
)
from .build import (
    read_prediction as read_prediction,
)
from .build import (
    section_anndata as section_anndata,
)
from .build import (
    to_anndata as to_anndata,
)
from .build import (
    write_h5ad as write_h5ad,
)
from .gene_names import (
    GeneMatch as GeneMatch,
)
from .gene_names import (
    match_genes as match_genes,
)
from .gene_names import (
    read_aliases as read_aliases,
)
from .library import (
    Library as Library,
)
from .library import (
    library_ids as library_ids,
)
from .library import (
    library_of as library_of,
)
from .measured import (
    counts_table as counts_table,
)
from .measured import (
    describe_source as describe_source,
)
from .measured import (
    read_measured as read_measured,
)
from .measured import (
    repeated_spots as repeated_spots,
)
from .measured import (
    require_counts as require_counts,
)
from .measured import (
    require_measured as require_measured,
)
from .measured import (
    values_of as values_of,
)
from .prediction import (
    predict as predict,
)
from .prediction import (
    predict_steps as predict_steps,
)
from .read import read_section as read_section
from .scale import (
    OUTPUT_SCALE as OUTPUT_SCALE,
)
from .scale import (
    scale_counts as scale_counts,
)
from .values import (
    block as block,
)
from .values import (
    column as column,
)
from .values import (
    dense as dense,
)
