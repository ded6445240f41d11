"""A smooth surface through a result's values as an image layer that lies on the slide."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from napari_tcgn.stats import Surface
from napari_tcgn.ui.layers import layer_names, store
from napari_tcgn.ui.layers.colour_scale import ColourScale
from napari_tcgn.ui.layers.per_layer import PerLayer, unwrap
from napari_tcgn.ui.layers.placement import to_world

if TYPE_CHECKING:
    from napari.layers import Layer, Points
    from napari.viewer import Viewer

_points: PerLayer[weakref.ref[Points]] = PerLayer()


def add_surface(viewer: Viewer, layer: Points, surface: Surface, scale: ColourScale, name: str) -> Image:
    """Show a surface through the spots of a points layer, just below it; returns the image layer."""
    image = viewer.add_image(
        surface.values,
        name=name,
        colormap=scale.colormap,
        contrast_limits=scale.limits,
        interpolation2d="nearest",  # the surface is smooth by itself; NaN at its edge would spread
        opacity=0.8,
        metadata={store.MADE_FROM: store.result_of(layer)},
        **surface_placement(layer, surface),
    )
    assert isinstance(image, Image)  # several only for channels
    _points[image] = weakref.ref(unwrap(layer))
    # `layer` may be a proxy, which is never the same object as the layer in the list.
    viewer.layers.move(len(viewer.layers) - 1, viewer.layers.index(layer))
    viewer.layers.selection.active = layer
    return image


def show_surface(image: Image, layer: Points, surface: Surface, scale: ColourScale, name: str) -> None:
    """Let an image layer show another surface."""
    image.data = surface.values
    place_surface(image, layer, surface)
    colour_surface(image, scale)
    result = store.made_from(image)
    assert result is not None  # see `add_surface`
    if layer_names.is_given_by_us(image.name, result.library_id, f"{result.kind}{layer_names.SURFACE}"):
        image.name = name


def points_of_surface(image: Layer | None) -> Points | None:
    """Return the points layer through whose values a surface lies; None for any other layer."""
    found = _points.get(image)
    return None if found is None else found()


def place_surface(image: Image, layer: Points, surface: Surface) -> None:
    """Lay a surface on its points anew, after they were scaled, moved or turned."""
    for key, value in surface_placement(layer, surface).items():
        setattr(image, key, value)


def colour_surface(image: Image, scale: ColourScale) -> None:
    """Follow a colour scale."""
    if image.colormap.name != scale.colormap:
        image.colormap = scale.colormap
    limits = image.contrast_limits_range
    image.contrast_limits_range = (min(limits[0], scale.low), max(limits[1], scale.high))
    image.contrast_limits = scale.limits


def surface_placement(layer: Points, surface: Surface) -> dict[str, Any]:
    """Return the transforms that lay a surface, whose positions are px as in `Spots`, where a points layer lies."""
    return grid_placement(layer, surface.x0, surface.y0, surface.step)


def grid_placement(layer: Points, x0: float, y0: float, step: float) -> dict[str, Any]:
    """Return the transforms that lay a grid where a points layer lies.

    Parameters
    ----------
    layer : napari points layer
        Of spots.
    x0, y0 : float
        Where the middle of the grid's first px lies, in px as in `Spots`.
    step : float
        From one of its px to the next, in the same px.
    """
    # Spots count from the corner of the first px, napari from its middle (`spot_layers`).
    origin = np.array([y0, x0]) - 0.5
    affine = layer.affine.affine_matrix
    on_slide = np.linalg.solve(affine, [*to_world(layer, origin), 1.0])[:2]  # the world without `affine`
    return {
        "scale": np.asarray(layer.scale) * step,
        "translate": on_slide,
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": affine,
        "units": layer.units,
    }
