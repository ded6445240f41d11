"""Names of genes to be typed: completed, looked up, and what is said of unknown ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import QStringListModel, Qt
from qtpy.QtWidgets import QCompleter, QLineEdit

from napari_tcgn.stats import nearest_names


class GeneNames(QStringListModel):
    """The names of a panel, for any number of line edits: Qt searches them without asking Python."""

    def set_genes(self, genes: Sequence[str]) -> None:
        """Take other genes."""
        if list(genes) != self.stringList():
            self.setStringList(list(genes))

    def complete(self, edit: QLineEdit, picked: Callable[[str], object] | None = None) -> None:
        """Complete what is typed into a line edit; `picked` gets a name that is chosen from the list."""
        completer = QCompleter(self, edit)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        if picked is not None:
            completer.activated[str].connect(picked)
        edit.setCompleter(completer)


def find_gene(text: str, genes: Sequence[str]) -> str:
    """Return the gene that a text names, in upper or lower case; "" if there is none."""
    text = text.strip()
    if text in genes:
        return text
    return next((gene for gene in genes if gene.upper() == text.upper()), "")


def unknown_gene(text: str, genes: Sequence[str]) -> str:
    """Say that there is no such gene, and which ones are called nearly so."""
    near = nearest_names(text.strip(), genes)
    hint = f" Near: {', '.join(near)}." if near else ""
    return f"No gene of this panel ({len(genes)} genes) is called {text.strip()!r}.{hint}"
