"""Section Export: the result as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog, QMessageBox, QPushButton

from napari_tcgn.ui import store
from napari_tcgn.ui.background import Failure
from napari_tcgn.ui.sections.base import Section, text_label
from napari_tcgn.ui.session import Session


class ExportSection(Section):
    """Write the chosen result as .h5ad."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "6 · Export")
        self._writing = False
        self.export_button = QPushButton("Export .h5ad…")
        self.export_button.setToolTip("Write all genes of the result as AnnData, as squidpy and scanpy read it")
        self.reason = text_label()
        self.form.addRow(self.export_button)
        self.form.addRow(self.reason)
        self.export_button.clicked.connect(self._ask_for_path)
        events = session.state.events
        for event in (events.result, events.running, events.result_version):
            event.connect(self._enable)
        self._enable()

    def _missing(self) -> str:
        if self.session.state.running:
            return "Wait for the run to end, or cancel it."
        if store.result_of(self.session.state.result) is None:
            return "Nothing is predicted yet."
        return "Writing …" if self._writing else ""

    def _enable(self) -> None:
        missing = self._missing()
        self.export_button.setEnabled(not missing)
        self.reason.setText(missing)
        self.reason.setVisible(bool(missing))

    def _ask_for_path(self) -> None:
        result = store.result_of(self.session.state.result)
        assert result is not None  # the button is disabled without one
        suggested = f"{result.library_id}_{result.card.name if result.card else result.kind}.h5ad"
        # Asked below and not by the dialog, which does not know of the suffix that may be added.
        option = QFileDialog.Option.DontConfirmOverwrite
        chosen, _ = QFileDialog.getSaveFileName(self, "Export", suggested, "AnnData (*.h5ad)", options=option)
        if not chosen:
            return
        path = Path(chosen)
        if path.suffix != ".h5ad":
            path = path.with_name(f"{path.name}.h5ad")
        overwrite = path.exists()
        if overwrite:
            question = f"{path.name} exists already. Replace it?"
            if QMessageBox.question(self, "Export", question) != QMessageBox.StandardButton.Yes:
                return
        self._write(result, path, overwrite)

    def _write(self, result: store.Result, path: Path, overwrite: bool) -> None:
        def write() -> Any:
            from napari_tcgn.expression import to_anndata, write_h5ad

            if result.adata is None:
                assert result.prediction is not None  # only runs leave it to us
                result.adata = to_anndata(result.prediction)
            write_h5ad(result.adata, path, overwrite)
            return result.adata

        self._writing = True
        self.message.say("")
        self._enable()
        self.session.background.call(write, lambda adata: self._on_written(path, adata), self._on_failed)

    def _on_written(self, path: Path, adata: Any) -> None:
        self._writing = False
        self._enable()
        self.message.say(f"Wrote {path} ({adata.n_obs} spots x {adata.n_vars} genes).")

    def _on_failed(self, failure: Failure) -> None:
        self._writing = False
        self._enable()
        self.message.fail(failure)
