"""A ring around one spot of a comparison, in both of its layers, with the camera on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Points

from napari_tcgn.ui.layers import canvas, result_layers, store
from napari_tcgn.ui.layers.hover import value_text
from napari_tcgn.ui.layers.layer_names import DOT
from napari_tcgn.ui.layers.per_layer import unwrap
from napari_tcgn.ui.layers.placement import to_world
from napari_tcgn.ui.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

COLOUR = "#00d5ff"  # in none of the colour maps that run from dark to bright, nor that of spots unlike the training
WIDER = 1.5  # than the spot
RIM = 0.18  # of the ring's diameter


class SpotMark:
    """Marks one spot at a time.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ring: Points | None = None
        session.story.told.connect(self.remove)  # what is marked may lie elsewhere, or be hidden

    def disconnect_all(self) -> None:
        """Take the ring away and follow the viewer no longer."""
        self.remove()
        self._session.story.told.disconnect(self.remove)

    def mark(self, layers: Sequence[Points], spot: int, look: bool = True) -> str:
        """Put a ring around a spot wherever one of some layers is shown, look there, and say what it is.

        Parameters
        ----------
        layers : sequence of points layers
            Of results at the same spots; the camera goes between those that are shown.
        spot : int
            Its number among the points of each layer.
        look : bool
            Whether the camera goes there.

        Returns
        -------
        str
            Which spot it is, with its value in every layer; it stands in the status bar, too.
        """
        self.remove()
        viewer = self._session.viewer
        shown = [layer for layer in layers if layer.visible]
        if shown:
            places = np.array([to_world(layer, layer.data[spot]) for layer in shown])
            with self._session.selection_kept():
                self._ring = self._add_ring(shown[0], places, spot)
            if look:
                canvas.look_at(viewer, places)
        sentence = _sentence(layers, spot)
        viewer.status = sentence
        return sentence

    def remove(self) -> None:
        """Take the ring away."""
        ring, self._ring = self._ring, None
        if ring is not None and not self._session.closed and ring in self._session.viewer.layers:
            self._session.viewer.layers.remove(ring)

    def _add_ring(self, layer: Points, places: np.ndarray, spot: int) -> Points:
        across = to_world(layer, (0.0, 1.0)) - to_world(layer, (0.0, 0.0))
        size = float(layer.size[spot]) * float(np.linalg.norm(across))
        result = store.result_of(layer)
        assert result is not None  # only results are compared
        ring: Points = self._session.viewer.add_points(  # type: ignore[attr-defined]  # added at run time
            places,
            name=f"{result.library_id}{DOT}spot {result.spots.ids[spot]}",
            size=size * WIDER,
            face_color="transparent",
            border_color=COLOUR,
            border_width=RIM,
            units=layer.units,
        )
        return unwrap(ring)


def _sentence(layers: Sequence[Points], spot: int) -> str:
    """Return a spot's name and its values ("spot 10x12 · GNAS: predicted 1.84, measured 2.01 log10(…)")."""
    values, names = [], []
    for layer in layers:
        result = store.result_of(layer)
        assert result is not None  # only results are compared
        value = float(layer.features["value"].iloc[spot])
        values.append(value_text(result.kind, value, ""))
        names.append((result.spots.ids[spot], result_layers.shown_gene(layer), result.output_scale))
    spot_id, gene, unit = names[0]
    return f"spot {spot_id}{DOT}{gene}: {', '.join(values)} {unit}"
