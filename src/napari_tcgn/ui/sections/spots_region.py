"""Controls of the region of interest: inside which shapes spots may lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QWidget
from superqt.utils import signals_blocked

from napari_tcgn.errors import SpotsError
from napari_tcgn.spots import Region, RegionRecord
from napari_tcgn.ui.layers.region_layer import add_region_layer, region_of_shapes, shapes_layers
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.widgets.controls import choice_box, set_quietly, tick_box
from napari_tcgn.ui.widgets.flow import FlowLayout

if TYPE_CHECKING:
    from napari.layers import Shapes
    from napari.utils.events import Event, EventEmitter


class RegionControls(QWidget):
    """Only inside the shapes of a layer; `changed` tells of every change of choice or of the shapes."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._layers: list[Shapes] = []
        self._watched: Shapes | None = None
        self._unfinished = False  # a shape is being drawn or changed
        tip = "Leave out spots outside the polygons, rectangles and ellipses of a shapes layer"
        self.inside_box = tick_box("only inside", tip)
        self.layer_box = choice_box("The shapes layer that holds the region", characters=8)
        self.draw_button = QPushButton("Draw…")
        self.draw_button.setToolTip("Add a shapes layer on the slide; click the corners, double-click the last one")
        self.setLayout(FlowLayout(self.inside_box, self.layer_box, self.draw_button, growing=[self.layer_box]))
        self.inside_box.toggled.connect(self.changed)
        self.layer_box.currentIndexChanged.connect(self._on_choice)
        self.draw_button.clicked.connect(self._draw)
        for event in self._layer_events():
            event.connect(self._list_layers)
        self._list_layers()

    def disconnect_all(self) -> None:
        """Stop listening to the viewer, which outlives the dock."""
        for event in self._layer_events():
            event.disconnect(self._list_layers)
        self._watch(None)

    def layer(self) -> Shapes | None:
        """Return the chosen shapes layer or None."""
        index = self.layer_box.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    @property
    def drawing(self) -> bool:
        """Whether the region is asked for and a shape of it is not finished."""
        layer = self.layer()
        if layer is None or not self.inside_box.isChecked():
            return False
        return self._unfinished or (not layer.data and str(layer.mode).startswith("add_"))

    def show_region(self, record: RegionRecord | None) -> None:
        """Show in which region spots were laid, without telling of it; None: in none, or its layer is gone."""
        names = [layer.name for layer in self._layers]
        there = record is not None and record.layer in names
        set_quietly(self.inside_box, there)
        if record is not None and there:
            set_quietly(self.layer_box, names.index(str(record.layer)))
            self._watch(self.layer())

    def region(self) -> Region | None:
        """Return the region that spots must lie in; None where there is no such wish.

        Raises
        ------
        SpotsError
            If the shapes enclose nothing or cross themselves.
        """
        if not self.inside_box.isChecked():
            return None
        layer = self.layer()
        if layer is None:
            raise SpotsError("There is no shapes layer to lay spots in.", "Draw a region, or untick “only inside”.")
        image = self._session.state.image
        assert image is not None  # asked for when spots are laid on a slide
        return region_of_shapes(layer, image)

    def enable(self, free: bool) -> None:
        """Enable what can be used."""
        self.inside_box.setEnabled(free)
        self.layer_box.setEnabled(free and bool(self._layers))
        self.draw_button.setEnabled(free and self._session.state.image is not None)

    def _layer_events(self) -> tuple[EventEmitter, ...]:
        events = self._session.viewer.layers.events
        return events.inserted, events.removed, events.reordered, events.renamed

    def _list_layers(self, event: Event | None = None) -> None:
        chosen = self.layer()
        self._layers = shapes_layers(self._session.viewer)
        with signals_blocked(self.layer_box):
            self.layer_box.clear()
            self.layer_box.addItems([layer.name for layer in self._layers])
            last = len(self._layers) - 1
            self.layer_box.setCurrentIndex(self._layers.index(chosen) if chosen in self._layers else last)
        self.layer_box.setEnabled(bool(self._layers))
        if self.layer() is not chosen:
            self._on_choice()

    def _on_choice(self) -> None:
        self._watch(self.layer())
        if self.inside_box.isChecked():
            self.changed.emit()

    def _watch(self, layer: Shapes | None) -> None:
        if self._watched is not None:
            self._watched.events.data.disconnect(self._on_shapes)
        self._watched, self._unfinished = layer, False
        if layer is not None:
            layer.events.data.connect(self._on_shapes)

    def _on_shapes(self, event: Event) -> None:
        # napari tells that a shape is "adding" or "changing" with its first corner, and "added" with its last.
        self._unfinished = str(getattr(event, "action", "")).endswith("ing")
        if self.inside_box.isChecked():
            self.changed.emit()

    def _draw(self) -> None:
        image = self._session.state.image
        assert image is not None  # the button is disabled without one
        layer = add_region_layer(self._session.viewer, image)
        self.layer_box.setCurrentIndex(self._layers.index(layer))
        self.inside_box.setChecked(True)
