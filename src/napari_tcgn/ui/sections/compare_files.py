"""Controls of the section Compare that say where the measured counts of a section lie."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QObject, Qt
from qtpy.QtWidgets import QFileDialog, QInputDialog

from napari_tcgn.errors import TcgnError
from napari_tcgn.sample import sample_section
from napari_tcgn.ui.actions.comparing import Measured
from napari_tcgn.ui.actions.measured_files import sample_of, spots_of_counts
from napari_tcgn.ui.layers import store
from napari_tcgn.ui.widgets.controls import choice_box, set_quietly, tick_box

ST, VISIUM, H5AD, SAMPLE = "st", "visium", "h5ad", "sample"
SAMPLE_TIP = "What was measured on the sample section: it comes with the package"
NO_TABLE = "and where their spots lie…"
TABLE_TIP = (
    "Choose the selection table of the count table. The one that was predicted on, or that lies beside the counts "
    "(C2_selection.tsv beside C2.tsv), is taken by itself; without one, spots are matched by their names"
)
NO_SETS = "and gene sets (.gmt)…"
SOURCES = (
    (
        "Count table or matrix…",
        ST,
        "Raw counts of spots and genes (.tsv, .csv, also packed); or a matrix of 10x Genomics (.h5, .mtx), also of one "
        "sample of GEO",
    ),
    ("Visium folder…", VISIUM, "The outs folder of Space Ranger"),
    (".h5ad file…", H5AD, "AnnData with raw counts"),
)


class CountsFiles(QObject):
    """Which kind of counts, where their spots lie, and gene sets to compare too; the section places the controls."""

    def __init__(self) -> None:
        super().__init__()
        self.source_box = choice_box()
        for number, (text, source, tip) in enumerate(SOURCES):
            self.source_box.addItem(text, source)
            self.source_box.setItemData(number, tip, Qt.ItemDataRole.ToolTipRole)
        self.source_box.setToolTip("What the measured counts of this section lie in")
        self.sets_box = tick_box(
            NO_SETS, "Compare the scores of gene sets, too: choose a .gmt file, such as those of MSigDB"
        )
        self._sets: Path | None = None
        self.table_box = tick_box(NO_TABLE, TABLE_TIP)
        self._table: Path | None = None  # of the counts' spots, chosen by hand
        self.sets_box.toggled.connect(self._on_sets)
        self.table_box.toggled.connect(self._on_table)

    def ask(self, result: store.Result) -> tuple[Measured, str] | None:
        """Let the user choose the counts of a result; return them and what is to be said of them, None if not meant."""
        source = self.source_box.currentData()
        if source == SAMPLE:
            sample = sample_section()
            return Measured(sample.counts, sample.spots, self._sets), ""
        if source == VISIUM:
            chosen = QFileDialog.getExistingDirectory(self.source_box, "Visium folder")
        else:
            kinds = "Counts (*.tsv *.txt *.csv *.mtx *.h5 *.gz)" if source == ST else "AnnData (*.h5ad)"
            chosen, _ = QFileDialog.getOpenFileName(self.source_box, "Measured counts", "", kinds)
        if not chosen:
            return None
        path = Path(chosen)
        layer = None
        if source == H5AD:
            layer, meant = self._layer(path)
            if not meant:
                return None
        spots, told = spots_of_counts(path, result, self._table) if source == ST else (None, "")
        return Measured(path, spots, self._sets, layer), told

    def _layer(self, path: Path) -> tuple[str | None, bool]:
        """Return the layer of an .h5ad that holds the counts, asked for where X does not; and whether to go on."""
        from napari_tcgn.expression import counted_tables

        try:
            found = counted_tables(path)
        except TcgnError:  # the comparison says what is wrong
            return None, True
        others = [name for name in found if name is not None]
        if None in found or not others:
            return None, True
        question = f"X of {path.name} holds no raw counts. Take them from the layer (raw is AnnData's .raw):"
        return QInputDialog.getItem(self.source_box, "Measured counts", question, others, 0, False)

    def _on_sets(self, wanted: bool) -> None:
        chosen = ""
        if wanted:
            chosen, _ = QFileDialog.getOpenFileName(
                self.source_box, "Gene sets", "", "Gene sets (*.gmt);;All files (*)"
            )
        self._sets = Path(chosen) if chosen else None
        self.sets_box.setText(NO_SETS if self._sets is None else f"and the gene sets of {self._sets.name}")
        set_quietly(self.sets_box, self._sets is not None)

    def _on_table(self, wanted: bool) -> None:
        chosen = ""
        if wanted:
            kinds = "Tables (*.tsv *.txt *.csv *.gz *.parquet)"
            chosen, _ = QFileDialog.getOpenFileName(self.source_box, "Selection table of the counts", "", kinds)
        self._table = Path(chosen) if chosen else None
        self.table_box.setText(NO_TABLE if self._table is None else f"their spots lie as in {self._table.name}")
        set_quietly(self.table_box, self._table is not None)

    def offer_sample(self, result: store.Result | None) -> None:
        """Offer the counts of the sample section first, where it is what was predicted."""
        sample, offered = sample_of(None if result is None else result.slide), self.source_box.findData(SAMPLE)
        if sample is not None and offered < 0:
            self.source_box.insertItem(0, "The sample's counts", SAMPLE)
            self.source_box.setItemData(0, SAMPLE_TIP, Qt.ItemDataRole.ToolTipRole)
            self.source_box.setCurrentIndex(0)
        elif sample is None and offered >= 0:
            self.source_box.removeItem(offered)
