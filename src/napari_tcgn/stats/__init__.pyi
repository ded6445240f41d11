from .bootstrap import BlockBootstrap as BlockBootstrap
from .correlation import median_pcc as median_pcc, pearson_per_gene as pearson_per_gene
from .gene_sets import (
    SCORE_UNIT as SCORE_UNIT,
    GeneSet as GeneSet,
    GeneSetScore as GeneSetScore,
    nearest_names as nearest_names,
    parse_gene_names as parse_gene_names,
    read_gmt as read_gmt,
    score_gene_set as score_gene_set,
)
from .moran import morans_i as morans_i
from .shifts import null_test as null_test, random_shifts as random_shifts, shift_p as shift_p
from .spread import variability as variability
from .ssim import row_scaled as row_scaled, ssim_map as ssim_map
from .statistics import (
    interval as interval,
    median_counting_constants as median_counting_constants,
    median_interval as median_interval,
    partial_pcc_per_gene as partial_pcc_per_gene,
    q_values as q_values,
    rmse_per_gene as rmse_per_gene,
    spearman_per_gene as spearman_per_gene,
    variance_ratio_per_gene as variance_ratio_per_gene,
    without as without,
)
from .surface import Surface as Surface, smooth_surface as smooth_surface
