"""A region of interest drawn by hand: napari shapes on a slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Shapes
from numpy.typing import NDArray

from napari_tcgn.errors import SpotsError
from napari_tcgn.spots import Region, RegionRecord, region_of_polygons
from napari_tcgn.ui.layers.half_names import NAMES
from napari_tcgn.ui.layers.lies_on import lay_on
from napari_tcgn.ui.layers.placement import picture_placement, px_of

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

SUFFIX = " · region"
ELLIPSE_CORNERS = 90
COLOUR = "#ffb000"


def shapes_layers(viewer: Viewer) -> list[Shapes]:
    """Return the viewer's shapes layers in two dimensions, without those in which names are written."""
    shapes = [layer for layer in viewer.layers if isinstance(layer, Shapes) and layer.ndim == 2]
    return [layer for layer in shapes if NAMES not in layer.metadata]


def add_region_layer(viewer: Viewer, image: Image) -> Shapes:
    """Add an empty shapes layer on a slide, ready to draw a polygon."""
    layer: Shapes = viewer.add_shapes(  # type: ignore[attr-defined]  # napari adds the method at run time
        name=f"{image.name}{SUFFIX}",
        ndim=2,
        face_color=[0, 0, 0, 0],
        edge_color=COLOUR,
        **picture_placement(image, 1.0),
    )
    finest = image.data[0] if image.multiscale else image.data
    layer.current_edge_width = max(1.0, max(finest.shape[:2]) / 400)  # px of the image, seen at every zoom
    layer.mode = "add_polygon"
    lay_on(layer, image)
    return layer


def region_of_shapes(layer: Shapes, image: Image) -> Region:
    """Return what the shapes of a layer enclose together on an image.

    Lines and open paths enclose nothing and are left out.

    Raises
    ------
    SpotsError
        If nothing is enclosed, or an outline crosses itself.
    """
    outlines = [
        _outline(np.asarray(corners, float), kind)
        for corners, kind in zip(layer.data, layer.shape_type, strict=True)
        if kind in ("polygon", "rectangle", "ellipse")
    ]
    if not outlines:
        raise SpotsError(
            f"Layer {layer.name!r} encloses nothing: it has {len(layer.data)} shapes, and none is a polygon, rectangle "
            "or ellipse.",
            "Draw one around the tissue.",
        )
    # (row, column) from the middle of the first px becomes (x, y) from the image's corner.
    polygons = [px_of(image, layer, outline)[:, ::-1] + 0.5 for outline in outlines]
    return region_of_polygons(polygons, source=RegionRecord(layer=layer.name))


def _outline(corners: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    if kind != "ellipse":
        return corners
    # napari keeps an ellipse as the rectangle around it.
    centre = corners.mean(axis=0)
    first, second = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, ELLIPSE_CORNERS, endpoint=False)[:, None]
    outline: NDArray[np.float64] = centre + np.cos(angle) * first + np.sin(angle) * second
    return outline
