from .check import check_on_slide as check_on_slide
from .choose import choose_spots as choose_spots
from .count_table import (
    is_count_table as is_count_table,
    is_st_name as is_st_name,
    read_count_table as read_count_table,
    read_st_counts as read_st_counts,
    selection_beside as selection_beside,
)
from .distance import fit_lattice as fit_lattice, implied_mpp as implied_mpp, spot_distance_px as spot_distance_px
from .grid import count_spots as count_spots, grid_origin as grid_origin, make_grid as make_grid
from .h5ad import read_h5ad_spots as read_h5ad_spots
from .h5ad_parts import flat_positions as flat_positions
from .handedness import is_mirrored as is_mirrored
from .lattice import (
    BLOCK as BLOCK,
    Lattice as Lattice,
    make_lattice as make_lattice,
    neighbour_weights as neighbour_weights,
    pitch_of as pitch_of,
)
from .names import same_names as same_names
from .outs import (
    POSITIONS as POSITIONS,
    file_beside as file_beside,
    files_called as files_called,
    positions_file as positions_file,
    positions_files as positions_files,
    same_sample as same_sample,
    sample_of as sample_of,
    section_folder as section_folder,
)
from .read import holds_spots as holds_spots, read_spots as read_spots
from .region import (
    Region as Region,
    keep_inside as keep_inside,
    read_region as read_region,
    region_of_polygons as region_of_polygons,
    write_region as write_region,
)
from .saved import write_spots as write_spots
from .scale import SAME_MPP as SAME_MPP, array_mpp as array_mpp, contradicted_mpp as contradicted_mpp
from .sections import library_ids as library_ids, sharing_places as sharing_places, which_section as which_section
from .source import (
    GridSource as GridSource,
    H5adSource as H5adSource,
    RegionRecord as RegionRecord,
    SpotsRecord as SpotsRecord,
    SpotsSource as SpotsSource,
    StSource as StSource,
    VisiumSource as VisiumSource,
    read_source as read_source,
)
from .st import (
    read_st_spots as read_st_spots,
    same_section as same_section,
    with_counts as with_counts,
)
from .table import Spots as Spots, is_whole as is_whole
from .visium import (
    COLUMNS as COLUMNS,
    read_positions as read_positions,
    read_visium as read_visium,
)
