"""Names above two halves that stand side by side: text in the world, which moves and zooms with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from napari.layers import Image, Points
from numpy.typing import NDArray

from napari_tcgn.ui.layers import store
from napari_tcgn.ui.layers.per_layer import unwrap
from napari_tcgn.ui.layers.placement import to_world

if TYPE_CHECKING:
    from napari.layers import Layer, Shapes
    from napari.viewer import Viewer

INK, PLATE = "white", "#202020e0"  # read on tissue, on glass, and on the black and the white canvas
WIDTH_IN_LETTERS = 24  # of a half
PLATE_LETTERS, PLATE_LINES = 22.0, 4.4  # width and height of a plate, in sizes of the text
NAMES = f"{store.KEY}_names"  # in the metadata of the layer


class Extent(NamedTuple):
    """Where something lies in the world, in the units of its layer: its top and its sides on the screen."""

    top: float
    left: float
    right: float


def extent_of(layer: Image | Points) -> Extent:
    """Return where an image, or points with their size, lie in the world."""
    if isinstance(layer, Image):
        rows, columns = (layer.data[0] if layer.multiscale else layer.data).shape[:2]
        low, high = np.array([-0.5, -0.5]), np.array([rows - 0.5, columns - 0.5])
    else:
        reach = float(np.max(layer.size)) / 2
        low, high = layer.data.min(axis=0) - reach, layer.data.max(axis=0) + reach
    corners = np.array([to_world(layer, (y, x)) for y in (low[0], high[0]) for x in (low[1], high[1])])
    return Extent(float(corners[:, 0].min()), float(corners[:, 1].min()), float(corners[:, 1].max()))


def add_names(viewer: Viewer, name: str, extents: Sequence[Extent], texts: Sequence[str], below: Layer) -> Shapes:
    """Write texts of two lines above two places, in the units of the layer `below` them; returns their layer."""
    size = (extents[0].right - extents[0].left) / WIDTH_IN_LETTERS
    layer: Shapes = viewer.add_shapes(  # type: ignore[attr-defined]  # napari adds the method at run time
        _plates(extents, size),
        name=name,
        shape_type="rectangle",
        features={"text": np.array(texts, dtype=object)},
        text={"string": "{text}", "size": size, "scaling": True, "color": INK, "anchor": "center"},
        face_color=PLATE,
        edge_width=0,
        opacity=1.0,
        units=below.units,
        metadata={NAMES: True},
    )
    return unwrap(layer)


def write_names(layer: Shapes, texts: Sequence[str]) -> None:
    """Let the names be others."""
    if list(layer.features["text"]) != list(texts):
        layer.features = {"text": np.array(texts, dtype=object)}
        layer.refresh_text()  # type: ignore[no-untyped-call]  # napari's


def _plates(extents: Sequence[Extent], size: float) -> list[NDArray[np.float64]]:
    bottom = min(extent.top for extent in extents) - 0.5 * size
    high, reach = PLATE_LINES * size, PLATE_LETTERS / 2 * size
    middles = [(extent.left + extent.right) / 2 for extent in extents]
    return [np.array([[bottom - high, middle - reach], [bottom, middle + reach]]) for middle in middles]
