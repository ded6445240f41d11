from .check import check_on_slide as check_on_slide
from .choose import choose_spots as choose_spots
from .distance import (
    implied_mpp as implied_mpp,
)
from .distance import (
    spot_distance_px as spot_distance_px,
)
from .fit import fit_lattice as fit_lattice
from .grid import (
    count_spots as count_spots,
)
from .grid import (
    grid_origin as grid_origin,
)
from .grid import (
    make_grid as make_grid,
)
from .h5ad import read_h5ad_spots as read_h5ad_spots
from .lattice import (
    BLOCK as BLOCK,
)
from .lattice import (
    Lattice as Lattice,
)
from .lattice import (
    make_lattice as make_lattice,
)
from .lattice import (
    neighbour_weights as neighbour_weights,
)
from .lattice import (
    pitch_of as pitch_of,
)
from .read import read_spots as read_spots
from .region import (
    Region as Region,
)
from .region import (
    keep_inside as keep_inside,
)
from .region import (
    read_region as read_region,
)
from .region import (
    region_of_polygons as region_of_polygons,
)
from .saved import write_spots as write_spots
from .st import (
    MIN_MATCHED as MIN_MATCHED,
)
from .st import (
    ST_TABLE as ST_TABLE,
)
from .st import (
    is_st_table as is_st_table,
)
from .st import (
    read_st_counts as read_st_counts,
)
from .st import (
    read_st_spots as read_st_spots,
)
from .table import Spots as Spots
from .visium import (
    COLUMNS as COLUMNS,
)
from .visium import (
    positions_file as positions_file,
)
from .visium import (
    read_positions as read_positions,
)
from .visium import (
    read_visium as read_visium,
)
