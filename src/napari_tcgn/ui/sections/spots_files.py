"""Buttons that save spots and read them from files and folders."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QMessageBox, QPushButton, QVBoxLayout, QWidget

from napari_tcgn.options import SpotsSettings, option_of
from napari_tcgn.paths import portable_name
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.tasks.background import Failure
from napari_tcgn.ui.widgets.controls import line_edit, tick_box
from napari_tcgn.ui.widgets.flow import FlowLayout
from napari_tcgn.ui.widgets.option_widget import label_of, tip_of

READABLE = "Spots (*.tsv *.txt *.csv *.gz *.h5ad *.parquet);;All files (*)"
SAVED = "Spots (*.csv *.csv.gz)"


class SpotFiles(QWidget):
    """Save…, Read file…, Read folder…; `chosen` tells which path is to be read."""

    chosen = Signal(Path)
    said = Signal(str)
    failed = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._writing = False
        self.file_button = QPushButton("Read file…")
        self.file_button.setToolTip(
            "Spots of an ST selection table (.tsv), a Visium positions table, an .h5ad, or a file saved here (.csv)"
        )
        self.folder_button = QPushButton("Read folder…")
        self.folder_button.setToolTip("Spots of a Visium folder: the one that Space Ranger wrote, with spatial/ inside")
        self.save_button = QPushButton("Save…")
        self.save_button.setToolTip("Save the spots as .csv, to lay the same ones again, here or on the command line")
        buttons = (self.file_button, self.folder_button, self.save_button)
        row = FlowLayout(*buttons, growing=buttons)
        library, trust = (option_of(SpotsSettings, name) for name in ("library", "trust_spots"))
        self.library_edit = line_edit("section of an .h5ad", tip_of(library), clearable=True)
        self.library_edit.setAccessibleName(label_of(library))
        self.trust_box = tick_box(label_of(trust), tip_of(trust))
        second = FlowLayout(self.trust_box, self.library_edit, growing=[self.library_edit])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addLayout(second)
        self.file_button.clicked.connect(self.ask_for_file)
        self.folder_button.clicked.connect(self._ask_for_folder)
        self.save_button.clicked.connect(self._ask_where_to_save)

    def settings(self) -> SpotsSettings:
        """Return how the spots of a file are to be taken."""
        return SpotsSettings(library=self.library_edit.text().strip() or None, trust_spots=self.trust_box.isChecked())

    def reset(self) -> None:
        """Set back how the spots of a file are taken."""
        self.library_edit.clear()
        self.trust_box.setChecked(SpotsSettings().trust_spots)

    def ask_for_file(self) -> None:
        """Let the user choose a file to read."""
        path, _ = QFileDialog.getOpenFileName(self, "Read spots", "", READABLE)
        if path:
            self.chosen.emit(Path(path))

    def enable(self, free: bool) -> None:
        """Enable what can be used."""
        state = self._session.state
        for button in (self.file_button, self.folder_button):
            button.setEnabled(free and not state.missing_for_table())
        self.save_button.setEnabled(state.spots is not None and not self._writing)

    def _ask_for_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Read a Visium folder")
        if path:
            self.chosen.emit(Path(path))

    def _ask_where_to_save(self) -> None:
        # Asked below and not by the dialog, which does not know of the suffix that may be added.
        option = QFileDialog.Option.DontConfirmOverwrite
        slide = self._session.state.slide
        assert slide is not None  # the button is disabled without spots on one
        name = portable_name(f"{slide.name}_spots.csv")
        chosen, _ = QFileDialog.getSaveFileName(self, "Save spots", name, SAVED, options=option)
        if not chosen:
            return
        path = Path(chosen)
        if path.suffix not in (".csv", ".gz"):
            path = path.with_name(f"{path.name}.csv")
        overwrite = path.exists()
        question = f"{path.name} exists already. Replace it?"
        if overwrite and QMessageBox.question(self, "Save spots", question) != QMessageBox.StandardButton.Yes:
            return
        self._save(path, overwrite)

    def _save(self, path: Path, overwrite: bool) -> None:
        spots, slide = self._session.state.spots, self._session.state.slide
        assert spots is not None  # the button is disabled without

        def write() -> str:
            from napari_tcgn.spots import write_spots

            write_spots(spots, path, overwrite, slide)
            return f"Saved {len(spots)} spots as {path}."

        def end_well(sentence: str) -> None:
            self._writing = False
            self.said.emit(sentence)

        def end_badly(failure: Failure) -> None:
            self._writing = False
            self.failed.emit(failure)

        self._writing = True
        self._session.background.call(write, end_well, end_badly)
