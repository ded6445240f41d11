"""Section Run: start, watch, cancel."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton

from napari_tcgn.ui.actions.run import Run, duration_text
from napari_tcgn.ui.sections.base import Section, text_label
from napari_tcgn.ui.sections.options import Options
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.shortcuts import keys_of
from napari_tcgn.ui.tasks.activity import stage_text
from napari_tcgn.ui.tasks.background import Failure


class RunSection(Section):
    """Run is disabled with the reason beside it; a run can be cancelled at any time."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "4 · Run")
        self.run_button = QPushButton("Run")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip(
            f"Stop now; what is predicted so far stays as a partial result ({keys_of('cancel')})"
        )
        self.reason = text_label()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(10)
        self.bar.setToolTip("Share of the spots that are predicted")
        row = QHBoxLayout()
        row.addWidget(self.run_button)
        row.addWidget(self.cancel_button)
        self.form.addRow(row)
        self.form.addRow(self.bar)
        self.form.addRow(self.reason)
        self.options = Options(session)
        self.form.addRow(self.options)

        self.run_button.clicked.connect(self.start)
        self.cancel_button.clicked.connect(self.cancel)
        events = session.state.events
        for event in (
            events.image,
            events.slide,
            events.mpp,
            events.spots,
            events.region_trouble,
            events.model,
            events.busy,
            events.running,
            events.device_missing,
        ):
            event.connect(self._show)
        events.progress.connect(self._show_progress)
        self._show()

    def start(self) -> None:
        """Start a run if one can start now."""
        state = self.session.state
        if state.running or state.missing_for_run():
            return
        self.message.say("")
        Run(self.session, self._ended)

    def cancel(self) -> None:
        """Cancel the run that is going on, if one is."""
        if self.session.run is not None:
            self.session.run.cancel()

    def _ended(self, sentence: str, failure: Failure | None) -> None:
        if failure is None:
            self.message.say(sentence)
        else:
            self.message.fail(Failure(f"{failure.sentence} {sentence}".strip(), failure.details))

    def _show(self) -> None:
        state = self.session.state
        missing = state.missing_for_run()
        self.run_button.setEnabled(not state.running and not missing)
        tip = missing or "Predict the expression of every spot; makes a new layer"
        self.run_button.setToolTip(f"{tip} ({keys_of('run')})")
        self.cancel_button.setVisible(state.running)
        self.bar.setVisible(state.running)
        if state.running:
            missing = "starting …"
            self.bar.setRange(0, 0)
        self.reason.setText(missing)
        self.reason.setVisible(bool(missing))

    def _show_progress(self) -> None:
        step = self.session.state.progress
        if step is None:
            return
        counted = step.stage == "predict"
        self.bar.setRange(0, step.total if counted else 0)  # an empty range shows that it cannot be told how long
        self.bar.setValue(step.done)
        parts = [stage_text(step)]
        if counted:
            parts.append(f"{step.done} of {step.total} spots")
        if step.rate is not None:
            parts.append(f"{step.rate:.1f} spots/s")
        if step.eta_seconds is not None:
            parts.append(f"{duration_text(step.eta_seconds)} left")
        self.reason.setText(" · ".join(parts))
        self.reason.show()
