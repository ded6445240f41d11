"""Names of genes to be typed: completed, looked up, and what is said of unknown ones and of aliases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import QStringListModel, Qt
from qtpy.QtWidgets import QCompleter, QLineEdit

from napari_tcgn.expression import symbol_of_alias
from napari_tcgn.stats import nearest_names

MODELS_NAMED = 3  # of those that have a gene


class GeneNames(QStringListModel):
    """The names of a panel, for any number of line edits: Qt searches them without asking Python."""

    def set_genes(self, genes: Sequence[str]) -> None:
        """Take other genes."""
        if list(genes) != self.stringList():
            self.setStringList(list(genes))

    def complete(self, edit: QLineEdit) -> None:
        """Complete what is typed into a line edit."""
        completer = QCompleter(self, edit)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        edit.setCompleter(completer)


def find_gene(text: str, genes: Sequence[str]) -> str:
    """Return the gene that a text names, in upper or lower case or by an alias (HER2); "" if there is none."""
    text = text.strip()
    for name in (text, symbol_of_alias(text)):
        if name in genes:
            return name
        found = next((gene for gene in genes if gene.upper() == name.upper()), "") if name else ""
        if found:
            return found
    return ""


def renamed(text: str, gene: str) -> str:
    """Say which gene an alias was taken for; "" if the text is the gene's own name."""
    text = text.strip()
    return "" if text.upper() == gene.upper() else f"{text} is {gene}."


def unknown_gene(text: str, genes: Sequence[str], panels: Mapping[str, Sequence[str]] | None = None) -> str:
    """Say that a panel has no such gene, which models have it, and else which genes are called nearly so.

    Parameters
    ----------
    text : str
        As typed.
    genes : sequence of str
        The panel.
    panels : mapping of str to sequence of str, optional
        The genes of every model, by the name under which the dock lists it; None: nothing is said of models.
    """
    text = text.strip()
    having = {model: gene for model, panel in (panels or {}).items() if (gene := find_gene(text, panel))}
    symbol = next(iter(having.values()), "") or symbol_of_alias(text)
    if symbol:
        gene = f"{text} is {symbol}, which" if renamed(text, symbol) else symbol
        others = "" if panels is None else f"; {_models(list(having))}"
        return f"{gene} is not in this panel ({len(genes)} genes){others}."
    near = nearest_names(text, genes)
    hint = f" Near: {', '.join(near)}." if near else ""
    return f"No gene of this panel ({len(genes)} genes) is called {text!r}.{hint}"


def _models(having: list[str]) -> str:
    """Say which models have a gene."""
    if not having:
        return "no model in the list has it"
    named, more = having[:MODELS_NAMED], len(having) - MODELS_NAMED
    if more > 0:
        named.append(f"{more} other{'s' if more > 1 else ''}")
    listed = " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))
    return f"{listed} {'has' if len(having) == 1 else 'have'} it"
