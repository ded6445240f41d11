from .bootstrap import BlockBootstrap as BlockBootstrap
from .correlation import (
    median_pcc as median_pcc,
)
from .correlation import (
    pearson_per_gene as pearson_per_gene,
)
from .gene_sets import (
    SCORE_UNIT as SCORE_UNIT,
)
from .gene_sets import (
    GeneSet as GeneSet,
)
from .gene_sets import (
    Score as Score,
)
from .gene_sets import (
    nearest_names as nearest_names,
)
from .gene_sets import (
    parse_gene_names as parse_gene_names,
)
from .gene_sets import (
    read_gmt as read_gmt,
)
from .gene_sets import (
    score_gene_set as score_gene_set,
)
from .moran import (
    morans_i as morans_i,
)
from .shifts import (
    null_test as null_test,
)
from .shifts import (
    random_shifts as random_shifts,
)
from .shifts import (
    shift_p as shift_p,
)
from .spread import variability as variability
from .ssim import (
    row_scaled as row_scaled,
)
from .ssim import (
    ssim_map as ssim_map,
)
from .statistics import (
    interval as interval,
)
from .statistics import (
    median_counting_constants as median_counting_constants,
)
from .statistics import (
    median_interval as median_interval,
)
from .statistics import (
    partial_pcc_per_gene as partial_pcc_per_gene,
)
from .statistics import (
    q_values as q_values,
)
from .statistics import (
    rmse_per_gene as rmse_per_gene,
)
from .statistics import (
    spearman_per_gene as spearman_per_gene,
)
from .statistics import (
    variance_ratio_per_gene as variance_ratio_per_gene,
)
from .statistics import (
    without as without,
)
from .surface import (
    Surface as Surface,
)
from .surface import (
    smooth_surface as smooth_surface,
)
