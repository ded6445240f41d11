"""Where to look on a slide: measured spots, grids, and whether they fit the slide."""

from napari_tcgn.spots.check import check_on_slide
from napari_tcgn.spots.grid import make_grid
from napari_tcgn.spots.st import read_st_counts, read_st_spots
from napari_tcgn.spots.table import Spots

__all__ = ["Spots", "check_on_slide", "make_grid", "read_st_counts", "read_st_spots"]
