"""What goes along with a gene over the section: a table of morphology, and patches that lead to their spots."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QListWidgetItem, QTableWidget, QTableWidgetItem, QWidget

from napari_tcgn.ui.sections.base import bring_into_sight, text_label
from napari_tcgn.ui.tasks.later import Later
from napari_tcgn.ui.widgets.gallery import fill, gallery_list
from napari_tcgn.ui.widgets.rows import Rows

if TYPE_CHECKING:
    from napari_tcgn.explanation import GeneDrivers

SIGNIFICANT = 0.05
COLUMNS = ("morphology", "ρ", "q")
NOT_WHY = "What goes along with a gene need not be what the model looks at."
NOTHING = "No feature of the tissue goes along with it beyond what chance would do."


class DriversView(QWidget):
    """What was found of a gene; hidden until there is something.

    Attributes
    ----------
    went : signal (str)
        The spot of a patch that was clicked.
    said : QLabel
    table : QTableWidget
        A row a feature, the strongest first; in bold where q is at most 0.05.
    galleries : dict of QListWidget
        "highest" and "lowest".
    """

    went = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._sight = Later(lambda: bring_into_sight(self))
        self.said = text_label()
        self.table = _table()
        self.galleries = {"highest": gallery_list("highest"), "lowest": gallery_list("lowest")}
        form = Rows()
        form.setContentsMargins(0, 0, 0, 0)
        self.setLayout(form)
        self._titles = {name: text_label() for name in self.galleries}
        for row in (self.said, self.table):
            form.add(row)
        for name, box in self.galleries.items():
            form.add(self._titles[name])
            form.add(box)
            box.itemClicked.connect(self._go)
        self.hide()

    def show_drivers(self, found: GeneDrivers) -> None:
        """Show what was found of a gene."""
        strong = sum(one.q <= SIGNIFICANT for one in found.drivers)
        told = f"bold: q up to {SIGNIFICANT} against shifts of the section against itself." if strong else NOTHING
        self.said.setText(" ".join([f"{found.gene} over {len(found.spots):,} spots; {told}", *found.notes, NOT_WHY]))
        rows = sorted(found.drivers, key=lambda one: -abs(one.rho) if math.isfinite(one.rho) else 0)
        self.table.setRowCount(len(rows))
        for number, one in enumerate(rows):
            for column, text in enumerate((one.feature, f"{one.rho:+.2f}", f"{one.q:.2g}")):
                cell = QTableWidgetItem(text)
                cell.setToolTip(f"{one.feature}, {one.unit}: Spearman's ρ {one.rho:+.3f}, p {one.p:.2g}, q {one.q:.2g}")
                font = cell.font()
                font.setBold(one.q <= SIGNIFICANT)
                cell.setFont(font)
                if column:
                    cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(number, column, cell)
        self.table.resizeRowsToContents()
        header = self.table.horizontalHeader()
        assert header is not None
        heights = sum(self.table.rowHeight(row) for row in range(len(rows)))
        self.table.setFixedHeight(header.sizeHint().height() + heights + 2 * self.table.frameWidth())
        for name, part in (("highest", found.highest), ("lowest", found.lowest)):
            self._titles[name].setText(f"{len(part.spots)} {name}, at most 3 of a neighbourhood; click one to go there")
            fill(self.galleries[name], part)
        self.show()
        self._sight.ask()  # once it has its place

    def _go(self, item: QListWidgetItem) -> None:
        self.went.emit(item.data(Qt.ItemDataRole.UserRole))


def _table() -> QTableWidget:
    table = QTableWidget(0, len(COLUMNS))
    table.setHorizontalHeaderLabels(list(COLUMNS))
    table.setAccessibleName("morphology that goes along with the gene")
    table.setToolTip("Spearman's correlation of the gene with the tissue below the spots, and q, its corrected p")
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setTabKeyNavigation(False)  # Tab leaves it
    rows, header = table.verticalHeader(), table.horizontalHeader()
    assert rows is not None  # a table has both
    assert header is not None
    rows.hide()
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    for column in range(1, len(COLUMNS)):
        header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
    return table
