"""What the viewer's canvas shows besides layers: the scale bar, labels, colour bars, and where the camera looks.

All functions run on the main thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.ui.layers import store
from napari_tcgn.ui.layers.per_layer import unwrap

if TYPE_CHECKING:
    from napari.layers import Layer, Points
    from napari.viewer import Viewer

PLACES = ("top_left", "top_right")  # of labels
LINES = 9  # of a label, at most
LETTER = 9  # px, about, of a label's text
PAPER, INK = (1.0, 1.0, 1.0, 0.85), "black"  # behind labels and colour bars, on whatever slide and theme
BAR = (18.0, 130.0)  # px: width and height of a colour bar


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


def size_events(viewer: Viewer) -> tuple[Any, ...]:
    """Return the events that tell of another size of the canvas, for which labels are wrapped anew."""
    canvas = getattr(viewer, "canvas", None)
    return () if canvas is None else (canvas.events.size,)


def show_label(viewer: Viewer, place: str, lines: Sequence[tuple[str, str]], share: float = 1.0) -> None:
    """Write lines of text into a corner of the canvas; without any, take them away.

    Parameters
    ----------
    viewer : napari.Viewer
    place : {"top_left", "top_right"}
    lines : sequence of (str, str)
        Text and colour; "": black.
    share : float
        Of the canvas's width, that a line may have before it is wrapped.
    """
    canvas = getattr(viewer, "canvas", None)
    if canvas is None:  # before napari 0.9 there is one text
        if place == PLACES[0]:
            text = viewer.text_overlay
            text.position, text.text, text.visible = place, "\n".join(text for text, _ in lines), bool(lines)
        return
    setattr(canvas.overlay_tiling, place, "vertical")
    letters = max(10, int(share * canvas.size[1] / LETTER))
    wrapped = [(part, colour) for line, colour in lines for part in wrap(line, letters)]
    for number in range(LINES):
        overlay = _text(canvas.overlays, f"tcgn_{place}_{number}", place)
        line, colour = wrapped[number] if number < len(wrapped) else ("", "")
        if not line:
            overlay.visible = False
            continue
        overlay.color = colour or INK
        overlay.text = f"{line} "  # napari's box is a little too narrow
        overlay.visible = True


def _text(overlays: Any, key: str, place: str) -> Any:
    """Return a text of the canvas, added if it is not there yet."""
    from napari.components.overlays import TextOverlay

    if key not in overlays:
        overlays[key] = TextOverlay(position=place, box=True)
        overlays[key].box_color = PAPER
    return overlays[key]


def show_colour_bar(layer: Points, place: str) -> None:
    """Show the colour bar of a layer in a corner of the canvas; "" hides it."""
    bar = getattr(layer, "face_colorbar", None)
    if bar is None or (not place and not bar.visible):
        return
    if place:
        bar.position, bar.size, bar.box_color, bar.color = place, BAR, PAPER, INK
    bar.visible = bool(place)


def look_at(viewer: Viewer, places: NDArray[np.float64], seen_px: float = 300.0) -> None:
    """Move the camera so that places in the world (float64 [n, 2]) are around the middle.

    The zoom stays where they lie within `seen_px` px of the canvas; else it becomes as small as that needs.
    """
    camera = _camera(viewer)
    middle = places.mean(axis=0)
    camera.center = (*camera.center[:-2], float(middle[0]), float(middle[1]))
    apart = float(np.ptp(places, axis=0).max())
    if apart * camera.zoom > seen_px:
        camera.zoom = seen_px / apart


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
