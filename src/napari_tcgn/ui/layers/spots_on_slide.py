"""Spots of a file as the dock lays them on a slide."""

from __future__ import annotations

from pathlib import Path

from napari_tcgn.options import SpotsSettings
from napari_tcgn.slide import Slide
from napari_tcgn.spots import GridSource, Region, Spots, check_on_slide, keep_inside, make_grid, read_spots


def read_on_slide(
    path: Path, slide: Slide, region: Region | None, taken: SpotsSettings | None = None
) -> tuple[Spots, Spots]:
    """Return the spots of a file or folder of any kind, checked against a slide: all, and those inside a region.

    The µm per px of the slide may be unknown, or can still be changed: that the array implies another one is shown by
    the dock, and refused when the spots are to be predicted.

    Raises
    ------
    SpotsError
        If it cannot be read or does not lie on the slide, or none of them lies inside the region.
    """
    everywhere = check_on_slide(read_spots(path, slide.mpp, taken=taken), slide, scale=False)
    return everywhere, everywhere if region is None else keep_inside(everywhere, region)


def lay_again(slide: Slide, spots: Spots, region: Region | None) -> Spots:
    """Return the same grid, or of the same spots of a file those, inside a region; None for everywhere.

    Raises
    ------
    SpotsError
        If there is none.
    """
    if isinstance(spots.source, GridSource) and spots.source.settings is not None:
        return make_grid(slide, spots.source.settings, region=region)
    return spots if region is None else keep_inside(spots, region)
