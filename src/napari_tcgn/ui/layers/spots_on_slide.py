"""Spots of a file as the dock lays them on a slide."""

from __future__ import annotations

from pathlib import Path

from napari_tcgn.options import SpotsSettings
from napari_tcgn.slide import Slide
from napari_tcgn.spots import Region, Spots, check_on_slide, keep_inside, read_spots


def read_on_slide(path: Path, slide: Slide, region: Region | None, taken: SpotsSettings | None = None) -> Spots:
    """Return the spots of a file or folder of any kind, checked against a slide; inside a region if one is given.

    The µm per px of the slide can still be changed: that the array implies another one is shown by the dock, and
    refused when the spots are to be predicted.

    Raises
    ------
    SpotsError
        If it cannot be read or does not lie on the slide.
    """
    spots = check_on_slide(read_spots(path, slide.mpp, taken=taken), slide, scale=False)
    return spots if region is None else keep_inside(spots, region)
