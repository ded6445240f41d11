"""Results as napari points layers, coloured by one gene.

All functions run on the main thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.ui.layers import layer_names, store
from napari_tcgn.ui.layers.colour_scale import colours_of, robust_limits
from napari_tcgn.ui.layers.drawing import drawn_of, set_colours
from napari_tcgn.ui.layers.placement import placement_of
from napari_tcgn.ui.layers.spot_layers import points_of, unblurred

if TYPE_CHECKING:
    from napari.layers import Image, Points
    from napari.viewer import Viewer


def add_result(viewer: Viewer, image: Image, result: store.Result, gene: str, colormap: str) -> Points:
    """Show a result that is being filled in; returns the points layer."""
    kwargs = result_layer_kwargs(result, gene, colormap) | placement_of(image)
    layer: Points = viewer.add_points(points_of(result.spots), **kwargs)  # type: ignore[attr-defined]  # see spot_layers
    return layer


def result_layer_kwargs(result: store.Result, gene: str, colormap: str) -> dict[str, Any]:
    """Return what `add_points` needs to show a result, beside the points and where they lie."""
    values = result.values_of(gene)
    limits = robust_limits(values)
    return {
        "name": layer_names.result_name(result.library_id, gene, result.kind),
        "features": _features(result.spots.ids.astype(object), gene, values),
        # Colours and not a feature that napari maps: it would map and draw 100,000 spots several times per gene.
        "face_color": colours_of(values, limits, colormap),
        "face_colormap": colormap,
        "face_contrast_limits": limits,
        "size": result.diameter_px,
        "border_width": 0,
        "symbol": result.spots.shape,
        **unblurred(result.spots.layout),
        "metadata": {store.KEY: result},
    }


def add_points_like(viewer: Viewer, layer: Points, **kwargs: Any) -> Points:
    """Add points in the places and the size of another points layer; returns their layer."""
    style = {"size": layer.size, "border_width": 0, "symbol": layer.symbol}
    kwargs = style | placement_of(layer) | kwargs
    added: Points = viewer.add_points(layer.data, **kwargs)  # type: ignore[attr-defined]  # see spot_layers
    return added


def add_result_like(
    viewer: Viewer, layer: Points, result: store.Result, gene: str, source: store.Result | None = None
) -> Points:
    """Show a result at the spots of another result's layer, in its colours; returns the points layer.

    `source` is the result that it was made from, on whose slide it then belongs.
    """
    values = result.values_of(gene)
    limits, colormap = robust_limits(values), layer.face_colormap.name
    return add_points_like(
        viewer,
        layer,
        name=layer_names.result_name(result.library_id, gene, result.kind, layer_names.says_partial(layer.name)),
        features=_features(layer.features["spot"].to_numpy(), gene, values),
        face_color=colours_of(values, limits, colormap),
        face_colormap=colormap,
        face_contrast_limits=limits,
        metadata={store.KEY: result} | ({} if source is None else {store.MADE_FROM: source}),
    )


def name_result(layer: Points, result: store.Result, gene: str, partial: bool) -> None:
    """Name a result layer by the gene that it shows, unless the user has renamed it."""
    name = layer_names.result_name(result.library_id, gene, result.kind, partial)
    ours = layer_names.is_given_by_us(layer.name, result.library_id, result.kind)
    if ours and layer_names.without_number(layer.name) != name:
        layer.name = name


def colour_by_gene(layer: Points, gene: str, limits: tuple[float, float], colormap: str | None = None) -> None:
    """Colour a result layer by one gene between two limits; spots without a value are transparent."""
    result = store.result_of(layer)
    assert result is not None  # only result layers come here
    values = result.values_of(gene)
    colormap = colormap or layer.face_colormap.name
    # napari does not map these colours; its colour bar and whoever saves the layer read the scale here.
    if layer.face_colormap.name != colormap:
        layer.face_colormap = colormap
    layer.face_contrast_limits = limits
    before = layer.features
    if before["gene"].iloc[0] != gene or not np.array_equal(before["value"], values, equal_nan=True):
        # In place and told of: a new table of 100,000 spots takes five times as long.
        before["gene"], before["value"] = gene, values
        layer.events.features()
    set_colours(layer, _faded(layer, result, gene, colours_of(values, limits, colormap)))


def put_values_back(layer: Points, result: store.Result, gene: str, limits: tuple[float, float], colormap: str) -> None:
    """Give the points of a result, whose number was another for a moment, their spots' names, values and colours."""
    values = result.values_of(gene)
    layer.features = _features(result.spots.ids.astype(object), gene, values)
    set_colours(layer, _faded(layer, result, gene, colours_of(values, limits, colormap)))


def _faded(layer: Points, result: store.Result, gene: str, colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return colours (float32 RGBA [n, 4]) that are faint at uncertain spots, where these are to be."""
    opacity = result.opacity_of(gene) if drawn_of(layer).fade else None
    if opacity is not None:
        colours = colours.copy()
        colours[:, 3] *= opacity
    return colours


def shown_gene(layer: Points) -> str:
    """Return the gene that a result layer shows."""
    return str(layer.features["gene"].iloc[0])


def _features(ids: NDArray[np.object_], gene: str, values: NDArray[np.float64]) -> dict[str, Any]:
    # Three columns: the status bar prints them all where the dock does not (ui/layers/hover.py).
    return {"spot": ids, "gene": np.full(len(ids), gene, dtype=object), "value": values}
