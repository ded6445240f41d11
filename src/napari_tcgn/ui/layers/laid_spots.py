"""The spots that wait for a run, as a layer on the chosen slide."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.utils.notifications import show_warning

from napari_tcgn.errors import SpotsError
from napari_tcgn.spots import Spots
from napari_tcgn.ui.layers import layer_names, spot_layers
from napari_tcgn.ui.layers.per_layer import PerLayer, unwrap
from napari_tcgn.ui.layers.story import Story
from napari_tcgn.ui.state import DockState

if TYPE_CHECKING:
    from napari.layers import Points
    from napari.utils.events import Event
    from napari.viewer import Viewer

ORIGIN = "napari_tcgn_spots_origin"  # in the metadata of a layer of spots

PUT_BACK = "Spots can be deleted by hand, but neither moved nor added, nor all of them deleted: they were put back."
DURING_RUN = "Spots are not changed while a run predicts at them: they were put back."


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """What the spots of a layer were made of.

    Attributes
    ----------
    file : Path or None
        The table that they were read from; their source names it without its folder.
    everywhere : Spots or None
        Those of the table, also outside of the region; None for a grid, which is laid anew.
    deleted : set of str
        Names of those that were deleted by hand.
    """

    file: Path | None = None
    everywhere: Spots | None = None
    deleted: frozenset[str] = frozenset()

    def __deepcopy__(self, memo: dict[int, object]) -> Origin:
        return self


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
    def origin(self) -> Origin:
        """What the spots were made of."""
        return Origin() if self.layer is None else self.layer.metadata.get(ORIGIN, Origin())

    def take_part(self, spots: Spots) -> None:
        """Show another part of the same spots: those inside a region, less those that were deleted by hand.

        Raises
        ------
        SpotsError
            If nothing is left.
        """
        origin = self.origin
        gone = np.isin(spots.ids, list(origin.deleted))
        if gone.all():
            raise SpotsError("All spots inside the region were deleted by hand.", "Lay or read the spots again.")
        if gone.any():
            spots = spots.select(~gone)
            spots = replace(spots, source=replace(spots.source, deleted=int(gone.sum())))
        self.take(spots, origin)

    def take(self, spots: Spots, origin: Origin | None = None) -> None:
        """Show spots on the chosen slide instead of those before."""
        image, mpp = self._state.image, self._state.mpp
        assert image is not None  # the spots were laid on it
        if self.layer is not None and self.layer in self._viewer.layers:
            spot_layers.show_other_spots(self.layer, image, spots, mpp)
            layer_names.name_spots(self.layer, predicted=False)
        else:
            self.layer = spot_layers.add_spots(self._viewer, image, spots, mpp)
        self.layer.metadata[ORIGIN] = origin if origin is not None else Origin()
        self._state.spots = spots
        self._story.tell(self.layer)
        self._story.reveal(self.layer)

    def _on_data(self, event: Event) -> None:
        if event.source is unwrap(self._layer):
            self.check()

    def check(self) -> None:
        """Follow points that were deleted by hand; put back those that were moved, added, or all deleted."""
        layer, spots, image, mpp = unwrap(self._layer), self._state.spots, self._state.image, self._state.mpp
        if layer is None or spots is None or image is None:
            return
        points = spot_layers.points_of(spots)
        if not self._following or (layer.data.shape == points.shape and np.allclose(layer.data, points)):
            return
        # By name, since napari tells which points go in more than one way.
        kept = np.isin(spots.ids, layer.features["spot"].to_numpy(dtype=str))
        only_deleted = kept.any() and np.array_equal(layer.data, points[kept])
        if only_deleted and not self._state.running:
            gone = spots.ids[~kept].tolist()
            layer.metadata[ORIGIN] = replace(self.origin, deleted=self.origin.deleted | set(gone))
            chosen = spots.select(kept)
            deleted = len(gone) + (spots.source.deleted or 0)
            self._state.spots = replace(chosen, source=replace(spots.source, deleted=deleted))
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
