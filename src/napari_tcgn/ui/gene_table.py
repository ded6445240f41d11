"""The genes of a model's panel as a table, best trusted first."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QItemSelectionModel, QModelIndex, QSortFilterProxyModel, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_tcgn.model.card import ModelCard

HEADINGS = ("gene", "held-out PCC", "without depth")
MEANINGS = (
    None,
    "Pearson correlation with measured counts that the model was not trained on",
    "The same once the spots' sequencing depth is taken out: what the model knows of the gene itself",
)
SORT_ROLE = int(Qt.ItemDataRole.UserRole)


class GeneModel(QAbstractTableModel):
    """Gene and held-out correlation, one row per gene."""

    def __init__(self) -> None:
        super().__init__()
        self.genes: list[str] = []
        self._figures = np.empty((2, 0))  # PCC, PCC without depth
        self._tips: list[str] = []

    def set_card(self, card: ModelCard | None) -> None:
        """Show another model's genes."""
        self.beginResetModel()
        self.genes = list(card.genes) if card is not None else []
        self._figures = np.empty((2, 0))
        self._tips = []
        if card is not None:
            self._figures = np.stack([card.gene_metric("pcc"), card.gene_metric("depth_pcc")])
            self._tips = _tips(card)
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
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return MEANINGS[section]
        return None

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return a cell; unknown correlations are sorted to the end."""
        row, column = index.row(), index.column()
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tips[row]
        if role not in (SORT_ROLE, Qt.ItemDataRole.DisplayRole):
            return None
        if column == 0:
            return self.genes[row]
        pcc = float(self._figures[column - 1, row])
        if role == SORT_ROLE:
            return pcc if np.isfinite(pcc) else -2.0
        return f"{pcc:.2f}" if np.isfinite(pcc) else "unknown"


def _tips(card: ModelCard) -> list[str]:
    """Say of every gene how sure its figure is, and which simple model does better."""
    low, high = card.gene_metric("pcc_low"), card.gene_metric("pcc_high")
    tips = []
    for gene, a, b, better in zip(card.genes, low, high, card.better_simple(), strict=True):
        text = gene if np.isnan(a) else f"{gene}: held-out PCC between {a:.2f} and {b:.2f} (95 %)"
        tips.append(f"{text}. The simple model {better} does better." if better else text)
    return tips


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
