"""Which result layers share their limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QListWidget, QListWidgetItem
from superqt.utils import signals_blocked

from napari_tcgn.ui.layers.per_layer import unwrap
from napari_tcgn.ui.sections.base import Part
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.widgets.controls import tick_box

if TYPE_CHECKING:
    from napari.layers import Points
    from napari.utils.events import Event


class LinkPart(Part):
    """A list of the result layers with a tick for each that shares its limits with the others."""

    def __init__(self, session: Session) -> None:
        super().__init__("Link limits", "Let several results have the same colour limits")
        self.session = session
        self.list = QListWidget()
        self.list.setTabKeyNavigation(False)
        self.list.setFixedHeight(76)
        self.list.setToolTip("Ticked layers share their limits; each keeps its colour map")
        self.gene_box = tick_box(
            "and show the same gene",
            "A gene chosen for one of them is shown by all that have it",
            session.colours.same_gene,
        )
        self.form.add(self.list)
        self.form.add(self.gene_box)
        self._layers: list[Points] = []
        self.list.itemChanged.connect(self._on_ticked)
        self.gene_box.toggled.connect(self._on_same_gene)
        session.colours.linked_changed.connect(self.update_list)
        session.colours.painted.connect(self._on_painted)
        session.viewer.layers.events.removed.connect(self.update_list)
        session.viewer.layers.events.inserted.connect(self._on_inserted)
        session.state.events.result_layer.connect(self.update_list)
        self.update_list()

    def disconnect_all(self) -> None:
        """Stop listening to the viewer, which outlives the dock."""
        self.session.viewer.layers.events.removed.disconnect(self.update_list)
        self.session.viewer.layers.events.inserted.disconnect(self._on_inserted)

    def update_list(self, event: Event | None = None) -> None:
        """Show the layers there are; the upper ones in napari's list come first."""
        if self.session.closed:
            return
        colours = self.session.colours
        self._layers = colours.result_layers()[::-1]
        with signals_blocked(self.list):
            self.list.clear()
            for layer in self._layers:
                item = QListWidgetItem(layer.name, self.list)
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
                linked = bool(colours.linked_to(layer))
                item.setCheckState(Qt.CheckState.Checked if linked else Qt.CheckState.Unchecked)
        enough = len(self._layers) > 1
        self.list.setEnabled(enough)
        self.gene_box.setEnabled(enough)
        self.message.say("" if enough else "There must be two results for that: predicted, measured, or scores.")

    def _on_inserted(self, event: Event | None = None) -> None:
        QTimer.singleShot(0, self.update_list)  # what a layer shows is said after it has been added

    def _on_ticked(self) -> None:
        items = (self.list.item(i) for i in range(len(self._layers)))
        ticked = [item is not None and item.checkState() == Qt.CheckState.Checked for item in items]
        chosen = [layer for layer, tick in zip(self._layers, ticked, strict=True) if tick]
        active = unwrap(self.session.state.result_layer)
        chosen.sort(key=lambda layer: layer is not active)  # the chosen one's limits are taken over
        if len(chosen) == 1 and not self.session.colours.linked_to(chosen[0]):
            return  # the first tick of two
        self.session.colours.link(chosen)

    def _on_same_gene(self, same: bool) -> None:
        self.session.colours.same_gene = same

    def _on_painted(self, layer: Points) -> None:
        """Follow a layer's name, which changes with its gene."""
        if layer in self._layers:
            item = self.list.item(self._layers.index(layer))
            if item is not None and item.text() != layer.name:
                with signals_blocked(self.list):
                    item.setText(layer.name)
