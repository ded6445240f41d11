"""What the viewer's canvas shows besides layers: the scale bar, a sentence, and where the camera looks.

All functions run on the main thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.ui.layers import store
from napari_tcgn.ui.layers.per_layer import unwrap

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer


def show_scale_bar(viewer: Viewer) -> None:
    """Show napari's scale bar."""
    canvas = getattr(viewer, "canvas", None)
    overlay = viewer.scale_bar if canvas is None else canvas.overlays.scale_bar  # before and since napari 0.9
    overlay.visible = True


def show_scale_of(viewer: Viewer, layer: Layer) -> None:
    """Show napari's scale bar if a layer shows a result of known µm per px."""
    result = store.result_of(layer)
    if result is not None and result.mpp is not None:
        show_scale_bar(viewer)


def say(viewer: Viewer, sentence: str, instead_of: str) -> None:
    """Show a sentence at the top of the canvas; "" shows none.

    Parameters
    ----------
    viewer : napari.Viewer
    sentence : str
    instead_of : str
        What was said here before; any other text there is the user's own, and is left.
    """
    canvas = getattr(viewer, "canvas", None)
    overlay = viewer.text_overlay if canvas is None else canvas.overlays.text  # before and since napari 0.9
    if overlay.text in ("", instead_of) and (overlay.text or sentence):
        overlay.text, overlay.visible = sentence, bool(sentence)
        overlay.position, overlay.font_size = "top_left", 12


def look_at(viewer: Viewer, place: NDArray[np.float64]) -> None:
    """Move the camera so that a place in the world (float64 [2]) is in the middle; the zoom stays."""
    camera = _camera(viewer)
    camera.center = (*camera.center[:-2], float(place[0]), float(place[1]))


def frame(viewer: Viewer, shown: Sequence[Layer]) -> None:
    """Let the camera show some layers as large as they fit."""
    try:
        viewer.reset_view(layers=[unwrap(layer) for layer in shown])
        _camera(viewer).zoom *= 0.9  # spots at the edge are seen whole
    except TypeError:  # an older napari can only show everything
        viewer.reset_view()


def _camera(viewer: Viewer) -> Any:
    scene = getattr(viewer, "scene", None)
    return viewer.camera if scene is None else scene.camera  # before and since napari 0.9
