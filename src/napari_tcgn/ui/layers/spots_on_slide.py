"""Spots of a file as the dock lays them on a slide."""

from __future__ import annotations

from pathlib import Path

from napari_tcgn.options import SpotsSettings
from napari_tcgn.slide import Slide
from napari_tcgn.spots import Spots, check_on_slide, read_spots


def read_on_slide(path: Path, slide: Slide, taken: SpotsSettings | None = None) -> Spots:
    """Return the spots of a file or folder of any kind, checked against a slide.

    The µm per px of the slide may be unknown, or can still be changed: that the array implies another one is shown by
    the dock, and refused when the spots are to be predicted.

    Raises
    ------
    SpotsError
        If it cannot be read or does not lie on the slide.
    """
    return check_on_slide(read_spots(path, slide.mpp, taken=taken), slide, scale=False)
