"""Section Export: the result as a file of a chosen format, and the run as a command line."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QApplication, QCheckBox, QFileDialog, QMessageBox, QPushButton

from napari_tcgn.errors import TcgnError
from napari_tcgn.options import ExportSettings
from napari_tcgn.paths import portable_name
from napari_tcgn.ui.layers import store
from napari_tcgn.ui.sections.base import Section, text_label
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.tasks.background import Failure
from napari_tcgn.ui.widgets.controls import choice_box
from napari_tcgn.ui.widgets.flow import FlowLayout
from napari_tcgn.ui.widgets.option_widget import option_widget

if TYPE_CHECKING:
    from napari_tcgn.exports import Exported

SHOWN, TRUSTED, ALL = "shown", "trusted", "all"


@dataclass(frozen=True)
class Format:
    """A format of the box: what it is called, its suffix, the genes that it usually holds, and what it is for."""

    text: str
    suffix: str
    genes: str
    tip: str


FORMATS = (
    Format("AnnData (.h5ad)", ".h5ad", ALL, "For squidpy, scanpy and this plugin: File ▸ Open shows it again"),
    Format("SpatialData (.zarr)", ".zarr", ALL, "Picture, spots and genes for napari-spatialdata and squidpy"),
    Format("CSV table", ".csv", ALL, "Spots and genes as plain text, for a spreadsheet or R"),
    Format("Parquet table", ".parquet", ALL, "The same table, small and quick to read"),
    Format(
        "GeoJSON for QuPath", ".geojson", TRUSTED, "Spots as detections with genes as measurements; drop it on QuPath"
    ),
    Format("figure (.png)", ".png", SHOWN, "H&E and up to 11 genes with scale and colour bars, as a picture"),
    Format("figure (.svg)", ".svg", SHOWN, "H&E and up to 11 genes with scale and colour bars, as a drawing"),
)
TABLES = (".csv", ".parquet")


class ExportSection(Section):
    """Write the chosen result, or copy the command that repeats its run."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "Export", folded=True)
        self._writing = False
        self.format_box = choice_box("What to write")
        for one in FORMATS:
            self.format_box.addItem(one.text, one)
        self.genes_box = choice_box(
            f"Which genes to write; trusted are the {ExportSettings().top} best of those that held-out figures call "
            "predictable"
        )
        for text, choice in (("shown gene", SHOWN), ("trusted genes", TRUSTED), ("all genes", ALL)):
            self.genes_box.addItem(text, choice)
        self._tidy = option_widget(ExportSettings, "tidy")
        self.tidy_box = self._tidy.native
        self.full_box = QCheckBox("slide at full resolution")
        self.export_button = QPushButton("Export…")
        self.copy_button = QPushButton("Copy as command line")
        self.reason = text_label()

        self.form.addRow(FlowLayout(self.format_box, self.export_button, growing=[self.format_box]))
        self.form.addRow("genes", self.genes_box)
        self.form.addRow(self.tidy_box)
        self.form.addRow(self.full_box)
        self.form.addRow(self.copy_button)
        self.form.addRow(self.reason)

        self.format_box.currentIndexChanged.connect(self._on_format)
        self.export_button.clicked.connect(self._ask_for_path)
        self.copy_button.clicked.connect(self._copy)
        events = session.state.events
        for event in (events.result_layer, events.running, events.result_version):
            event.connect(self._enable)
        self._on_format()

    def _result(self) -> store.Result | None:
        return store.result_of(self.session.state.result_layer)

    def _format(self) -> Format:
        chosen: Format = self.format_box.currentData()
        return chosen

    def _missing(self) -> str:
        if self.session.state.running:
            return "Wait for the run to end, or cancel it."
        if self._result() is None:
            return "Nothing is predicted yet."
        return "Writing …" if self._writing else ""

    def _on_format(self) -> None:
        chosen = self._format()
        self.export_button.setToolTip(chosen.tip)
        self.genes_box.setCurrentIndex(self.genes_box.findData(chosen.genes))
        self.tidy_box.setVisible(chosen.suffix in TABLES)
        self.full_box.setVisible(chosen.suffix == ".zarr")
        self._enable()

    def _enable(self) -> None:
        missing, result = self._missing(), self._result()
        self.export_button.setEnabled(not missing)
        self.reason.setText(missing)
        self.reason.setVisible(bool(missing))
        has_slide = result is not None and result.slide is not None
        self.full_box.setEnabled(has_slide)
        self.full_box.setToolTip(
            "Write the pixels of the slide too, which can be gigabytes; otherwise a small picture" if has_slide
            else "Only a result of this session knows its slide; the small picture is written"
        )  # fmt: skip
        no_command = "Only for a predicted result" if result is None or result.record is None else ""
        self.copy_button.setEnabled(not missing and not no_command)
        self.copy_button.setToolTip(no_command or "Copy the `napari-tcgn predict` command that repeats this run")

    # -- writing -------------------------------------------------------------------------------------------------

    def _ask_for_path(self) -> None:
        result, chosen = self._result(), self._format()
        assert result is not None  # the button is disabled without one
        # Asked below and not by the dialog, which does not know of the suffix that may be added.
        option = QFileDialog.Option.DontConfirmOverwrite
        kind = f"{chosen.text.partition(' (')[0]} (*{chosen.suffix})"
        given, _ = QFileDialog.getSaveFileName(self, "Export", _name(result, chosen.suffix), kind, options=option)
        if not given:
            return
        path = Path(given)
        if path.suffix != chosen.suffix:
            path = path.with_name(f"{path.name}{chosen.suffix}")
        overwrite = path.exists()
        if overwrite:
            question = f"{path.name} exists already. Replace it?"
            if QMessageBox.question(self, "Export", question) != QMessageBox.StandardButton.Yes:
                return
        self._write(result, path, overwrite)

    def _settings(self) -> ExportSettings:
        genes = self.genes_box.currentData()
        return ExportSettings(
            genes=self.session.state.gene if genes == SHOWN else genes, tidy=self.tidy_box.isChecked()
        )

    def _write(self, result: store.Result, path: Path, overwrite: bool) -> None:
        settings = self._settings()
        with_slide = self.full_box.isEnabled() and self.full_box.isChecked() and path.suffix == ".zarr"

        def write() -> Exported:
            from napari_tcgn.exports import export

            with ExitStack() as stack:
                slide = stack.enter_context(result.slide_for_reading()) if with_slide else None
                return export(result.to_adata(), path, settings, slide, overwrite)

        self._writing = True
        self.message.say("")
        self._enable()
        self.session.background.call(write, lambda done: self._on_written(result, path, done), self._on_failed)

    def _on_written(self, result: store.Result, path: Path, done: Exported) -> None:
        self._writing = False
        self._enable()
        partial = ", a partial result" if result.partial else ""
        part, notes = done.adata, "".join(f" {note}" for note in done.notes)
        self.message.say(f"Wrote {path.name} ({part.n_obs} spots x {part.n_vars} genes{partial}).{notes}")
        self.message.setToolTip(str(path))  # a long path cannot be wrapped

    def _on_failed(self, failure: Failure) -> None:
        self._writing = False
        self._enable()
        self.message.fail(failure)

    # -- the command ---------------------------------------------------------------------------------------------

    def _copy(self) -> None:
        from napari_tcgn.engine import as_line, predict_command

        result = self._result()
        assert result is not None  # the button is disabled without one
        assert result.record is not None  # and for what no run has made
        slide = self._slide_path(result)
        try:
            command = predict_command(result.record, _name(result, ".h5ad", whole=True), slide, result.spots_file)
        except TcgnError as error:
            self.message.fail(Failure.of(error))
            return
        clipboard = QApplication.clipboard()
        assert clipboard is not None  # there is one as soon as there is an application
        clipboard.setText(as_line(command))
        hint = (
            ""
            if slide is not None and (result.spots_file or "--spots" not in command)
            else " The record holds file names only: run it in the slide's folder."
        )
        self.message.say(f"Copied the command that repeats this run.{hint}")
        self.message.setToolTip(as_line(command))

    def _slide_path(self, result: store.Result) -> Path | None:
        """Return the file of a result's slide: where this session ran it, or has the same file open."""
        if result.slide is not None:
            return result.slide.path
        path = self.session.state.slide.path if self.session.state.slide is not None else None
        same = path is not None and result.record is not None and path.name == result.record.slide.file
        return path if same else None


def _name(result: store.Result, suffix: str, whole: bool = False) -> str:
    """Return the suggested file name of a result, or of the whole run that it is a part of."""
    maker = result.card.name if result.card else result.kind
    partial = "_partial" if result.partial and not whole else ""
    return portable_name(f"{result.library_id}_{maker}{partial}{suffix}").replace(" ", "_")
