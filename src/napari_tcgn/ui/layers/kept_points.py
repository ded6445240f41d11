"""The points of a result are its spots: whoever adds, moves or deletes one by hand gets them back, and is told why."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import numpy as np
from napari.utils.notifications import show_warning

from napari_tcgn.ui.layers import drawing, result_layers, store
from napari_tcgn.ui.layers.colours import Colours
from napari_tcgn.ui.layers.per_layer import unwrap
from napari_tcgn.ui.layers.spot_layers import points_of

if TYPE_CHECKING:
    from napari.layers import Layer, Points
    from napari.utils.events import Event
    from napari.viewer import Viewer

SENTENCE = (
    "Points of a result stay as they are: they were put back. "
    "To predict at others, change the spots and run again; to show fewer, export with a region."
)


class KeptPoints:
    """Keeps the points of every result layer of a viewer.

    Parameters
    ----------
    viewer : napari.Viewer
    colours : Colours
        Colours a layer again that has got its points back.
    """

    def __init__(self, viewer: Viewer, colours: Colours) -> None:
        self._viewer, self._colours = viewer, colours
        self._watched: weakref.WeakSet[Layer] = weakref.WeakSet()
        self._gene = ""  # that the layer showed before the change in hand
        self._mending = False
        viewer.layers.events.inserted.connect(self._on_inserted)
        for layer in viewer.layers:
            self._watch(layer)

    def close(self) -> None:
        """Leave the layers alone."""
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        for layer in self._watched:
            layer.events.data.disconnect(self._on_data)

    def _on_inserted(self, event: Event) -> None:
        self._watch(event.value)

    def _watch(self, layer: Layer) -> None:
        layer = unwrap(layer)
        if store.shows_result(layer) and layer not in self._watched:
            self._watched.add(layer)
            layer.events.data.connect(self._on_data)

    def _on_data(self, event: Event) -> None:
        layer = event.source
        result = store.result_of(layer)
        if self._mending or result is None:
            return
        if len(layer.features):  # there are none when all are deleted; napari tells of that beforehand too
            self._gene = result_layers.shown_gene(layer)
        points = points_of(result.spots)
        if np.shape(layer.data) == points.shape and np.allclose(layer.data, points):
            return
        self._mending = True
        try:
            self._mend(layer, result, points)
        finally:
            self._mending = False
        show_warning(SENTENCE)

    def _mend(self, layer: Points, result: store.Result, points: np.ndarray) -> None:
        scale = self._colours.scale(layer)
        layer.selected_data = set()
        layer.data = points
        layer.symbol = result.spots.shape
        drawing.draw_as(layer, drawing.drawn_of(layer), result.diameter_px)
        layer.shown = np.ones(len(points), dtype=bool)
        result_layers.put_values_back(layer, result, self._gene, scale.limits, scale.colormap)
