"""The genes of a result as a sorted, filtered table for Qt.

One model without a proxy: a proxy asks Python for every cell that it compares, which takes seconds at 20,000 genes;
here numpy sorts and filters whole columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QModelIndex, Qt

from napari_tcgn.model import ModelCard
from napari_tcgn.trust import VERDICTS, trust_sentence, trusted, verdicts
from napari_tcgn.ui.widgets.pick_table import GENE, GeneRows, short

VERDICT, PCC, DEPTH, SD, MORAN = range(GENE + 1, 6)
HEADINGS = ("gene", "trust", "held-out\nPCC", "depth\nout", "sd", "Moran\nI")
TRUST_COLUMNS = (VERDICT, PCC, DEPTH)
SIGNS = {
    "yes": "✓",
    "simpler": "(✓)",
    "caution": "!",
    "no": "✗",
    "?": "?",
}  # of verdicts; words would not fit beside the figures
MEANINGS = (
    "Gene of the panel",
    "Is the gene predictable?\n" + "\n".join(f"{SIGNS[word]} {meaning}" for word, meaning in VERDICTS.items()),
    "Pearson correlation with measured counts that the model was not trained on, and its 95 % interval",
    "The same once the spots' sequencing depth is taken out: what the model knows of the gene itself",
    "Variability: standard deviation over the spots of this slide, on the scale of the values",
    "Moran's I over the spots of this slide: near 1 neighbours agree, near 0 there is no pattern",
)
UNKNOWN = "–"


class GeneModel(GeneRows):
    """Gene, trust, variability and Moran's I: one row per gene that the filter lets through.

    Attributes
    ----------
    genes : list of str
        All genes, in the order of the panel.
    card : ModelCard or None
        Of the model that predicted them, if one did.
    has_figures : bool
        Whether it was measured on held-out sections.
    trusted : bool [genes]
        Which ones the held-out figures call predictable.
    with_intervals : bool
        Whether a held-out PCC is shown with its interval, which is in its tooltip anyway.
    """

    def __init__(self) -> None:
        super().__init__()
        self._column, self._descending = PCC, True
        self._filter, self._also = "", ""
        self._trusted_only = False
        self.with_intervals = True
        self._take((), None)

    def _take(self, genes: Sequence[str], card: ModelCard | None) -> None:
        self._name(genes)
        n = len(self.genes)
        self._upper = np.char.upper(np.array(self.genes, dtype=np.str_)) if n else np.empty(0, np.str_)
        self.card = card
        self._figures = np.full((len(HEADINGS), n), np.nan)  # GENE and VERDICT: their rank
        self._figures[GENE, np.argsort(self._upper, kind="stable")] = -np.arange(n)
        self._low, self._high = np.full(n, np.nan), np.full(n, np.nan)
        self._verdicts = [""] * n
        self.has_figures, self.trusted = False, np.zeros(n, dtype=bool)
        self._asked_for = np.zeros(n, dtype=bool)
        if card is not None:
            self._take_trust(card)
        self._arrange()

    def _take_trust(self, card: ModelCard) -> None:
        mine = np.array([i for i, gene in enumerate(card.genes) if gene in self._place], dtype=np.intp)
        place = np.array([self._place[card.genes[i]] for i in mine], dtype=np.intp)
        self._figures[PCC, place] = card.gene_metric("pcc")[mine]
        self._figures[DEPTH, place] = card.gene_metric("depth_pcc")[mine]
        self._low[place], self._high[place] = card.gene_metric("pcc_low")[mine], card.gene_metric("pcc_high")[mine]
        words = verdicts(card)
        self.trusted[place] = trusted(card)[mine]
        self.has_figures = bool(np.isfinite(self._figures[PCC]).any())
        ranks = {word: -rank for rank, word in enumerate(VERDICTS)}
        for i, here in zip(mine, place, strict=True):
            self._verdicts[here] = words[i]
            self._figures[VERDICT, here] = ranks[words[i]]

    def _arrange(self) -> None:
        """Work out which genes are shown, and in which order."""
        key = self._figures[self._column]
        key = np.where(np.isnan(key), np.inf, -key if self._descending else key)  # unknown ones last, either way
        if self._column == GENE:
            key = -key  # its rank counts down, so that A comes first in ascending order
        order = np.lexsort((-self._figures[GENE], -np.nan_to_num(self._figures[PCC], nan=-2.0), key))
        self._meant = np.char.find(self._upper, self._filter) >= 0 if self._filter else np.ones(len(order), dtype=bool)
        if self._filter and self._also in self._place:
            self._meant[self._place[self._also]] = True
        shown = self._meant & (self.trusted | self._asked_for) if self.hides_some else self._meant
        self._rows = order[shown[order]]

    # -- what the dock asks and says ------------------------------------------------------------------------------

    def set_genes(self, genes: Sequence[str], card: ModelCard | None) -> None:
        """Show other genes; without a card nothing is known of how far they can be trusted."""
        self.beginResetModel()
        self._take(genes, card)
        self.endResetModel()

    def set_statistics(self, sd: NDArray[np.float64] | None, moran: NDArray[np.float64] | None) -> None:
        """Fill in the columns of what was computed from the values; None: not known."""
        self._figures[SD] = np.nan if sd is None else sd
        self._figures[MORAN] = np.nan if moran is None else moran
        self._rearrange()

    def set_filter(self, text: str, also: str = "") -> None:
        """Show only the genes whose name contains a text, in upper or lower case, and the gene `also`."""
        if (text.upper(), also) == (self._filter, self._also):
            return
        self.beginResetModel()
        self._filter, self._also = text.upper(), also
        self._arrange()
        self.endResetModel()

    # -- only the trusted ones ------------------------------------------------------------------------------------

    @property
    def can_hide(self) -> bool:
        """Whether there are trusted genes; otherwise all are shown, for nothing would be left."""
        return bool(self.trusted.any())

    @property
    def hides_some(self) -> bool:
        """Whether only trusted genes are shown, and those that were asked for."""
        return self._trusted_only and self.can_hide

    def set_trusted_only(self, wanted: bool, but: str = "") -> None:
        """Show only trusted genes and the gene `but`, or all; what was asked for before is forgotten."""
        self.beginResetModel()
        self._trusted_only = wanted
        self._asked_for[:] = False
        if but in self._place:
            self._asked_for[self._place[but]] = True
        self._arrange()
        self.endResetModel()

    def ask_for(self, genes: Sequence[str]) -> None:
        """Show genes although they are not trusted."""
        places = [self._place[gene] for gene in genes if gene in self._place]
        if self.hides_some and not (self.trusted | self._asked_for)[places].all():
            self.beginResetModel()
            self._asked_for[places] = True
            self._arrange()
            self.endResetModel()

    def hidden(self) -> list[str]:
        """Return the genes that the filter lets through and that are hidden, because they are not trusted."""
        unseen = self._meant.copy()
        unseen[self._rows] = False
        return [self.genes[i] for i in np.flatnonzero(unseen)]

    def doubt(self, gene: str) -> str:
        """Say why a gene is not trusted; "" if it is, or where none is."""
        return self._why(gene) if self.can_hide and not self.trusted[self._place[gene]] else ""

    def _why(self, gene: str) -> str:
        """Say how far a gene may be trusted; "" where no card tells."""
        return trust_sentence(self.card, gene) if self.card is not None and gene in self.card.genes else ""

    def counts(self) -> tuple[int, int]:
        """Return how many of the genes that the filter lets through are trusted, and how many there are."""
        return int((self._meant & self.trusted).sum()), int(self._meant.sum())

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; genes with equal or no figures follow by held-out PCC and name."""
        self._column, self._descending = column, order == Qt.SortOrder.DescendingOrder
        self._rearrange()

    # -- what Qt asks ---------------------------------------------------------------------------------------------

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # Qt's name
        """Return the number of columns."""
        return 0 if parent is not None and parent.isValid() else len(HEADINGS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> str | None:  # Qt's name
        """Return a column's heading, or what it means."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return HEADINGS[section]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return MEANINGS[section]
        return None

    def data(self, index: QModelIndex, role: int = 0) -> str | None:
        """Return a cell."""
        gene, column = int(self._rows[index.row()]), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(gene, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(gene)
        return None

    def _text(self, gene: int, column: int) -> str:
        if column == GENE:
            return self.genes[gene]
        if column == VERDICT:
            return SIGNS.get(self._verdicts[gene], "")
        figure, low, high = self._figures[column, gene], self._low[gene], self._high[gene]
        if np.isnan(figure):
            return UNKNOWN
        if column == PCC and self.with_intervals and not np.isnan(low):
            return f"{short(figure)} ({short(low)}–{short(high)})"
        return f"{figure:.2g}" if column == SD and not 0.1 <= figure < 100 else f"{figure:.2f}"

    def _tip(self, gene: int) -> str:
        """Say how far a gene may be trusted, and why."""
        return self._why(self.genes[gene]) or self.genes[gene]
