"""Spots of a file as the dock lays them on a slide."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from napari_tcgn.slide import Slide
from napari_tcgn.spots import Region, Spots, StSource, check_on_slide, implied_mpp, keep_inside, read_spots


def read_on_slide(path: Path, slide: Slide, region: Region | None) -> Spots:
    """Return the spots of a file or folder of any kind, checked against a slide; inside a region if one is given.

    An ST table's array implies the µm per px: it is noted in `source`, so that the dock can compare it.

    Raises
    ------
    SpotsError
        If it cannot be read or does not lie on the slide.
    """
    spots = check_on_slide(read_spots(path, slide.mpp, taken=taken), slide, scale=False)
    if isinstance(spots.source, StSource) and (implied := implied_mpp(spots)) is not None:
        spots = replace(spots, source=replace(spots.source, implied_mpp=round(implied, 5)))
    return spots if region is None else keep_inside(spots, region)
