"""File ▸ Open Sample: the section that comes with the package."""

from __future__ import annotations

from typing import Any

from napari_tcgn.errors import DataError
from napari_tcgn.sample import sample_folder
from napari_tcgn.slide import open_slide
from napari_tcgn.ui.layers.pyramid import LevelLike, levels_for_napari
from napari_tcgn.ui.layers.slide_layers import slide_layer_kwargs


def open_sample() -> list[tuple[list[LevelLike], dict[str, Any], str]]:
    """Return the sample slide as napari layer data: a multiscale RGB image with its scale in µm.

    Raises
    ------
    DataError
        If the installation has no sample.
    """
    folder = sample_folder()
    slides = sorted([*folder.glob("*.tif"), *folder.glob("*.tiff")])
    if not slides:
        raise DataError(f"There is no slide in {folder}.", "Install napari-tcgn again.")
    slide = open_slide(slides[0])
    return [(levels_for_napari(slide), slide_layer_kwargs(slide), "image")]
