"""The genes of a result or a model's panel as a table, best trusted first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QItemSelectionModel, QModelIndex, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_tcgn.model.card import ModelCard
from napari_tcgn.ui.gene_model import DEPTH, GENE, HEADINGS, MORAN, PCC, SD, TRUST_COLUMNS, VERDICT, GeneModel

# What the columns must hold; the gene takes the rest.
WIDEST = {VERDICT: "(✓)", PCC: ".48 (.39–.55)", DEPTH: "-0.22", SD: "0.012", MORAN: "-0.12"}
ROWS_SHOWN = 7


class GeneTable(QTableView):
    """A sortable, filterable table of genes; a click or an arrow key picks one.

    Attributes
    ----------
    picked : signal (str)
    genes : GeneModel
    """

    picked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.genes = GeneModel()
        self.setModel(self.genes)
        self.setSortingEnabled(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(22)
        self.horizontalHeader().setMinimumSectionSize(20)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.horizontalHeader().setSectionResizeMode(GENE, QHeaderView.ResizeMode.Stretch)
        self.setFixedHeight(22 * (ROWS_SHOWN + 2))
        self.setToolTip("Click a gene, or walk with the arrow keys, to colour the spots by it; click a heading to sort")
        self.selectionModel().currentRowChanged.connect(self._on_current)
        self.set_genes((), None)
        self.sortByColumn(PCC, Qt.SortOrder.DescendingOrder)

    def set_card(self, card: ModelCard | None) -> None:
        """Show the genes of a model, none if there is no model."""
        self.set_genes(card.genes if card is not None else (), card)

    def set_genes(self, genes: Sequence[str], card: ModelCard | None) -> None:
        """Show the genes of a result; `card` is that of the model that predicted them, if one did."""
        self.genes.set_genes(genes, card)
        for column in TRUST_COLUMNS:
            self.setColumnHidden(column, card is None and bool(genes))

    def set_statistics(self, sd: NDArray[np.float64] | None, moran: NDArray[np.float64] | None) -> None:
        """Fill in variability and Moran's I; None: not known."""
        current = self.current_gene()
        self.genes.set_statistics(sd, moran)
        self.show_gene(current)

    def set_filter(self, text: str) -> None:
        """Show only the genes whose name contains `text`."""
        current = self.current_gene()
        self.genes.set_filter(text)
        self.show_gene(current)

    def current_gene(self) -> str:
        """Return the marked gene, "" if none is."""
        index = self.currentIndex()
        return self.genes.gene_at(index.row()) if index.isValid() else ""

    def show_gene(self, gene: str) -> None:
        """Mark a gene without picking it."""
        row = self.genes.row_of(gene)
        if row < 0 or row == self.currentIndex().row():
            return
        index = self.genes.index(row, GENE)
        self.blockSignals(True)
        flags = QItemSelectionModel.SelectionFlag
        self.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
        self.blockSignals(False)
        self.scrollTo(index)

    def visible_genes(self) -> list[str]:
        """Return the genes in the order in which they are shown."""
        return self.genes.shown_genes()

    def changeEvent(self, event: QEvent) -> None:  # Qt's name
        """Fit the columns to another font or style."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit_columns()

    def _fit_columns(self) -> None:
        metrics, heading = self.fontMetrics(), self.horizontalHeader().fontMetrics()
        for column, widest in WIDEST.items():
            words = [heading.horizontalAdvance(word) for word in HEADINGS[column].split("\n")]
            room = max(metrics.horizontalAdvance(widest), *words)
            self.setColumnWidth(column, room + 8)

    def _on_current(self, current: QModelIndex, previous: QModelIndex) -> None:
        if current.isValid():
            self.picked.emit(self.genes.gene_at(current.row()))
