"""The genes of a result or a model's panel as a table, best trusted first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent

from napari_tcgn.model import ModelCard
from napari_tcgn.ui.widgets.gene_model import DEPTH, MORAN, PCC, SD, TRUST_COLUMNS, VERDICT, GeneModel
from napari_tcgn.ui.widgets.pick_table import PickTable

# What the columns must hold; the gene takes the rest.
WIDEST = {VERDICT: "(✓)", PCC: ".48 (.39–.55)", DEPTH: "-0.22", SD: "0.012", MORAN: "-0.12"}
LONG_NAME = "HNRNPUL2 "  # of a gene
ROWS_SHOWN = 6  # at the least


class GeneTable(PickTable):
    """A sortable, filterable table of genes; a click or an arrow key picks one."""

    genes: GeneModel

    def __init__(self) -> None:
        super().__init__(GeneModel(), ROWS_SHOWN, grows=True)
        self.setToolTip("Click a gene, or walk with the arrow keys, to colour the spots by it; click a heading to sort")
        self.fit_columns()
        self.set_genes((), None)
        self.sortByColumn(PCC, Qt.SortOrder.DescendingOrder)

    def widest(self) -> dict[int, str]:
        """Return what the columns of figures must hold."""
        return WIDEST if self.genes.with_intervals else WIDEST | {PCC: "-0.48"}

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # Qt's name
        """Leave intervals to the tooltips where there is no room for every column."""
        super().resizeEvent(event)
        self.fit_columns()

    def fit_columns(self) -> None:
        """Give every column the room it needs, and show intervals if there is room for them, too."""
        self.genes.with_intervals = True
        super().fit_columns()
        needed = self.fontMetrics().horizontalAdvance(LONG_NAME) + sum(
            self.columnWidth(column) for column in WIDEST if not self.isColumnHidden(column)
        )
        if needed > self.width() - self._scroll_bar_width():
            self.genes.with_intervals = False
            super().fit_columns()

    def _scroll_bar_width(self) -> int:
        bar = self.verticalScrollBar()
        return bar.sizeHint().width() if bar is not None else 0

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

    def set_filter(self, text: str, also: str = "") -> None:
        """Show only the genes whose name contains `text`, and the one that it is another name of."""
        current = self.current_gene()
        self.genes.set_filter(text, also)
        self.show_gene(current)

    def current_gene(self) -> str:
        """Return the marked gene, "" if none is."""
        index = self.currentIndex()
        return self.genes.gene_at(index.row()) if index.isValid() else ""

    def visible_genes(self) -> list[str]:
        """Return the genes in the order in which they are shown."""
        return self.genes.shown_genes()
