from .aliases import (
    gene_aliases as gene_aliases,
    gene_of_alias as gene_of_alias,
    symbol_of_alias as symbol_of_alias,
)
from .build import (
    DOMAIN_P as DOMAIN_P,
    UNS_KEY as UNS_KEY,
    check_h5ad_target as check_h5ad_target,
    domain_p_of as domain_p_of,
    own_part as own_part,
    read_prediction as read_prediction,
    require_storable as require_storable,
    section_anndata as section_anndata,
    to_anndata as to_anndata,
    writable_strings as writable_strings,
    write_h5ad as write_h5ad,
)
from .counts import (
    Counts as Counts,
    counted_tables as counted_tables,
    counts_table as counts_table,
    doubtful_counts as doubtful_counts,
    layer_names as layer_names,
    read_counts as read_counts,
    require_counts as require_counts,
    require_measured as require_measured,
    totals_of as totals_of,
    values_of as values_of,
    with_layer as with_layer,
)
from .gene_names import (
    GeneMatch as GeneMatch,
    GeneMatchRecord as GeneMatchRecord,
    match_genes as match_genes,
    read_aliases as read_aliases,
    species_of as species_of,
)
from .intervals import (
    BOUNDS as BOUNDS,
    INTERVALS as INTERVALS,
    bounds_by_gene as bounds_by_gene,
    gene_interval as gene_interval,
    intervals_in as intervals_in,
    require_unchanged as require_unchanged,
    with_intervals as with_intervals,
)
from .library import Library as Library, library_ids as library_ids, library_of as library_of
from .measured import (
    MeasuredSource as MeasuredSource,
    positions_beside as positions_beside,
    read_measured as read_measured,
    repeated_spots as repeated_spots,
    source_of as source_of,
)
from .prediction import predict as predict, predict_steps as predict_steps
from .read import read_section as read_section
from .scale import OUTPUT_SCALE as OUTPUT_SCALE, TOTAL_SCALE as TOTAL_SCALE, scale_counts as scale_counts
from .section import one_section as one_section
from .some_genes import absolute_choice as absolute_choice, genes_of as genes_of
from .values import block as block, column as column, dense as dense
