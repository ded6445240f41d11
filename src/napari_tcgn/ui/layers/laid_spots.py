"""The spots that wait for a run, as a layer on the chosen slide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_tcgn.spots import Spots
from napari_tcgn.ui.layers import spot_layers
from napari_tcgn.ui.state import DockState

if TYPE_CHECKING:
    from napari.layers import Points
    from napari.viewer import Viewer

SPOTS_FILE = "napari_tcgn_spots_file"  # in the metadata of a layer of spots


class LaidSpots:
    """Keeps `state.spots` and the layer that shows them together.

    Parameters
    ----------
    viewer : napari.Viewer
    state : DockState

    Attributes
    ----------
    layer : points layer or None
        Shows `state.spots`.
    """

    def __init__(self, viewer: Viewer, state: DockState) -> None:
        self._viewer, self._state = viewer, state
        self.layer: Points | None = None

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
            self.layer.visible = True  # a run that has ended hides them
        else:
            self.layer = spot_layers.add_spots(self._viewer, image, spots, mpp)
        self.layer.metadata[SPOTS_FILE] = file
        self._state.spots = spots

    def drop(self) -> None:
        """Take the spots and their layer away."""
        layer, self.layer, self._state.spots = self.layer, None, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
