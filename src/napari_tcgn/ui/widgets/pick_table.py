"""What the tables of genes have in common: rows in an order of their own, and a gene that is picked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QEvent, QItemSelectionModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView
from superqt.utils import signals_blocked

ROOM = 6  # px above and below the text of a row
GENE = 0  # the column of the gene's name
LONG_NAME = "HNRNPUL2 "  # of a gene
MARGIN, SORT_MARK = 8, 6  # px beside a text, and for the arrow beside a heading


class GeneRows(QAbstractTableModel):
    """Genes, some or all of which are rows.

    Attributes
    ----------
    genes : list of str
        All genes.
    """

    def _name(self, genes: Sequence[str]) -> None:
        """Take other genes; the rows are for `_arrange` to find."""
        self.genes: list[str] = list(genes)
        self._place = {gene: i for i, gene in enumerate(self.genes)}
        self._rows: NDArray[np.intp] = np.arange(len(self.genes))

    def _arrange(self) -> None:
        """Work out which genes are shown, and in which order: `_rows`."""
        raise NotImplementedError

    def _rearrange(self) -> None:
        """Bring the same rows into another order; the marked row stays with its gene."""
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        genes = [self._rows[index.row()] for index in before]
        self._arrange()
        row_of = np.argsort(self._rows) if len(self._rows) == len(self.genes) else None
        rows = [row_of[g] if row_of is not None else np.flatnonzero(self._rows == g)[0] for g in genes]
        after = [self.index(int(row), index.column()) for row, index in zip(rows, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def shown_genes(self) -> list[str]:
        """Return the genes in the order in which they are shown."""
        return [self.genes[i] for i in self._rows]

    def gene_at(self, row: int) -> str:
        """Return the gene in a row."""
        return self.genes[int(self._rows[row])]

    def row_of(self, gene: str) -> int:
        """Return the row of a gene, -1 if it is not shown."""
        place = self._place.get(gene)
        found = np.flatnonzero(self._rows == place) if place is not None else np.empty(0)
        return int(found[0]) if len(found) else -1

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # Qt's name
        """Return the number of genes that are shown."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)


class PickTable(QTableView):
    """A sortable table of genes as wide as it may be; a click or an arrow key picks one.

    Parameters
    ----------
    genes : GeneRows
    rows_shown : int
        Height of the table in rows, at the least where it grows.
    grows : bool
        Whether it takes the height that there is.

    Attributes
    ----------
    picked : signal (str)
    genes : GeneRows
    absent : set of int
        Columns of which nothing is known.
    """

    picked = Signal(str)

    def __init__(self, genes: GeneRows, rows_shown: int, grows: bool = False) -> None:
        super().__init__()
        self.genes = genes
        self._rows_shown, self._grows = rows_shown, grows
        self.absent: set[int] = set()
        self.setModel(genes)
        self.setSortingEnabled(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)  # Tab leaves it; arrow keys walk
        rows, header, selection = self.verticalHeader(), self.horizontalHeader(), self.selectionModel()
        assert rows is not None  # a table view has both headers, and with a model a selection
        assert header is not None
        assert selection is not None
        self._header: QHeaderView = header
        self._row_heights: QHeaderView = rows
        self._selection: QItemSelectionModel = selection
        rows.hide()
        self._header.setMinimumSectionSize(20)
        self._selection.currentRowChanged.connect(self._on_current)
        self.fit_rows()

    def widest(self) -> dict[int, str]:
        """Return what the columns of figures must hold."""
        raise NotImplementedError

    def show_gene(self, gene: str) -> None:
        """Mark a gene without picking it; none if it has no row."""
        row = self.genes.row_of(gene)
        if row >= 0 and row == self.currentIndex().row():
            return
        index = self.genes.index(row, GENE) if row >= 0 else QModelIndex()
        flags = QItemSelectionModel.SelectionFlag
        with signals_blocked(self):
            self._selection.setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
        if row >= 0:
            self.scrollTo(index)

    def changeEvent(self, event: QEvent | None) -> None:  # Qt's name
        """Fit rows and columns to another font or style."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.fit_rows()
            self.fit_columns()

    def fit_rows(self) -> None:
        """Make rows and table as high as the font wants it."""
        row = self.fontMetrics().height() + ROOM
        self._row_heights.setMinimumSectionSize(row)
        self._row_heights.setDefaultSectionSize(row)
        height = row * self._rows_shown + self._header.sizeHint().height() + 2 * self.frameWidth()
        self.setMinimumHeight(height)
        if not self._grows:
            self.setMaximumHeight(height)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # Qt's name
        """Fit the columns to another width."""
        super().resizeEvent(event)
        self.fit_columns()

    def dispensable(self) -> Sequence[int]:
        """Return the columns that are left out where there is no room for all, the least wanted first."""
        return ()

    def fit_columns(self) -> None:
        """Give every column of figures the room it needs, and the gene the rest, which holds a name in any case."""
        header = self._header
        if self.genes.columnCount() > GENE:
            header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
            header.setSectionResizeMode(GENE, QHeaderView.ResizeMode.Stretch)
        widths = {column: self._width_of(column, widest) for column, widest in self.widest().items()}
        shown = [column for column in widths if column not in self.absent]
        for column in self.dispensable():
            if column in shown and sum(widths[one] for one in shown) > self.room():
                shown.remove(column)
        for column, width in widths.items():
            self.setColumnHidden(column, column not in shown)
            self.setColumnWidth(column, width)

    def room(self) -> int:
        """Return the px that there are for columns of figures beside a gene's name and the scroll bar."""
        bar = self.verticalScrollBar()
        aside = bar.sizeHint().width() if bar is not None else 0
        return self.width() - aside - 2 * self.frameWidth() - self.fontMetrics().horizontalAdvance(LONG_NAME)

    def _width_of(self, column: int, widest: str) -> int:
        header = self._header
        words = str(self.genes.headerData(column, Qt.Orientation.Horizontal)).split("\n")
        heading = max(header.fontMetrics().horizontalAdvance(word) for word in words)
        return max(self.fontMetrics().horizontalAdvance(widest) + MARGIN, heading + MARGIN + SORT_MARK)

    def _on_current(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid():
            self.picked.emit(self.genes.gene_at(current.row()))


def short(figure: float) -> str:
    """Return a figure between -1 and 1 as ".42" or "-.05"."""
    return f"{figure:.2f}".replace("0.", ".", 1) if abs(figure) < 0.995 else f"{figure:.2f}"
