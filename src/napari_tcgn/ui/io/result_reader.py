"""File ▸ Open for .h5ad: a section as its picture and a points layer that the dock's gene browser works on.

No AnnData stands in the layers' metadata but the `Result` (see `ui.store`), which keeps it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_warning

from napari_tcgn.ui.io.dialogs import SECTIONS, open_from_dialog
from napari_tcgn.ui.layers import colour_scale, layer_names, placement, result_layers, slide_layers, spot_layers, store
from napari_tcgn.ui.words import in_the_dock

if TYPE_CHECKING:
    from napari_tcgn.expression import Library

LayerData = tuple[Any, dict[str, Any], str]
COLORMAP = "viridis"
PIXEL = "pixel"


def get_reader(path: str | list[str] | None = None) -> Callable[[str], list[LayerData]] | None:
    """Return the reader of one .h5ad file (npe2's door); None for anything else.

    Without a path, as the command palette calls it, ask for a file and open it.
    """
    if path is None:
        open_from_dialog("Open a section with its genes", SECTIONS)
        return None
    return read_layers if isinstance(path, str) and path.endswith(".h5ad") else None


def read_layers(path: str) -> list[LayerData]:
    """Read every section of an .h5ad as napari layer data: its picture, if it has one, and its spots.

    Layers lie in µm where the file says how many µm a full-resolution px covers, else in full-resolution px.

    Raises
    ------
    DataError, SpotsError
        If the file is no AnnData, is too large, or its spots have no positions.
    """
    from napari_tcgn.expression import library_ids, library_of, read_section

    adata, notes = read_section(path)
    found: list[LayerData] = []
    for library_id in library_ids(adata):
        library = library_of(adata, library_id)
        notes += [f"{library_id}: {doubt}" for doubt in library.doubts]
        result = store.Result.of_library(library)
        if library.picture is not None:
            found.append(_picture(library, result))
        found.append(_spots(result))
        if library.mpp is None:
            notes.append(f"{library_id}: the file does not say the µm per pixel; the layers are in px.")
    for note in notes:
        show_warning(in_the_dock(note))
    return found


def _placement(mpp: float | None, px: float = 1.0) -> dict[str, Any]:
    """Place what counts in steps of `px` full-resolution px."""
    step = px * (mpp if mpp is not None else 1.0)
    return {"scale": (step, step), "units": (placement.MICROMETRE if mpp is not None else PIXEL,) * 2}


def _picture(library: Library, result: store.Result) -> LayerData:
    px = 1 / library.picture_scale
    # napari puts the middle of the first px at 0, in the picture as in the slide.
    shift = (px - 1) / 2 * (library.mpp if library.mpp is not None else 1.0)
    kwargs = {
        "name": f"{library.library_id} · H&E",
        "rgb": True,
        "translate": (shift, shift),
        "metadata": {slide_layers.THUMBNAIL: True, store.MADE_FROM: result},
        **_placement(library.mpp, px),
    }
    return library.picture, kwargs, "image"


def _spots(result: store.Result) -> LayerData:
    gene = store.best_gene(result)
    kwargs = result_layers.result_layer_kwargs(result, gene, COLORMAP) | _placement(result.mpp)
    kwargs["face_contrast_limits"] = colour_scale.robust_limits(result.values_of(gene))
    kwargs["name"] = layer_names.result_name(result.library_id, gene, result.kind, result.partial)
    return spot_layers.points_of(result.spots), kwargs, "points"
