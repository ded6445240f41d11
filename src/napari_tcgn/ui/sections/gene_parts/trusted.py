"""Which genes the table lists: those that held-out figures call predictable, or all."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_tcgn.ui.sections.base import text_label
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.widgets.controls import set_quietly, tick_box
from napari_tcgn.ui.widgets.gene_table import GeneTable

TIP = (
    "List only the genes that the model's held-out figures call predictable (✓ and (✓) in the table), and the one that "
    "colours the spots"
)


def untrusted(hidden: list[str]) -> str:
    """Say that genes which were searched are hidden; "" if there are none."""
    if not hidden:
        return ""
    if len(hidden) == 1:
        return f"{hidden[0]} is hidden because it is not trusted; Enter shows it."
    return f"{len(hidden):,} genes with these letters are hidden because they are not trusted; Enter shows them."


class TrustedOnly(QWidget):
    """A box to tick, and how many genes that leaves.

    Attributes
    ----------
    box : QCheckBox
        Ticked at first; the choice is remembered.
    count : QLabel
        How many genes are trusted of how many, or why all are listed.
    """

    def __init__(self, session: Session, table: GeneTable) -> None:
        super().__init__()
        self._state, self._table = session.state, table
        self.box, self.count = tick_box("trusted only", TIP), text_label()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.box)
        row.addWidget(self.count, 1)
        self.box.toggled.connect(self._take)
        self._state.events.trusted_only.connect(self._follow)
        table.genes.modelReset.connect(self._say)
        self._follow()

    def _take(self, ticked: bool) -> None:
        self._state.trusted_only = ticked

    def _follow(self) -> None:
        set_quietly(self.box, self._state.trusted_only)
        self._table.set_trusted_only(self._state.trusted_only, self._state.gene)

    def _say(self) -> None:
        """Say how many genes are trusted of those that the search means."""
        rows = self._table.genes
        trusted, meant = rows.counts()
        self.box.setEnabled(rows.can_hide)
        if not meant or (len(rows.genes) == 1 and not rows.has_figures):  # a map of trust has one name and no genes
            text = ""
        elif rows.can_hide:
            text = f"{trusted:,} of {meant:,} {'trusted' if meant == len(rows.genes) else 'found are trusted'}"
        else:
            every = f"all {len(rows.genes):,} genes are listed"
            text = f"{'none is trusted' if rows.has_figures else 'no held-out figures'}: {every}"
        self.count.setText(text)
