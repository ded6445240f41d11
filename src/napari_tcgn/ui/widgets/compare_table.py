"""The genes of a comparison as a sortable table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QModelIndex, Qt

from napari_tcgn.ui.widgets.pick_table import GENE, GeneRows, PickTable, short

if TYPE_CHECKING:
    import pandas as pd

# Column of `Comparison.genes`, heading, what it means. The table that is written to a file has all of them.
COLUMNS = (
    ("pcc", "PCC", "Correlation of prediction and measurement over the spots"),
    ("depth_pcc", "depth\nout", "The same once the spots' sequencing depth is taken out"),
    ("spearman", "ρ", "Spearman's rank correlation of prediction and measurement"),
    ("rmse", "RMSE", "Root mean square error, on the scale of the values"),
    ("depth_q", "q", "False discovery rate (Benjamini-Hochberg) against shifted maps, depth taken out"),
    ("q", "q", "False discovery rate (Benjamini-Hochberg) against shifted maps; nothing is known of the depth"),
    ("morans_i_predicted", "I\npred.", "Moran's I of the prediction: how smooth the map is"),
    ("morans_i_measured", "I\nmeas.", "Moran's I of the measurement"),
)
SORTED_BY = ("depth_pcc", "pcc")  # the first there is
UNKNOWN = "–"
ROWS_SHOWN = 6
ALWAYS = 2  # columns of figures that are shown in any case: both correlations


class CompareModel(GeneRows):
    """One row per gene; numpy sorts whole columns, which is quick at thousands of genes."""

    def __init__(self) -> None:
        super().__init__()
        self._by, self._descending = GENE, False
        self.set_table(None)

    def set_table(self, genes: pd.DataFrame | None) -> None:
        """Show another comparison's genes; None: nothing."""
        self.beginResetModel()
        self._name([] if genes is None else [str(gene) for gene in genes.index])
        there = () if genes is None else tuple(genes)
        # One false discovery rate: the stricter question.
        self.columns = [one for one in COLUMNS if one[0] in there and not (one[0] == "q" and "depth_q" in there)]
        figures = [genes[name].to_numpy(dtype=np.float64) for name, _, _ in self.columns] if genes is not None else []
        self._figures = np.array(figures).reshape(len(self.columns), len(self.genes))
        self._arrange()
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; what is not known comes last."""
        self._by, self._descending = column, order == Qt.SortOrder.DescendingOrder
        self._rearrange()

    def _arrange(self) -> None:
        names = np.argsort(np.array([gene.upper() for gene in self.genes], dtype=np.str_), kind="stable")
        if not GENE < self._by <= len(self.columns):
            self._rows = names[::-1] if self._descending else names
            return
        key = self._figures[self._by - 1][names]
        key = np.where(np.isnan(key), np.inf, -key if self._descending else key)
        self._rows = names[np.argsort(key, kind="stable")]

    def column_of(self, names: tuple[str, ...]) -> int:
        """Return the column of the first of some figures that there is."""
        mine = [name for name, _, _ in self.columns]
        return next((1 + mine.index(name) for name in names if name in mine), GENE)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # Qt's name
        """Return the number of columns."""
        return 0 if parent is not None and parent.isValid() else 1 + len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> str | None:  # Qt's name
        """Return a column's heading, or what it means."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        gene = ("", "gene", "Gene that was predicted and measured")
        _, heading, meaning = gene if section == GENE else self.columns[section - 1]
        return {Qt.ItemDataRole.DisplayRole: heading, Qt.ItemDataRole.ToolTipRole: meaning}.get(Qt.ItemDataRole(role))

    def data(self, index: QModelIndex, role: int = 0) -> str | None:
        """Return a cell."""
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        gene, column = int(self._rows[index.row()]), index.column()
        if column == GENE:
            return self.genes[gene]
        figure = self._figures[column - 1, gene]
        return UNKNOWN if np.isnan(figure) else short(figure)


class CompareTable(PickTable):
    """Shows a comparison's genes; a click or an arrow key picks one."""

    genes: CompareModel

    def __init__(self) -> None:
        super().__init__(CompareModel(), ROWS_SHOWN)
        self.setToolTip("Click a gene, or walk with the arrow keys, to show it in both maps; click a heading to sort")

    def widest(self) -> dict[int, str]:
        """Return what the columns of figures must hold."""
        return dict.fromkeys(range(GENE + 1, self.genes.columnCount()), "-.99")

    def dispensable(self) -> Sequence[int]:
        """Return the columns that are left out where there is no room for all, the least wanted first."""
        return range(self.genes.columnCount() - 1, ALWAYS, -1)

    def set_table(self, genes: pd.DataFrame | None) -> None:
        """Show another comparison's genes; None: nothing."""
        self.genes.set_table(genes)
        if genes is not None:
            self.sortByColumn(self.genes.column_of(SORTED_BY), Qt.SortOrder.DescendingOrder)
            self.fit_columns()
