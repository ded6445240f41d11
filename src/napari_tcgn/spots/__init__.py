"""Where to look on a slide: measured spots, grids, regions, and whether they fit the slide."""

from napari_tcgn.spots.check import check_on_slide
from napari_tcgn.spots.choose import choose_spots
from napari_tcgn.spots.grid import make_grid
from napari_tcgn.spots.h5ad import read_h5ad_spots
from napari_tcgn.spots.lattice import fit_lattice, implied_mpp
from napari_tcgn.spots.read import read_spots
from napari_tcgn.spots.region import Region, keep_inside, read_region, region_of_polygons
from napari_tcgn.spots.saved import write_spots
from napari_tcgn.spots.st import read_st_counts, read_st_spots
from napari_tcgn.spots.table import Spots
from napari_tcgn.spots.visium import read_visium

__all__ = [
    "Region",
    "Spots",
    "check_on_slide",
    "choose_spots",
    "fit_lattice",
    "implied_mpp",
    "keep_inside",
    "make_grid",
    "read_h5ad_spots",
    "read_region",
    "read_spots",
    "read_st_counts",
    "read_st_spots",
    "read_visium",
    "region_of_polygons",
    "write_spots",
]
