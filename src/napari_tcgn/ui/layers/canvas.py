"""What the viewer's canvas shows besides layers: the scale bar, and where the camera looks.

All functions run on the main thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_tcgn.ui.layers.per_layer import unwrap

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer


def show_scale_bar(viewer: Viewer) -> None:
    """Show napari's scale bar."""
    canvas = getattr(viewer, "canvas", None)
    overlay = viewer.scale_bar if canvas is None else canvas.overlays.scale_bar  # before and since napari 0.9
    overlay.visible = True


def frame(viewer: Viewer, shown: Sequence[Layer]) -> None:
    """Let the camera show some layers as large as they fit."""
    try:
        viewer.reset_view(layers=[unwrap(layer) for layer in shown])
        scene = getattr(viewer, "scene", None)
        camera = viewer.camera if scene is None else scene.camera  # before and since napari 0.9
        camera.zoom *= 0.9  # spots at the edge are seen whole
    except TypeError:  # an older napari can only show everything
        viewer.reset_view()
