"""Section Genes: which gene colours the spots, and what the colours mean."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QCompleter, QDoubleSpinBox, QHBoxLayout, QLabel, QLineEdit

from napari_tcgn.ui import layers, store
from napari_tcgn.ui.colour_bar import ColourBar
from napari_tcgn.ui.gene_table import GeneTable
from napari_tcgn.ui.run import DEFAULT_COLORMAP
from napari_tcgn.ui.sections.base import Section, text_label
from napari_tcgn.ui.session import Session

COLORMAPS = (DEFAULT_COLORMAP, "magma", "inferno", "plasma", "turbo", "gray", "PiYG")
LIMIT = 1e6


class GenesSection(Section):
    """Search a gene, colour the spots by it; the dock owns the colour scale, because napari's points have none."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "5 · Genes")
        self.shown = text_label()
        self.search = QLineEdit(placeholderText="gene", clearButtonEnabled=True)
        self.search.setToolTip("Type a part of a gene's name; Enter takes it")
        self.table = GeneTable()
        self.bar = ColourBar()
        self.low_box, self.high_box = (
            _limit_box("Value of the lowest colour"),
            _limit_box("Value of the highest colour"),
        )
        self.auto_box = QCheckBox("auto", checked=True)
        self.auto_box.setToolTip("Limits from the 1st to the 99th percentile of the gene's values")
        self.colormap_box = QComboBox()
        self.colormap_box.addItems(COLORMAPS)
        self.colormap_box.setToolTip("Colour map of the spots")
        self._set_completer()

        limits = QHBoxLayout()
        for widget in (self.low_box, QLabel("to"), self.high_box, self.auto_box):
            limits.addWidget(widget, 1 if isinstance(widget, QDoubleSpinBox) else 0)
        self.form.addRow(self.shown)
        self.form.addRow(self.search)
        self.form.addRow(self.table)
        self.form.addRow(self.bar)
        self.form.addRow(limits)
        self.form.addRow("colours", self.colormap_box)

        self.search.textChanged.connect(self.table.set_filter)
        self.search.returnPressed.connect(self._take_search)
        self.table.picked.connect(self._pick)
        self.auto_box.toggled.connect(self._on_auto)
        for box in (self.low_box, self.high_box):
            box.valueChanged.connect(self._on_limits)
        self.colormap_box.currentTextChanged.connect(self._on_colormap)
        events = session.state.events
        for event in (events.result, events.model):
            event.connect(self._on_result)
        for event in (events.gene, events.progress, events.result_version):
            event.connect(self._colour)
        self._on_result()

    def _set_completer(self) -> None:
        completer = QCompleter(self.table.genes, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.activated[str].connect(self._pick)
        self.search.setCompleter(completer)

    def _result(self) -> store.Result | None:
        return store.result_of(self.session.state.result)

    def _on_result(self) -> None:
        """Follow another result, or without one the chosen model."""
        state, result = self.session.state, self._result()
        card = result.card if result is not None else state.model.card if state.model is not None else None
        if card is None or self.table.genes.genes != card.genes:
            self.table.set_card(card)
        if result is not None:
            self._take_scale(state.result)
            gene = layers.shown_gene(state.result)
            if state.gene == gene:
                self._colour()
            state.gene = gene
        self._enable()

    def _take_scale(self, layer: Any) -> None:
        """Let the controls say what a layer shows that was not the active one."""
        self._set_quietly(self.colormap_box, layer.face_colormap.name)

    def _pick(self, gene: str) -> None:
        self.session.state.gene = gene

    def _take_search(self) -> None:
        text = self.search.text().strip()
        matching = self.table.visible_genes()
        exact = [gene for gene in matching if gene.upper() == text.upper()]
        if text and matching:
            self.message.say("")
            self._pick((exact or matching)[0])
        elif text:
            self.message.say(f"No gene of this model's panel contains {text!r}.")

    def _colour(self) -> None:
        """Colour the spots by the chosen gene."""
        state, result = self.session.state, self._result()
        self._enable()
        if result is None or not result.has(state.gene):
            self.table.show_gene(state.gene)
            return
        if self.auto_box.isChecked():
            low, high = layers.robust_limits(result.values_of(state.gene))
            self._set_quietly(self.low_box, low)
            self._set_quietly(self.high_box, high)
        layers.colour_by_gene(state.result, state.gene, self._limits())
        partial = result.partial and not state.running
        name = layers.result_name(state.gene, result.kind, partial)
        # napari adds a number where another layer has the name already.
        if state.result.name.split(" [")[0] != name:
            state.result.name = name
        self.table.show_gene(state.gene)
        self._show_scale()

    def _limits(self) -> tuple[float, float]:
        low, high = self.low_box.value(), self.high_box.value()
        return (low, high) if high > low else (low, low + 1e-4)

    def _show_scale(self) -> None:
        result = self._result()
        if result is not None:
            low, high = self._limits()
            self.bar.show_scale(self.colormap_box.currentText(), low, high, result.output_scale)

    def _on_auto(self, automatic: bool) -> None:
        if automatic:
            self._colour()

    def _on_limits(self) -> None:
        self.auto_box.blockSignals(True)
        self.auto_box.setChecked(False)  # a limit set by hand is kept
        self.auto_box.blockSignals(False)
        self._colour()

    def _on_colormap(self, name: str) -> None:
        if self._result() is not None:
            self.session.state.result.face_colormap = name
            self._show_scale()

    def _set_quietly(self, widget: Any, value: Any) -> None:
        widget.blockSignals(True)
        widget.setCurrentText(value) if isinstance(widget, QComboBox) else widget.setValue(value)
        widget.blockSignals(False)

    def _enable(self) -> None:
        state, result = self.session.state, self._result()
        for widget in (self.low_box, self.high_box, self.auto_box, self.colormap_box, self.bar):
            widget.setEnabled(result is not None)
        for widget in (self.search, self.table):
            widget.setEnabled(bool(self.table.genes.genes))
        if result is None:
            self.shown.setText("Nothing is predicted yet; a gene chosen here is shown while a run fills it in.")
            return
        done = int(result.done.sum())
        text = f"{state.gene}: {done} of {len(result.done)} spots of {result.library_id}"
        partial = result.partial and not state.running
        self.shown.setText(f"{text}, partial result" if partial else text)


def _limit_box(tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox(minimum=-LIMIT, maximum=LIMIT, decimals=4, singleStep=0.1)
    box.setKeyboardTracking(False)
    box.setToolTip(tip)
    return box
