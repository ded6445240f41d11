"""Section Genes: which gene colours the spots."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QPushButton

from napari_tcgn.expression import symbol_of_alias
from napari_tcgn.ui.actions.models import labels
from napari_tcgn.ui.layers import result_layers, store
from napari_tcgn.ui.sections.base import Message, Section, text_label
from napari_tcgn.ui.sections.gene_parts.gene_set import GeneSetPart
from napari_tcgn.ui.sections.gene_parts.statistics import Statistics
from napari_tcgn.ui.sections.gene_parts.trusted import TrustedOnly, untrusted
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.shortcuts import step
from napari_tcgn.ui.tasks.background import Failure
from napari_tcgn.ui.tasks.throttle import Throttle
from napari_tcgn.ui.widgets.controls import line_edit
from napari_tcgn.ui.widgets.gene_names import GeneNames, find_gene, renamed, unknown_gene
from napari_tcgn.ui.widgets.gene_table import GeneTable

if TYPE_CHECKING:
    from napari.layers import Points


class GenesSection(Section):
    """Search a gene, colour the spots by it.

    Attributes
    ----------
    search : QLineEdit
    found : Message
        What is said of the name in the search, below it.
    show_button : QPushButton
        Shows what was found and is hidden; there while something is.
    trusted : TrustedOnly
    table : GeneTable
    names : GeneNames
        Genes that can be typed elsewhere.
    gene_set : GeneSetPart
        Folded away until it is wanted.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session, "Genes", grows=True)
        self.shown = text_label()
        self.search = line_edit(
            "search a gene", "A part of a gene's name, or an alias (HER2, Ki-67); Enter takes it", clearable=True
        )
        self.found = Message()
        self.show_button = QPushButton("Show")
        self.show_button.setToolTip("List what was found although it is not trusted; so does Enter in the search")
        self.show_button.hide()
        self.names = GeneNames(self)  # not for the search: the table below it is its list
        self.table = GeneTable()
        self.trusted = TrustedOnly(session, self.table)
        self.pin_button = QPushButton("Add as a layer of its own")
        self.pin_button.setToolTip("Add a layer that stays with this gene while others are browsed")
        self.gene_set = GeneSetPart(session)
        self._statistics = Statistics(session.background)
        self._recolour = Throttle(self._colour, self)
        above = (self.shown, self.search, self.found, self.show_button, self.trusted)
        for widget in (*above, self.table, self.pin_button, self.gene_set):
            self.body_column.addWidget(widget, 1 if widget is self.table else 0)

        self.search.textChanged.connect(self._on_search)
        self.search.returnPressed.connect(self._take_search)
        for key, rows in ((Qt.Key.Key_Down, 1), (Qt.Key.Key_Up, -1)):
            walk = QShortcut(QKeySequence(key), self.search, context=Qt.ShortcutContext.WidgetShortcut)
            walk.activated.connect(partial(step, self.table, rows))
        self.show_button.clicked.connect(self._show_hidden)
        self.table.picked.connect(self._pick)
        self.pin_button.clicked.connect(self._pin)
        events = session.state.events
        for event in (events.result_layer, events.model):
            event.connect(self._on_result)
        events.gene.connect(self._on_gene)
        events.trusted_only.connect(self._on_search)
        events.progress.connect(self._on_progress)
        events.result_version.connect(self._on_version)
        self._on_result()

    def disconnect_all(self) -> None:
        """Stop listening to the viewer, which outlives the dock."""
        self.gene_set.disconnect_all()

    def _result(self) -> store.Result | None:
        return store.result_of(self.session.state.result_layer)

    # -- another result or gene ----------------------------------------------------------------------------------

    def _on_result(self) -> None:
        """Follow another result, or without one the chosen model."""
        state, result = self.session.state, self._result()
        card = result.card if result is not None else state.model.card if state.model is not None else None
        genes = result.genes if result is not None else card.genes if card is not None else ()
        if list(genes) != self.table.genes.genes or card != self.table.genes.card:
            self.table.set_genes(genes, card)
            self.names.set_genes(genes)
        self._show_statistics()
        if result is not None and state.result_layer is not None:
            state.gene = result_layers.shown_gene(state.result_layer)
        self._mark()
        self._enable()

    def _mark(self) -> None:
        """Mark the gene that colours the spots, which is listed also if it is not trusted."""
        self.table.ask_for([self.session.state.gene])
        self.table.show_gene(self.session.state.gene)

    def _pick(self, gene: str) -> None:
        self.message.say("")
        self.found.say("")
        self.session.state.gene = gene

    def _on_gene(self) -> None:
        self._mark()
        self._recolour.throttle()

    def _colour(self) -> None:
        """Colour the spots by the chosen gene."""
        state, result, colours = self.session.state, self._result(), self.session.colours
        layer, has_gene = state.result_layer, result is not None and result.has(state.gene)
        if layer is not None and has_gene and result_layers.shown_gene(layer) != state.gene:
            if colours.pinned(layer):
                self._browse_in_another_layer(layer, state.gene)
            else:
                colours.show(layer, state.gene)
        self._enable()

    def _browse_in_another_layer(self, pinned: Points, gene: str) -> None:
        """Show a gene in the layer in which genes are browsed: the chosen one stays with its own."""
        state = self.session.state
        state.result_layer = self.session.colours.browsing_layer(pinned)
        self.session.viewer.layers.selection.active = state.result_layer
        state.gene = gene

    def _pin(self) -> None:
        layer = self.session.state.result_layer
        assert layer is not None  # the button is disabled without one
        self.session.colours.pin(layer, result_layers.shown_gene(layer))
        self.session.viewer.layers.selection.active = layer  # where the browsing goes on

    # -- search --------------------------------------------------------------------------------------------------

    def _on_search(self, _event: object = None) -> None:
        """Show the genes that a text may mean; say it if none is, or if the text is another name of one."""
        text, genes = self.search.text().strip(), self.table.genes.genes
        exact = find_gene(text, genes) if text else ""
        self.table.set_filter(text, exact)
        self.table.show_gene(self.session.state.gene)
        hidden = self._hidden_ones()
        self.show_button.setVisible(bool(hidden))
        told = (renamed(text, exact) if exact else self._missing(text), untrusted(hidden))
        self.found.say(" ".join(filter(None, told)))

    def _hidden_ones(self) -> list[str]:
        """Return the genes that were searched and are hidden: the one that is named in full, or all if none is seen."""
        text = self.search.text().strip()
        hidden = self.table.genes.hidden() if text else []
        exact = find_gene(text, hidden) if hidden else ""
        return [exact] if exact else [] if self.table.genes.rowCount() else hidden

    def _show_hidden(self) -> None:
        """List what was searched and is hidden; take it if it is one gene."""
        hidden = self._hidden_ones()
        self.table.ask_for(hidden)
        if len(hidden) == 1:
            self._take_search()
        else:
            self._on_search()

    def _take_search(self) -> None:
        """Take the gene that is typed, and show the others again, so that there is a next one to walk to.

        Of a part of several names the first is taken, and they stay the only ones to walk through.
        """
        text = self.search.text().strip()
        if not text:
            return
        if self._hidden_ones():
            self._show_hidden()
            return
        matching, exact = self.table.visible_genes(), find_gene(text, self.table.genes.genes)
        missing = "" if exact else self._missing(text)
        if missing:
            self.found.say(missing)
            return
        gene = exact or matching[0]
        if exact or len(matching) == 1:
            self.search.clear()
        self._pick(gene)
        self.table.scrollTo(self.table.currentIndex(), GeneTable.ScrollHint.PositionAtCenter)
        told = (renamed(text, gene) if exact else "", self.table.genes.doubt(gene))
        self.found.say(" ".join(filter(None, told)))

    def _missing(self, text: str) -> str:
        """Say that no gene of the panel is meant by a text; "" while one may be.

        CD20 is MS4A1: where the panel lacks it, CD200 is shown, which has these letters, and not taken for it.
        """
        if not text or (self.table.genes.counts()[1] and not symbol_of_alias(text)):
            return ""
        models = self.session.state.models
        panels = {label: one.card.genes for label, one in zip(labels(models), models, strict=True)}
        return unknown_gene(text, self.table.genes.genes, panels)

    # -- a run that goes on or ends ------------------------------------------------------------------------------

    def _on_progress(self) -> None:
        self.session.colours.refresh()
        self._enable()

    def _on_version(self) -> None:
        colours = self.session.colours
        colours.refresh()
        if not self.session.state.running:
            colours.label_partial()
        self._show_statistics()
        self._enable()

    def _show_statistics(self) -> None:
        """Show variability and Moran's I of the result's genes, as soon as they are known."""
        result = self._result()
        known = self._statistics.known(result) if result is not None else None
        self.table.set_statistics(*(known or (None, None)))
        if result is not None and known is None and result.done.any() and not self.session.state.running:
            self._statistics.compute(result, self._on_statistics, self._on_failed)

    def _on_statistics(self, result: store.Result) -> None:
        known = self._statistics.known(result)
        if result is self._result() and known is not None:
            self.table.set_statistics(*known)

    def _on_failed(self, failure: Failure) -> None:
        self.message.fail(failure)

    # ------------------------------------------------------------------------------------------------------------

    def _enable(self) -> None:
        state, result = self.session.state, self._result()
        self.pin_button.setEnabled(result is not None)
        for widget in (self.search, self.table):
            widget.setEnabled(bool(self.table.genes.genes))
        if result is None:
            self.shown.setText("Nothing is predicted yet; a gene chosen here is shown while a run fills it in.")
            return
        done = int(result.done.sum())
        text = f"{state.gene}: {done} of {len(result.done)} spots of {result.library_id}"
        if result.partial and not state.running:
            text += ", partial result"
        if state.result_layer is not None and self.session.colours.pinned(state.result_layer):
            text += "; this layer stays with its gene"
        self.shown.setText(text)
