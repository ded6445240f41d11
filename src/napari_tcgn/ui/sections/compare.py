"""Section Compare: predicted beside measured expression, gene by gene, with what simple predictors earn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QMessageBox, QPushButton

from napari_tcgn.ui.actions.comparing import Compared, Comparing, Measured, summary
from napari_tcgn.ui.actions.spot_mark import SpotMark
from napari_tcgn.ui.io import dialogs
from napari_tcgn.ui.layers import store
from napari_tcgn.ui.sections.base import Section, text_label
from napari_tcgn.ui.sections.compare_files import SAMPLE, ST, CountsFiles
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.shortcuts import keys_of
from napari_tcgn.ui.tasks.background import Failure
from napari_tcgn.ui.widgets.compare_table import CompareTable
from napari_tcgn.ui.widgets.controls import set_quietly, tick_box
from napari_tcgn.ui.widgets.flow import FlowLayout
from napari_tcgn.ui.widgets.scatter import Scatter

SIDE_BY_SIDE_TIP = (
    "Show the measured spots beside the predicted ones; without it, the one of the two that is selected in the layer "
    f"list ({keys_of('swap_halves')} swaps the halves)"
)
LIMITS_TIP = (
    "The same colour limits for both maps; without it each has its own, which show the pattern of a prediction that is "
    "smoother than the measurement"
)
REPORT = "report.html"


class CompareSection(Section):
    """Load measured counts of the section that was predicted, and compare.

    Attributes
    ----------
    comparing : Comparing
    table : CompareTable
    scatter : Scatter
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session, "Compare", folded=True)
        self.comparing = Comparing(session, self._show)
        self.files = CountsFiles()
        self.source_box, self.sets_box, self.table_box = (
            self.files.source_box,
            self.files.sets_box,
            self.files.table_box,
        )
        self.load_button = QPushButton("Compare…")
        self.load_button.setToolTip("Choose the measured counts and compare the shown result with them")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop comparing")
        self.state_label = text_label()
        self.overall = text_label()
        self.table = CompareTable()
        self.scatter = Scatter()
        self.mark = SpotMark(session)
        self.side_by_side_box = tick_box("side by side")
        self.limits_box = tick_box("shared limits", LIMITS_TIP, ticked=True)
        self.write_button = QPushButton("Tables and report…")
        self.write_button.setToolTip("Write tables (CSV), an HTML report and the annotated .h5ad into a folder")
        self.report_button = QPushButton("Open report")
        self.report_button.setToolTip("Show the report in the browser")
        self.report_button.hide()  # until there is one
        self._report: Path | None = None
        self._lay_out()

        self.load_button.clicked.connect(self._ask_for_files)
        self.source_box.currentIndexChanged.connect(self._show_source)
        self.cancel_button.clicked.connect(self.comparing.cancel)
        self.table.picked.connect(self._pick)
        self.scatter.picked.connect(self._mark)
        self.side_by_side_box.toggled.connect(self._on_side_by_side)
        self.limits_box.toggled.connect(self._on_limits)
        self.report_button.clicked.connect(self._open_report)
        session.colours.linked_changed.connect(self._show_limits)
        self.write_button.clicked.connect(self._ask_for_folder)
        events = session.state.events
        for event in (events.result_layer, events.running, events.result_version):
            event.connect(self._show)
        events.gene.connect(self._show_gene)
        self._shown: Compared | None = None
        self._writing = False
        self._show()

    def _lay_out(self) -> None:
        start = FlowLayout(self.source_box, self.load_button, self.cancel_button, growing=[self.source_box])
        maps = FlowLayout(self.side_by_side_box, self.limits_box)
        end = FlowLayout(self.write_button, self.report_button)
        figures = (self.state_label, self.overall, self.table, self.scatter)
        for row in (start, self.table_box, self.sets_box, *figures, maps, end):
            self.form.add(row)

    def _predicted(self) -> store.Result | None:
        """Return the predicted result that the section works on, also while its measurement is the chosen layer."""
        chosen = store.result_of(self.session.state.result_layer)
        compared = self.comparing.of(chosen)
        return chosen if compared is None else compared.predicted

    def disconnect_all(self) -> None:
        """Stop comparing, and put the layers back where they were."""
        self.mark.disconnect_all()
        self.comparing.disconnect_all()

    # -- start and end -------------------------------------------------------------------------------------------

    def _missing(self) -> str:
        if self.session.state.running:
            return "Wait for the run to end, or cancel it."
        result = self._predicted()
        if result is None:
            return "Nothing is predicted yet."
        if result.card is None:
            return "Choose a predicted result: this one does not say which model predicted it."
        if self.comparing.layer_of(result) is None:
            return "The layer of this prediction has been removed; choose another predicted result."
        if self.comparing.running:
            step = self.comparing.step
            return "Comparing …" if step is None else f"Comparing: {step.stage} ({step.done} of {step.total}) …"
        return ""

    def _ask_for_files(self) -> None:
        result = self._predicted()
        assert result is not None  # the button is disabled without one
        asked = self.files.ask(result)
        if asked is not None:
            self.compare(*asked)

    def compare(self, measured: Measured, told: str = "") -> None:
        """Compare the chosen result with measured counts; `told` is said of them."""
        result = self._predicted()
        assert result is not None  # the button is disabled without one
        self.message.say(told)

        def failed(failure: Failure) -> None:
            of_another = result is not self._predicted()  # a slide that was put aside meanwhile
            words = f"{result.library_id}: {failure.sentence}" if of_another else failure.sentence
            self.message.fail(replace(failure, sentence=words))

        self.comparing.start(result, measured, failed)

    # -- what is shown -------------------------------------------------------------------------------------------

    def _show(self, _event: object = None) -> None:
        if self.session.closed:
            return
        missing, compared = self._missing(), self.comparing.of(self._predicted())
        self.load_button.setEnabled(not missing)
        self.source_box.setEnabled(not missing)
        self.sets_box.setEnabled(not missing)
        self.table_box.setEnabled(not missing)
        self.files.offer_sample(self._predicted())
        self._show_source()
        self.cancel_button.setEnabled(self.comparing.running)
        self.state_label.setText(missing)
        self.state_label.setVisible(bool(missing))
        for widget in (self.overall, self.table, self.scatter, self.write_button, self.limits_box):
            widget.setVisible(compared is not None)
        self.write_button.setEnabled(not self._writing)
        self._show_side_by_side(compared)
        if compared is not self._shown:
            self._shown = compared
            self._report = None
            self.mark.remove()
            self.scatter.mark(None)
            self.table.set_table(None if compared is None else compared.comparison.genes)
            self.overall.setText("" if compared is None else "\n".join(summary(compared.comparison)))
        self.report_button.setVisible(self._report is not None)
        self._show_limits()
        self._show_gene()

    def _show_source(self) -> None:
        source = self.source_box.currentData()
        self.load_button.setText("Compare" if source == SAMPLE else "Compare…")
        self.table_box.setVisible(source == ST)

    def _show_side_by_side(self, compared: Compared | None) -> None:
        """Show whether the pair stands side by side; one of another result can be ended from here, too."""
        pair = self.comparing.side_by_side
        measured = None if compared is None else self.comparing.layer_of(compared.measured)
        predicted = None if compared is None else self.comparing.layer_of(compared.predicted)
        both = measured is not None and predicted is not None
        self.side_by_side_box.setVisible(compared is not None or pair.is_open)
        self.side_by_side_box.setEnabled(both or pair.is_open)
        self.side_by_side_box.setToolTip(
            SIDE_BY_SIDE_TIP if self.side_by_side_box.isEnabled() else "One of the two layers is gone"
        )
        set_quietly(self.side_by_side_box, pair.is_open if compared is None else pair.shows(compared.measured))

    def _show_limits(self) -> None:
        """Show whether the pair shares its limits: links may be changed elsewhere, too."""
        compared = self._shown
        predicted = None if compared is None else self.comparing.layer_of(compared.predicted)
        measured = None if compared is None else self.comparing.layer_of(compared.measured)
        both = predicted is not None and measured is not None
        self.limits_box.setEnabled(both)
        if predicted is not None and measured is not None:
            set_quietly(self.limits_box, measured in self.session.colours.linked_to(predicted))

    def _show_gene(self, _event: object = None) -> None:
        gene, compared = self.session.state.gene, self._shown
        if compared is None:
            return
        self.table.show_gene(gene)
        if not compared.measured.has(gene):
            self.scatter.clear()
            return
        row = compared.comparison.genes.loc[gene]
        title = f"{gene}: PCC {row['pcc']:.2f}"
        if "depth_pcc" in row:
            title += f", depth out {row['depth_pcc']:.2f}"
        self.scatter.show_values(compared.predicted.values_of(gene), compared.measured.values_of(gene), title)

    def _pick(self, gene: str) -> None:
        self.session.state.gene = gene

    def _on_side_by_side(self, wanted: bool) -> None:
        if wanted and self._shown is not None:
            self.comparing.show_side_by_side(self._shown)
        else:
            self.comparing.show_one()

    def _on_limits(self, shared: bool) -> None:
        assert self._shown is not None  # the box is hidden without a comparison
        self.comparing.share_limits(self._shown, shared)

    def _mark(self, spot: int) -> None:
        """Show the spot of a dot in both maps."""
        assert self._shown is not None  # the plot is hidden without a comparison
        pair = (self.comparing.layer_of(one) for one in (self._shown.predicted, self._shown.measured))
        self.mark.mark([layer for layer in pair if layer is not None], spot)

    # -- files ---------------------------------------------------------------------------------------------------

    def _ask_for_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder for the tables and the report")
        if not chosen:
            return
        folder = Path(chosen)
        overwrite = holds_comparison(folder)
        if overwrite:
            question = f"{folder.name} holds files of a comparison already. Replace them?"
            if QMessageBox.question(self, "Compare", question) != QMessageBox.StandardButton.Yes:
                return
        assert self._shown is not None  # the button is hidden without one
        comparison = self._shown.comparison

        def write() -> list[Path]:
            from napari_tcgn.comparison import write_comparison

            return write_comparison(comparison, folder, overwrite)

        self._writing = True
        self.message.say("Writing …")
        self._show()
        self.session.background.call(write, self._on_written, self._on_not_written)

    def _on_written(self, written: list[Path]) -> None:
        self._writing = False
        self._report = next((path for path in written if path.name == REPORT), None)
        self.message.say(f"Wrote {len(written)} files to {written[0].parent}.")
        self.report_button.setToolTip(f"Show {self._report} in the browser")
        self._show()

    def _open_report(self) -> None:
        assert self._report is not None  # the button is hidden without one
        if not self._report.is_file():
            self.message.say(f"{self._report} is gone; write the tables and the report again.")
        elif not dialogs.open_in_browser(self._report):
            self.message.say(f"No browser could be opened; the report is {self._report}.")

    def _on_not_written(self, failure: Failure) -> None:
        self._writing = False
        self.message.fail(failure)
        self._show()


def holds_comparison(folder: Path) -> bool:
    """Whether a folder has a file that a comparison would replace."""
    from napari_tcgn.comparison import FILES

    return any((folder / name).exists() for name in FILES)
