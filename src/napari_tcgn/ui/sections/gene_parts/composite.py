"""Three genes, each in a colour of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_tcgn.ui.layers import result_layers, store
from napari_tcgn.ui.layers.composite import (
    INK,
    PALETTES,
    Composite,
    Limits,
    Palette,
    add_composite,
    composite_of,
    refresh_composites,
    show_composite,
)
from napari_tcgn.ui.layers.per_layer import unwrap
from napari_tcgn.ui.sections.base import Part
from napari_tcgn.ui.sections.gene_parts.scale import limit_box
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.widgets.controls import choice_box, line_edit, set_quietly, tick_box
from napari_tcgn.ui.widgets.flow import FlowLayout
from napari_tcgn.ui.widgets.gene_names import GeneNames, find_gene, unknown_gene

if TYPE_CHECKING:
    from napari.layers import Points
    from napari.utils.events import Event

CHANNELS = 3


class CompositePart(Part):
    """Choose three genes and their limits; they become a layer, which follows what is changed here."""

    def __init__(self, session: Session, names: GeneNames) -> None:
        super().__init__("Three genes as colours", "One layer that mixes three genes")
        self.session = session
        self.gene_edits: list[QLineEdit] = []
        self.low_boxes: list[QDoubleSpinBox] = []
        self.high_boxes: list[QDoubleSpinBox] = []
        self._swatches: list[QLabel] = []
        self._layer: Points | None = None  # the layer of three genes that is being edited
        self.palette_box = choice_box("Colours of the three genes; the second choice needs no red beside green")
        for palette in PALETTES:
            self.palette_box.addItem(", ".join(palette), palette)
        rows = QVBoxLayout()  # not the form, which forgets the height of rows that wrap
        rows.setSpacing(4)
        rows.addWidget(self.palette_box)
        for _ in range(CHANNELS):
            rows.addLayout(self._channel(names))
        tip = "Limits of each channel from the 1st to the 99th percentile of its gene"
        self.auto_box = tick_box("auto limits", tip, ticked=True)
        self.add_button = QPushButton("Add as a layer")
        self.add_button.setToolTip("Add a layer of these three genes; it then follows what is changed here")
        rows.addLayout(FlowLayout(self.auto_box, self.add_button))
        self.body_column.insertLayout(0, rows)
        self.palette_box.currentIndexChanged.connect(self._on_palette)
        self.auto_box.toggled.connect(self._on_changed)
        self.add_button.clicked.connect(self._add)
        events = session.state.events
        events.result_layer.connect(self._enable)
        for event in (events.progress, events.result_version):
            event.connect(self._refresh)
        session.viewer.layers.selection.events.active.connect(self._on_active)
        session.viewer.layers.events.removed.connect(self._on_removed)
        self._name_channels()
        self._enable()

    def _channel(self, names: GeneNames) -> FlowLayout:
        """Return the controls of a channel: gene and limits, below each other where both do not fit."""
        # The swatch is the legend: this colour is this gene, from dark at the one limit to bright at the other.
        swatch, edit = QLabel("■"), line_edit("", "", clearable=True)
        names.complete(edit)
        edit.editingFinished.connect(self._on_changed)
        low, high = limit_box(""), limit_box("")
        for box in (low, high):
            box.valueChanged.connect(self._on_limits)
        self._swatches.append(swatch)
        self.gene_edits.append(edit)
        self.low_boxes.append(low)
        self.high_boxes.append(high)
        halves = (QWidget(), QWidget())
        for half, widgets in zip(halves, ((swatch, edit), (low, QLabel("to"), high)), strict=True):
            row = QHBoxLayout(half)
            row.setContentsMargins(0, 0, 0, 0)
            for widget in widgets:
                row.addWidget(widget, 0 if isinstance(widget, QLabel) else 1)
        return FlowLayout(*halves, growing=halves)

    def disconnect_all(self) -> None:
        """Stop listening to the viewer, which outlives the dock."""
        self.session.viewer.layers.selection.events.active.disconnect(self._on_active)
        self.session.viewer.layers.events.removed.disconnect(self._on_removed)

    def _palette(self) -> Palette:
        chosen: Palette = self.palette_box.currentData()
        return chosen

    def _name_channels(self) -> None:
        """Say everywhere which colour is meant."""
        for i, channel in enumerate(self._palette()):
            self._swatches[i].setStyleSheet(f"color: {INK[channel]}; font-size: 16pt;")
            self._swatches[i].setToolTip(f"The {channel} channel")
            edit = self.gene_edits[i]
            edit.setPlaceholderText(f"gene in {channel}")
            edit.setToolTip(f"Gene of the {channel} channel; Enter takes it")
            edit.setAccessibleName(f"Gene of the {channel} channel")
            for box, end in ((self.low_boxes[i], "Dark"), (self.high_boxes[i], "Bright")):
                box.setToolTip(f"{end} {channel}: its value")
                box.setAccessibleName(f"{end} {channel}")

    def _on_palette(self) -> None:
        self._name_channels()
        self._on_changed()

    def _result(self) -> store.Result | None:
        shown = composite_of(self._layer)
        return shown.result if shown is not None else store.result_of(self.session.state.result_layer)

    def _enable(self) -> None:
        ready = store.result_of(self.session.state.result_layer) is not None
        self.add_button.setEnabled(ready)
        for widget in (self.palette_box, *self.gene_edits, self.auto_box, *self.low_boxes, *self.high_boxes):
            widget.setEnabled(ready or self._layer is not None)

    def _chosen(self, result: store.Result) -> Composite | None:
        """Return what is set here; None after saying what is wrong with it."""
        genes = []
        for channel, edit in zip(self._palette(), self.gene_edits, strict=True):
            gene = find_gene(edit.text(), result.genes)
            if not gene:
                text = edit.text().strip()
                self.message.say(unknown_gene(text, result.genes) if text else f"Choose a gene for {channel}.")
                return None
            genes.append(gene)
            edit.setText(gene)
        if len(set(genes)) < 3:
            twice = next(gene for gene in genes if genes.count(gene) > 1)
            self.message.say(f"{twice} is chosen twice; choose three different genes.")
            return None
        limits: Limits | None = None
        if not self.auto_box.isChecked():
            boxes = zip(self.low_boxes, self.high_boxes, strict=True)
            first, second, third = ((low.value(), high.value()) for low, high in boxes)
            limits = first, second, third
            for gene, (low, high) in zip(genes, limits, strict=True):
                if low >= high:
                    self.message.say(f"{gene}: the lower limit ({low:g}) must lie below the upper one ({high:g}).")
                    return None
        self.message.say("")
        return Composite(result, (genes[0], genes[1], genes[2]), limits, self._palette())

    def _add(self) -> None:
        layer = self.session.state.result_layer
        result = store.result_of(layer)
        shown = self._chosen(result) if result is not None else None
        if layer is None or shown is None:
            return
        added = unwrap(add_composite(self.session.viewer, layer, shown))
        self._take(added)

    def _on_changed(self) -> None:
        """Let the layer that is being edited follow; before there is one, show the limits that it would have."""
        result = self._result()
        if result is None:
            return
        if self._layer is None:
            self.preview_limits(result)
            return
        shown = self._chosen(result)
        if shown is not None and shown != composite_of(self._layer):
            show_composite(self._layer, shown)
            self._show_limits(shown)

    def preview_limits(self, result: store.Result) -> None:
        """Show the limits of the genes that are set, as soon as there are three."""
        genes = [find_gene(edit.text(), result.genes) for edit in self.gene_edits]
        if self.auto_box.isChecked() and all(genes):
            self._show_limits(Composite(result, (genes[0], genes[1], genes[2])))

    def _on_limits(self) -> None:
        set_quietly(self.auto_box, False)
        self._on_changed()

    def _show_limits(self, shown: Composite) -> None:
        set_quietly(self.auto_box, shown.limits is None)
        for (low, high), low_box, high_box in zip(shown.fitted_limits(), self.low_boxes, self.high_boxes, strict=True):
            set_quietly(low_box, low)
            set_quietly(high_box, high)

    def _take(self, layer: Points) -> None:
        """Edit a layer of three genes."""
        shown = composite_of(layer)
        assert shown is not None  # only such layers come here
        self._layer = layer
        set_quietly(self.palette_box, PALETTES.index(shown.palette))
        self._name_channels()
        for gene, edit in zip(shown.genes, self.gene_edits, strict=True):
            edit.setText(gene)
        self._show_limits(shown)
        self.message.say("")
        self._enable()

    def _refresh(self) -> None:
        refresh_composites(self.session.viewer)
        shown = composite_of(self._layer)
        if shown is not None and shown.limits is None:
            self._show_limits(shown)

    def _on_active(self, event: Event) -> None:
        if composite_of(event.value) is not None:
            self._take(unwrap(event.value))

    def _on_removed(self, event: Event) -> None:
        if unwrap(event.value) is self._layer:
            self._layer = None
        self._enable()


def suggest_genes(part: CompositePart, layer: Points, best: list[str]) -> None:
    """Fill empty channels with the shown gene and the best others, so that the first click shows something."""
    if any(edit.text() for edit in part.gene_edits):
        return
    genes = list(dict.fromkeys([result_layers.shown_gene(layer), *best]))[:3]
    for gene, edit in zip(genes, part.gene_edits, strict=False):
        edit.setText(gene)
    result = store.result_of(layer)
    if result is not None:
        part.preview_limits(result)
