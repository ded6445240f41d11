"""Keys of the dock, on chords that napari leaves free."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QTableView, QWidget


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
    "swap_halves": Keys("swap predicted and measured, side by side", "Alt+Shift+B"),
    "search": Keys("search a gene", "Alt+Shift+F"),
}


def keys_of(name: str) -> str:
    """Return the keys of a shortcut as this platform writes them."""
    return QKeySequence(SHORTCUTS[name].chord).toString(QKeySequence.SequenceFormat.NativeText)


def add_shortcuts(window: QWidget, actions: Mapping[str, Callable[[], object]]) -> list[QShortcut]:
    """Let keys act in the whole window of a widget.

    Parameters
    ----------
    window : QWidget
    actions : mapping of str to callable
        By names of `SHORTCUTS`.
    """
    shortcuts = []
    for name, act in actions.items():
        shortcut = QShortcut(QKeySequence(SHORTCUTS[name].chord), window)
        shortcut.activated.connect(act)
        # Two docks in one window have the same keys: Qt then asks one after the other.
        shortcut.activatedAmbiguously.connect(act)
        shortcuts.append(shortcut)
    return shortcuts


def step(table: QTableView, rows: int) -> None:
    """Move the current row of a table up or down."""
    model = table.model()
    assert model is not None  # the tables of the dock are never without
    last = model.rowCount() - 1
    current = table.currentIndex()
    row = min(max(current.row() + rows, 0), last) if current.isValid() else 0
    if last >= 0:
        table.setCurrentIndex(model.index(row, 0))
