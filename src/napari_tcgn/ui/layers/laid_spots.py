"""The spots that wait for a run, as a layer on the chosen slide."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.utils.notifications import show_warning

from napari_tcgn.spots import Spots
from napari_tcgn.ui.layers import layer_names, spot_layers
from napari_tcgn.ui.layers.per_layer import PerLayer, unwrap
from napari_tcgn.ui.layers.story import Story
from napari_tcgn.ui.state import DockState

if TYPE_CHECKING:
    from napari.layers import Points
    from napari.utils.events import Event
    from napari.viewer import Viewer

SPOTS_FILE = "napari_tcgn_spots_file"  # in the metadata of a layer of spots


PUT_BACK = "Spots can be deleted by hand, but neither moved nor added, nor all of them deleted: they were put back."
DURING_RUN = "Spots are not changed while a run predicts at them: they were put back."


class LaidSpots:
    """Keeps `state.spots` and the layer that shows them together, also when points are deleted by hand.

    Parameters
    ----------
    viewer : napari.Viewer
    state : DockState
    story : Story
        Shows spots that were just laid instead of what was predicted at others.

    Attributes
    ----------
    layer : points layer or None
        Shows `state.spots`.
    """

    def __init__(self, viewer: Viewer, state: DockState, story: Story) -> None:
        self._viewer, self._state, self._story = viewer, state, story
        self._layer: Points | None = None
        self._watched: PerLayer[bool] = PerLayer()
        self._following = True

    @property
    def layer(self) -> Points | None:
        """The layer; whoever sets it has set `state.spots` too, or does so next."""
        return self._layer

    @layer.setter
    def layer(self, layer: Points | None) -> None:
        self._layer = layer
        if layer is not None and layer not in self._watched:
            self._watched[layer] = True
            layer.events.data.connect(self._on_data)

    @property
    def file(self) -> Path | None:
        """The table that the spots were read from; their source names it without its folder."""
        return None if self.layer is None else self.layer.metadata.get(SPOTS_FILE)

    def take(self, spots: Spots, file: Path | None = None) -> None:
        """Show spots on the chosen slide instead of those before."""
        image, mpp = self._state.image, self._state.mpp
        assert image is not None  # the spots were laid on a slide of known µm per px
        assert mpp is not None
        if self.layer is not None and self.layer in self._viewer.layers:
            spot_layers.show_other_spots(self.layer, image, spots, mpp)
            layer_names.name_spots(self.layer, predicted=False)
        else:
            self.layer = spot_layers.add_spots(self._viewer, image, spots, mpp)
        self.layer.metadata[SPOTS_FILE] = file
        self._state.spots = spots
        self._story.tell(self.layer)
        self._story.reveal(self.layer)

    def _on_data(self, event: Event) -> None:
        """Follow points that were deleted by hand; put back those that were moved, added, or all deleted."""
        layer, spots, image, mpp = unwrap(self._layer), self._state.spots, self._state.image, self._state.mpp
        if event.source is not layer or layer is None or spots is None or image is None or mpp is None:
            return
        points = spot_layers.points_of(spots)
        if not self._following or (layer.data.shape == points.shape and np.allclose(layer.data, points)):
            return
        # By name, since napari tells which points go in more than one way.
        kept = np.isin(spots.ids, layer.features["spot"].to_numpy(dtype=str))
        only_deleted = kept.any() and np.array_equal(layer.data, points[kept])
        if only_deleted and not self._state.running:
            gone = int((~kept).sum()) + (spots.source.deleted or 0)
            chosen = spots.select(kept)
            self._state.spots = replace(chosen, source=replace(spots.source, deleted=gone))
            return
        self._following = False  # napari tells of this change too
        try:
            spot_layers.show_other_spots(layer, image, spots, mpp)
        finally:
            self._following = True
        show_warning(DURING_RUN if self._state.running else PUT_BACK)

    def drop(self) -> None:
        """Take the spots and their layer away."""
        layer, self.layer, self._state.spots = self.layer, None, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
