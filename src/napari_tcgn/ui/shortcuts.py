"""Keys of the dock, on chords that napari leaves free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QTableView

if TYPE_CHECKING:
    from napari_tcgn.ui.dock import Dock


@dataclass(frozen=True, slots=True)
class Keys:
    """A shortcut: what it does, for people, and its keys as Qt spells them."""

    does: str
    chord: str


SHORTCUTS = {
    "run": Keys("run the prediction", "Alt+Shift+R"),
    "cancel": Keys("cancel the run", "Alt+Shift+X"),
    "next_gene": Keys("next gene of the table", "Alt+Shift+N"),
    "previous_gene": Keys("previous gene of the table", "Alt+Shift+P"),
    "search": Keys("search a gene", "Alt+Shift+F"),
}


def keys_of(name: str) -> str:
    """Return the keys of a shortcut as this platform writes them."""
    return QKeySequence(SHORTCUTS[name].chord).toString(QKeySequence.SequenceFormat.NativeText)


def add_shortcuts(dock: Dock) -> list[QShortcut]:
    """Make the shortcuts work in the whole window of a dock, and name them in tooltips."""
    actions: dict[str, Callable[[], object]] = {
        "run": dock.run.start,
        "cancel": dock.run.cancel,
        "next_gene": lambda: step(dock.genes.table, 1),
        "previous_gene": lambda: step(dock.genes.table, -1),
        "search": lambda: focus_search(dock),
    }
    shortcuts = []
    for name, act in actions.items():
        shortcut = QShortcut(QKeySequence(SHORTCUTS[name].chord), dock)
        shortcut.activated.connect(act)
        # Two docks in one window have the same keys: Qt then asks one after the other.
        shortcut.activatedAmbiguously.connect(act)
        shortcuts.append(shortcut)
    walk = f"{keys_of('previous_gene')} and {keys_of('next_gene')} walk through it from anywhere"
    dock.genes.table.setToolTip(f"{dock.genes.table.toolTip()}. {walk}")
    dock.genes.search.setToolTip(f"{dock.genes.search.toolTip()} ({keys_of('search')})")
    return shortcuts


def step(table: QTableView, rows: int) -> None:
    """Move the current row of a table up or down."""
    last = table.model().rowCount() - 1
    current = table.currentIndex()
    row = min(max(current.row() + rows, 0), last) if current.isValid() else 0
    if last >= 0:
        table.setCurrentIndex(table.model().index(row, 0))


def focus_search(dock: Dock) -> None:
    """Unfold the section Genes and put the cursor into its search box."""
    dock.genes.heading.setChecked(True)
    dock.scroll.ensureWidgetVisible(dock.genes.search)
    dock.genes.search.setFocus()
    dock.genes.search.selectAll()
