"""The dock's footer: the slide, why a run is not possible or how far it is, Run and Cancel. It is always in sight."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout
from superqt import QElidingLabel

from napari_tcgn.ui.actions.run import Run, duration_text
from napari_tcgn.ui.sections.base import Message
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.shortcuts import keys_of
from napari_tcgn.ui.tasks.activity import stage_text
from napari_tcgn.ui.tasks.background import Failure
from napari_tcgn.ui.widgets.labels import LinkLabel

NO_SLIDE = "No slide"
GO_THERE = "Click to go to the control that answers it"


class RunFooter(QFrame):
    """Run is disabled with the reason beside it; a run can be cancelled at any time.

    The buttons are at the bottom edge: what is said above them never moves them.

    Attributes
    ----------
    asked : signal (str)
        What a clicked sentence is about (`state.Where`).
    ended_well : signal
        After a run that predicted every spot.
    """

    asked = Signal(str)
    ended_well = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.slide_label = QElidingLabel()
        font = self.slide_label.font()
        font.setBold(True)
        self.slide_label.setFont(font)
        self.warnings, self.reason = LinkLabel(one_line=True), LinkLabel()
        self.message = Message()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setToolTip("Share of the spots that are predicted")
        self.run_button = QPushButton("Run")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip(
            f"Stop now; what is predicted so far stays as a partial result ({keys_of('cancel')})"
        )
        self._lay_out()

        self.run_button.clicked.connect(self.start)
        self.cancel_button.clicked.connect(self.cancel)
        self.warnings.followed.connect(self.asked)
        self.reason.followed.connect(self.asked)
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
            events.warnings,
        ):
            event.connect(self._show)
        events.progress.connect(self._show_progress)
        self._show()

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 6)
        column.setSpacing(3)
        column.addStretch(1)  # what is left over is above all, so that the buttons never move
        for widget in (self.slide_label, self.warnings, self.message, self.reason, self.bar):
            column.addWidget(widget)
        column.addLayout(buttons)
        # Kept while no run goes on: else the first step of one would push what is above.
        policy = self.bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.bar.setSizePolicy(policy)
        self.bar.setFixedHeight(8)

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

    def _ended(self, sentence: str, failure: Failure | None, complete: bool) -> None:
        if failure is None:
            self.message.say(sentence)
        else:
            self.message.fail(Failure(f"{failure.sentence} {sentence}".strip(), failure.details))
        if complete:
            self.ended_well.emit()

    def _show(self) -> None:
        state = self.session.state
        missing, where = state.lacks()
        self.run_button.setEnabled(not state.running and not missing)
        tip = missing or "Predict the expression of every spot; makes a new layer"
        self.run_button.setToolTip(f"{tip} ({keys_of('run')})")
        self.cancel_button.setEnabled(state.running)
        self.bar.setVisible(state.running)
        self.show_slide()
        if state.running:
            self.bar.setRange(0, 0)
            self.reason.say("starting …")
        else:
            self.reason.say(missing, where, GO_THERE if where else "")

    def show_slide(self, _event: object = None) -> None:
        """Show the name of the slide, how many spots are on it, and what warns of it."""
        state = self.session.state
        name = state.image.name if state.image is not None else NO_SLIDE
        spots = f" · {len(state.spots):,} spots" if state.spots is not None else ""
        self.slide_label.setText(f"{name}{spots}")
        self.slide_label.setToolTip(f"The slide in hand: {name}")
        first, *others = state.warnings or ("",)
        more = f" (and {len(others)} more)" if others else ""
        self.warnings.say(f"⚠ {first}{more}" if first else "", "model", "\n".join(state.warnings))

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
        self.reason.say(" · ".join(parts))
