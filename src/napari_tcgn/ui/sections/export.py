"""Section Export: the result as a file of a chosen format, and the run as a command line."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtGui import QClipboard
from qtpy.QtWidgets import QApplication, QCheckBox, QFileDialog, QMessageBox, QPushButton

from napari_tcgn.errors import TcgnError
from napari_tcgn.model import LEVEL
from napari_tcgn.options import ExportSettings
from napari_tcgn.ui.actions import repeating
from napari_tcgn.ui.actions.comparing import Comparing
from napari_tcgn.ui.layers import store
from napari_tcgn.ui.sections.base import Section, text_label
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.tasks.background import Failure
from napari_tcgn.ui.widgets.controls import choice_box, tick_box
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
    Format("figure (.png)", ".png", SHOWN, "H&E and up to 11 genes as they are seen in the viewer, as a picture"),
    Format("figure (.svg)", ".svg", SHOWN, "H&E and up to 11 genes as they are seen in the viewer, as a drawing"),
)
TABLES, FIGURES = (".csv", ".parquet"), (".png", ".svg")


class ExportSection(Section):
    """Write the chosen result, or what repeats its run: a command, or a script of the whole session.

    Parameters
    ----------
    session : Session
    comparing : Comparing
        What was compared, for the script.
    """

    def __init__(self, session: Session, comparing: Comparing) -> None:
        super().__init__(session, "Export", folded=True)
        self._comparing = comparing
        self._writing, self._copied = False, ""
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
        self.interval_box = tick_box(
            f"with {LEVEL:.0%} intervals", f"Also the bounds between which {LEVEL:.0%} of measurements are to lie"
        )
        self.full_box = QCheckBox("slide at full resolution")
        self.export_button = QPushButton("Export…")
        self.copy_button = QPushButton("Copy as command line")
        self.session_button = QPushButton("Save session…")
        self.session_button.setToolTip(
            "Write what was done here (runs, comparisons, maps) as a Python and a shell script that do it again"
        )
        self.reason = text_label()

        self.form.add(FlowLayout(self.format_box, self.export_button, growing=[self.format_box]))
        self.form.add_labelled("genes", self.genes_box)
        self.form.add(self.tidy_box)
        self.form.add(self.interval_box)
        self.form.add(self.full_box)
        self.form.add(FlowLayout(self.copy_button, self.session_button))
        self.form.add(self.reason)

        self.format_box.currentIndexChanged.connect(self._on_format)
        self.export_button.clicked.connect(self._ask_for_path)
        self.copy_button.clicked.connect(self._copy)
        self.session_button.clicked.connect(self._save_session)
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
        self.interval_box.setVisible(chosen.suffix not in FIGURES)
        self.full_box.setVisible(chosen.suffix == ".zarr")
        self._enable()

    def _enable(self) -> None:
        missing, result = self._missing(), self._result()
        self.export_button.setEnabled(not missing)
        self.reason.setText(missing)
        self.reason.setVisible(bool(missing))
        self.interval_box.setEnabled(result is not None and result.intervals is not None)
        has_slide = result is not None and result.slide is not None
        self.full_box.setEnabled(has_slide)
        self.full_box.setToolTip(
            "Write the pixels of the slide too, which can be gigabytes; otherwise a small picture" if has_slide
            else "Only a result of this session knows its slide; the small picture is written"
        )  # fmt: skip
        no_command = "Only for a predicted result" if result is None or result.record is None else ""
        self.copy_button.setEnabled(not missing and not no_command)
        self.session_button.setEnabled(not missing)
        self.copy_button.setToolTip(no_command or "Copy the `napari-tcgn predict` command that repeats this run")

    # -- writing -------------------------------------------------------------------------------------------------

    def _ask_for_path(self) -> None:
        result, chosen = self._result(), self._format()
        assert result is not None  # the button is disabled without one
        # Asked below and not by the dialog, which does not know of the suffix that may be added.
        option = QFileDialog.Option.DontConfirmOverwrite
        kind = f"{chosen.text.partition(' (')[0]} (*{chosen.suffix})"
        given, _ = QFileDialog.getSaveFileName(
            self, "Export", repeating.result_name(result, chosen.suffix), kind, options=option
        )
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
        with_intervals = self.interval_box.isEnabled() and self.interval_box.isChecked()
        settings = ExportSettings(
            genes=self.session.state.gene if genes == SHOWN else genes,
            tidy=self.tidy_box.isChecked(),
            interval=round(100 * LEVEL) if with_intervals and self._format().suffix not in FIGURES else 0,
        )
        layer = self.session.state.result_layer
        assert layer is not None  # the button is disabled without one
        if self._format().suffix not in FIGURES:
            return settings
        return repeating.as_seen(self.session, layer, settings, one_gene=genes == SHOWN)

    def _write(self, result: store.Result, path: Path, overwrite: bool) -> None:
        settings = self._settings()
        with_slide = self.full_box.isEnabled() and self.full_box.isChecked() and path.suffix == ".zarr"

        def write() -> Exported:
            from napari_tcgn.exports import export
            from napari_tcgn.files import require_no_input

            require_no_input([path], [None if result.slide is None else result.slide.path])
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

    # -- doing it again ------------------------------------------------------------------------------------------

    def _copy(self) -> None:
        """Copy the command that repeats the run, after what it needs as a file has been saved."""
        result = self._result()
        assert result is not None  # the button is disabled without one
        record = result.record
        assert record is not None  # and for what no run has made
        slide, wanted = repeating.slide_path(self.session, result), repeating.Wanted.of(result, record)
        try:
            wanted.repeat(record, slide, Path(wanted.name))
        except TcgnError as error:  # before a file is asked for
            self._not_copied(Failure.of(error))
            return
        path = None
        if wanted.kind:
            path = self._ask_where(wanted, slide)
            if path is None:
                return

        out = repeating.result_name(result, ".h5ad", whole=True)
        known = slide is not None and (wanted.kind or result.spots_file is not None or not record.spots.source.file)
        hint = "" if known else " The record holds file names only: run it in the slide's folder."
        if path is None:
            self._on_command(wanted.repeat(record, slide, None).command(out), hint)
            return

        def write() -> list[str]:
            wanted.write(path, overwrite=True)  # the dialog has asked
            return wanted.repeat(record, slide, path).command(out)

        said = f" {path.name} is saved for it.{hint}"
        self.session.background.call(write, lambda command: self._on_command(command, said), self._not_copied)

    def _ask_where(self, wanted: repeating.Wanted, slide: Path | None) -> Path | None:
        what = "region that was drawn" if wanted.kind == "region" else "spots as they are"
        beside = wanted.name if slide is None else str(slide.with_name(wanted.name))
        kinds = f"{what} (*{Path(wanted.name).suffix})"
        chosen, _ = QFileDialog.getSaveFileName(self, f"Save the {what}, for the command", beside, kinds)
        return Path(chosen) if chosen else None

    def _on_command(self, command: list[str], more: str) -> None:
        from napari_tcgn.engine import as_line

        self._copied = as_line(command)
        _clipboard().setText(self._copied)
        self.message.say(f"Copied the command that repeats this run.{more}")
        self.message.setToolTip(self._copied)

    def _not_copied(self, failure: Failure) -> None:
        if self._copied and _clipboard().text() == self._copied:
            _clipboard().clear()  # else the command of another run would be pasted as if it were of this one
        self.message.fail(failure)

    def _save_session(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder for the scripts")
        if not chosen:
            return
        folder = Path(chosen)
        script = repeating.session_script(self.session, self._comparing)
        if not script.steps:
            self.message.say(" ".join(["Nothing to save.", *script.left_out]))
            return
        overwrite = any((folder / name).exists() for name in (repeating.PYTHON, repeating.SHELL, *script.files))
        question = f"{folder.name} holds a saved session already. Replace it?"
        if overwrite and QMessageBox.question(self, "Save session", question) != QMessageBox.StandardButton.Yes:
            return
        said = " ".join([f"Saved {repeating.PYTHON} and {repeating.SHELL} in {folder.name}.", *script.left_out])
        self.session.background.call(
            lambda: script.write(folder, overwrite), lambda _: self.message.say(said), self.message.fail
        )


def _clipboard() -> QClipboard:
    clipboard = QApplication.clipboard()
    assert clipboard is not None  # there is one as soon as there is an application
    return clipboard
