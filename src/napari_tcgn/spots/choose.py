"""The spots of a run, from what was asked for: a grid or a file, in a region, with counts."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from napari_tcgn.options import GridSettings, SpotsSettings
from napari_tcgn.slide import Slide
from napari_tcgn.spots.grid import make_grid
from napari_tcgn.spots.read import read_spots
from napari_tcgn.spots.region import keep_inside, read_region
from napari_tcgn.spots.st import with_counts
from napari_tcgn.spots.table import Spots


def choose_spots(
    slide: Slide,
    grid: GridSettings | None = None,
    file: Path | None = None,
    roi: Path | None = None,
    counted: Collection[str] | None = None,
    taken: SpotsSettings | None = None,
) -> Spots:
    """Return the spots to predict on a slide.

    Parameters
    ----------
    slide : Slide
        With known µm per pixel where a grid is laid.
    grid : GridSettings, optional
        Lay a grid; else the spots are those of `file`.
    file : pathlib.Path, optional
        As for `read_spots`.
    roi : pathlib.Path, optional
        GeoJSON: only spots inside its polygons.
    counted : collection of str, optional
        Only these spots of the file: those that have counts.
    taken : SpotsSettings, optional
        How the spots of the file are taken.

    Raises
    ------
    SpotsError, SettingsError
        If they cannot be read or laid, or none is left.
    """
    region = None if roi is None else read_region(roi)
    if grid is not None:
        return make_grid(slide, grid, region=region)
    assert file is not None  # one of the two is given
    spots = read_spots(file, slide.mpp, taken=taken)
    if counted is not None:
        spots = with_counts(spots, counted, file.name)
    return spots if region is None else keep_inside(spots, region)
