"""The genes of a model's panel as a table, best trusted first."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QItemSelectionModel, QModelIndex, QSortFilterProxyModel, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_tcgn.model.card import ModelCard

HEADINGS = ("gene", "held-out PCC")
SORT_ROLE = int(Qt.ItemDataRole.UserRole)


class GeneModel(QAbstractTableModel):
    """Gene and held-out correlation, one row per gene."""

    def __init__(self) -> None:
        super().__init__()
        self.genes: list[str] = []
        self._pcc = np.empty(0)

    def set_card(self, card: ModelCard | None) -> None:
        """Show another model's genes."""
        self.beginResetModel()
        self.genes = list(card.genes) if card is not None else []
        self._pcc = card.gene_metric("pcc") if card is not None else np.empty(0)
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # Qt's name
        """Return the number of genes."""
        return 0 if parent is not None and parent.isValid() else len(self.genes)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # Qt's name
        """Return the number of columns."""
        return 0 if parent is not None and parent.isValid() else len(HEADINGS)

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:  # Qt's name
        """Return a column's heading."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return HEADINGS[section]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole and section == 1:
            return "Pearson correlation with measured counts that the model was not trained on"
        return None

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return a cell; unknown correlations are sorted to the end."""
        row, column = index.row(), index.column()
        pcc = float(self._pcc[row])
        if role == SORT_ROLE:
            return self.genes[row] if column == 0 else (pcc if np.isfinite(pcc) else -2.0)
        if role == Qt.ItemDataRole.DisplayRole:
            return self.genes[row] if column == 0 else (f"{pcc:.2f}" if np.isfinite(pcc) else "unknown")
        return None


class GeneTable(QTableView):
    """A sortable, filterable table of genes; a click or an arrow key picks one."""

    picked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.genes = GeneModel()
        self._sorted = QSortFilterProxyModel()
        self._sorted.setSourceModel(self.genes)
        self._sorted.setSortRole(SORT_ROLE)
        self._sorted.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.setModel(self._sorted)
        self.setSortingEnabled(True)
        self.sortByColumn(1, Qt.SortOrder.DescendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(22)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.setFixedHeight(150)
        self.setToolTip("Click a gene, or walk with the arrow keys, to colour the spots by it")
        self.selectionModel().currentRowChanged.connect(self._on_current)

    def set_card(self, card: ModelCard | None) -> None:
        """Show another model's genes."""
        self.genes.set_card(card)

    def set_filter(self, text: str) -> None:
        """Show only the genes whose name contains `text`."""
        self._sorted.setFilterFixedString(text)

    def show_gene(self, gene: str) -> None:
        """Mark a gene without picking it."""
        if gene not in self.genes.genes:
            return
        index = self._sorted.mapFromSource(self.genes.index(self.genes.genes.index(gene), 0))
        self.blockSignals(True)
        flags = QItemSelectionModel.SelectionFlag
        self.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
        self.blockSignals(False)
        if index.isValid():
            self.scrollTo(index)

    def visible_genes(self) -> list[str]:
        """Return the genes in the order in which they are shown."""
        return [self._sorted.index(row, 0).data() for row in range(self._sorted.rowCount())]

    def _on_current(self, current: QModelIndex, previous: QModelIndex) -> None:
        if current.isValid():
            self.picked.emit(self._sorted.index(current.row(), 0).data())
