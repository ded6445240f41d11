"""Spots of a result are not drawn where a map of an explanation lies: its colours would mix with theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Points

from napari_tcgn.ui.layers import explanation_layers as drawn, store
from napari_tcgn.ui.layers.per_layer import PerLayer
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.tasks.later import Later

if TYPE_CHECKING:
    from napari.utils.events import Event


class Uncovering:
    """Leaves out the spots below the maps that are seen.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._watched: PerLayer[bool] = PerLayer()
        self._later = Later(self.update)
        session.viewer.layers.events.inserted.connect(self._on_inserted)
        session.viewer.layers.events.removed.connect(self._on_removed)
        for layer in session.viewer.layers:
            self._watch(layer)

    def disconnect_all(self) -> None:
        """Stop listening to the viewer, which outlives the dock."""
        self._session.viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._session.viewer.layers.events.removed.disconnect(self._on_removed)
        for layer in self._watched.layers():
            layer.events.visible.disconnect(self._ask)

    def update(self) -> None:
        """Draw every result without the spots that lie below a map of it that is seen."""
        if self._session.closed:
            return
        for layer in self._session.colours.result_layers():
            result = store.result_of(layer)
            assert result is not None  # `result_layers` returns no others
            self._session.colours.leave_out(layer, drawn.covered_spots(self._session.viewer, result))

    def _ask(self, _event: object = None) -> None:
        self._later.ask()

    def _on_inserted(self, event: Event) -> None:
        self._watch(event.value)

    def _on_removed(self, event: Event) -> None:
        if drawn.is_explanation(event.value):
            self._ask()

    def _watch(self, layer: object) -> None:
        if drawn.is_explanation(layer) and not isinstance(layer, Points):
            self._watched[layer] = True  # type: ignore[index]  # a layer
            layer.events.visible.connect(self._ask)  # type: ignore[attr-defined]
            self._ask()
