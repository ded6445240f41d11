"""The genes of a result or a model's panel as a table, best trusted first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt

from napari_tcgn.model import ModelCard
from napari_tcgn.ui.widgets.gene_model import DEPTH, MORAN, PCC, SD, TRUST_COLUMNS, VERDICT, GeneModel
from napari_tcgn.ui.widgets.pick_table import PickTable

# What the columns must hold; the gene takes the rest.
WIDEST = {VERDICT: "(✓)", PCC: ".48 (.39–.55)", DEPTH: "-0.22", SD: "0.012", MORAN: "-0.12"}
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

    def dispensable(self) -> Sequence[int]:
        """Return the columns that are left out where there is no room for all, the least wanted first."""
        return MORAN, SD, DEPTH

    def fit_columns(self) -> None:
        """Show intervals where there is room for them beside all columns; else they are in the tooltips."""
        for self.genes.with_intervals in (True, False):
            super().fit_columns()
            if not any(self.isColumnHidden(column) for column in self.dispensable() if column not in self.absent):
                return

    def set_card(self, card: ModelCard | None) -> None:
        """Show the genes of a model, none if there is no model."""
        self.set_genes(card.genes if card is not None else (), card)

    def set_genes(self, genes: Sequence[str], card: ModelCard | None) -> None:
        """Show the genes of a result; `card` is that of the model that predicted them, if one did."""
        self.genes.set_genes(genes, card)
        self.absent = set(TRUST_COLUMNS) if card is None and genes else set()
        self.fit_columns()

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

    def set_trusted_only(self, wanted: bool, but: str = "") -> None:
        """Show only trusted genes and the gene `but`, or all."""
        current = self.current_gene()
        self.genes.set_trusted_only(wanted, but)
        self.show_gene(current)

    def ask_for(self, genes: Sequence[str]) -> None:
        """Show genes although they are not trusted."""
        current = self.current_gene()
        self.genes.ask_for(genes)
        self.show_gene(current)

    def current_gene(self) -> str:
        """Return the marked gene, "" if none is."""
        index = self.currentIndex()
        return self.genes.gene_at(index.row()) if index.isValid() else ""

    def visible_genes(self) -> list[str]:
        """Return the genes in the order in which they are shown."""
        return self.genes.shown_genes()
