"""The genes of a comparison as a sortable table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QItemSelectionModel, QModelIndex, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

if TYPE_CHECKING:
    import pandas as pd

# Column of `Comparison.genes`, heading, what it means.
COLUMNS = (
    ("pcc", "PCC", "Correlation of prediction and measurement over the spots"),
    ("depth_pcc", "depth\nout", "The same once the spots' sequencing depth is taken out"),
    ("spearman", "Spear-\nman", "Rank correlation of prediction and measurement"),
    ("rmse", "RMSE", "Root mean square error, on the scale of the values"),
    ("depth_q", "q,\ndepth out", "False discovery rate (Benjamini-Hochberg) against shifted maps, depth taken out"),
    ("q", "q", "False discovery rate (Benjamini-Hochberg) against shifted maps"),
    ("morans_i_predicted", "Moran I\npred.", "Moran's I of the prediction: how smooth the map is"),
    ("morans_i_measured", "Moran I\nmeas.", "Moran's I of the measurement"),
)
UNKNOWN = "–"
ROWS_SHOWN = 6


class CompareModel(QAbstractTableModel):
    """One row per gene; numpy sorts whole columns, which is quick at thousands of genes."""

    def __init__(self) -> None:
        super().__init__()
        self._genes: list[str] = []
        self._columns: list[tuple[str, str, str]] = []
        self._figures = np.zeros((0, 0))
        self._rows = np.zeros(0, dtype=np.intp)
        self._by, self._descending = 1, True

    def set_table(self, genes: pd.DataFrame | None) -> None:
        """Show another comparison's genes; None: nothing."""
        self.beginResetModel()
        if genes is None:
            self._genes, self._columns, self._figures = [], [], np.zeros((0, 0))
        else:
            self._genes = [str(gene) for gene in genes.index]
            self._columns = [column for column in COLUMNS if column[0] in genes]
            self._figures = np.array([genes[name].to_numpy(dtype=np.float64) for name, _, _ in self._columns])
        self._arrange()
        self.endResetModel()

    def sort(self, column: int, order: Any = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; what is not known comes last."""
        self.layoutAboutToBeChanged.emit()
        self._by, self._descending = column, order == Qt.SortOrder.DescendingOrder
        self._arrange()
        self.layoutChanged.emit()

    def _arrange(self) -> None:
        names = np.argsort(np.array([gene.upper() for gene in self._genes], dtype=np.str_), kind="stable")
        if self._by == 0 or self._by > len(self._columns):
            self._rows = names[::-1] if self._descending else names
            return
        key = self._figures[self._by - 1][names]
        key = np.where(np.isnan(key), np.inf, -key if self._descending else key)
        self._rows = names[np.argsort(key, kind="stable")]

    def gene_at(self, row: int) -> str:
        """Return the gene in a row."""
        return self._genes[self._rows[row]]

    def row_of(self, gene: str) -> int:
        """Return the row of a gene, -1 if it was not compared."""
        if gene not in self._genes:
            return -1
        return int(np.flatnonzero(self._rows == self._genes.index(gene))[0])

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # Qt's name
        """Return the number of genes."""
        return 0 if parent is not None and parent.isValid() else len(self._genes)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # Qt's name
        """Return the number of columns."""
        return 0 if parent is not None and parent.isValid() else 1 + len(self._columns)

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:  # Qt's name
        """Return a column's heading, or what it means."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        _, heading, meaning = (
            ("", "gene", "Gene that was predicted and measured") if section == 0 else self._columns[section - 1]
        )
        return {Qt.ItemDataRole.DisplayRole: heading, Qt.ItemDataRole.ToolTipRole: meaning}.get(Qt.ItemDataRole(role))

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return a cell."""
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        gene, column = int(self._rows[index.row()]), index.column()
        if column == 0:
            return self._genes[gene]
        figure = self._figures[column - 1, gene]
        return UNKNOWN if np.isnan(figure) else f"{figure:.2f}"


class CompareTable(QTableView):
    """Shows a comparison's genes; a click or an arrow key picks one.

    Attributes
    ----------
    picked : signal (str)
    """

    picked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.genes = CompareModel()
        self.setModel(self.genes)
        self.setSortingEnabled(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(22)
        self.horizontalHeader().setMinimumSectionSize(20)
        self.setFixedHeight(22 * (ROWS_SHOWN + 2))
        self.setToolTip("Click a gene, or walk with the arrow keys, to show it in both maps; click a heading to sort")
        self.selectionModel().currentRowChanged.connect(self._on_current)
        self._quiet = False

    def set_table(self, genes: pd.DataFrame | None) -> None:
        """Show another comparison's genes; None: nothing."""
        self.genes.set_table(genes)
        if genes is not None:
            self.sortByColumn(min(2, self.genes.columnCount() - 1), Qt.SortOrder.DescendingOrder)
            self.resizeColumnsToContents()
            self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)

    def show_gene(self, gene: str) -> None:
        """Mark a gene without picking it."""
        row = self.genes.row_of(gene)
        self._quiet = True
        if row < 0:
            self.selectionModel().clear()
        else:
            index = self.genes.index(row, 0)
            flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
            self.selectionModel().setCurrentIndex(index, flags)
            self.scrollTo(index)
        self._quiet = False

    def _on_current(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid() and not self._quiet:
            self.picked.emit(self.genes.gene_at(current.row()))
