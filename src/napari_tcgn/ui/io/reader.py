"""napari's reader of slides: drag and drop, File ▸ Open, `viewer.open`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari_tcgn.errors import SlideError
from napari_tcgn.slide import Slide, open_slide
from napari_tcgn.ui.io.dialogs import IMAGES, open_from_dialog
from napari_tcgn.ui.layers.pyramid import LevelLike, levels_for_napari
from napari_tcgn.ui.layers.slide_layers import slide_layer_kwargs

# Of these names most files are no slides: what is no slide is left to napari's own readers and those of others.
PLAIN_IMAGES = (".jpg", ".jpeg", ".png")
SHARED_NAMES = (*PLAIN_IMAGES, ".tif", ".tiff", ".btf")
MIN_PLAIN_PIXELS = 3_000_000  # Visium's tissue_hires_image is a slide, icons and most figures are not

LayerData = tuple[list[LevelLike], dict[str, Any], str]
Reader = Callable[[str | Sequence[str]], list[LayerData]]


def get_reader(path: str | Sequence[str] | None = None) -> Reader | None:
    """Return the reader of a slide, or None to leave the path to others (npe2's contract).

    Without a path, as the command palette calls it, ask for a file and open it.

    Left to others are lists of several paths, small JPEG and PNG images, TIFF that is no RGB image of 8 bits, and
    folders that are no OME-Zarr image of that kind. A damaged file with a name that only slides have is taken, so
    that the reader can say what is wrong.
    """
    if path is None:
        open_from_dialog("Open an H&E slide", IMAGES)
        return None
    single = _single(path)
    if single is None:
        return None
    suffix = single.suffix.lower()
    if (suffix in SHARED_NAMES or single.is_dir()) and not _is_slide(single, suffix):
        return None
    return read_slide


def read_slide(path: str | Sequence[str]) -> list[LayerData]:
    """Open a slide as one multiscale RGB layer with its µm per px as scale.

    Raises
    ------
    SlideError
        If it cannot be opened.
    """
    single = _single(path)
    if single is None:
        raise SlideError("Several paths were given as one slide.", "Open slides one by one.")
    slide = open_slide(single)
    return [(levels_for_napari(slide), slide_layer_kwargs(slide), "image")]


def _single(path: str | Sequence[str]) -> Path | None:
    paths = [path] if isinstance(path, str) else list(path)
    return Path(paths[0]) if len(paths) == 1 else None


def _is_slide(path: Path, suffix: str) -> bool:
    try:
        slide: Slide = open_slide(path)
    except SlideError:
        return False
    width, height = slide.level_dimensions[0]
    slide.close()
    return suffix not in PLAIN_IMAGES or width * height >= MIN_PLAIN_PIXELS
