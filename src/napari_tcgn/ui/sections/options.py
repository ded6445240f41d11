"""Options of a run that most people never touch, folded away."""

from __future__ import annotations

from typing import get_args

from qtpy.QtWidgets import QComboBox, QFormLayout, QSpinBox, QVBoxLayout, QWidget

from napari_tcgn.settings import PrecisionChoice
from napari_tcgn.ui.sections.base import Fold
from napari_tcgn.ui.session import Session


class Options(QWidget):
    """Precision, batch size and reading threads, as `PredictSettings` has them."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._state = session.state
        self.precision_box = QComboBox()
        self.precision_box.addItems(get_args(PrecisionChoice))
        self.precision_box.setToolTip(
            "bf16 rounds the factors of large products: faster where the processor has such products, and a gene's "
            "correlation changes by less than 0.001; auto takes it on such processors"
        )
        self.batch_box = QSpinBox(minimum=0, maximum=4096)
        self.batch_box.setSpecialValueText("automatic")
        self.batch_box.setToolTip(
            "Patches per model call; automatic fits the device. It is halved when memory runs out"
        )
        self.threads_box = QSpinBox(minimum=1, maximum=64)
        self.threads_box.setToolTip("Threads that read and cut patches ahead of the model")
        body = QWidget()
        form = QFormLayout(body)
        form.setContentsMargins(12, 0, 0, 0)
        form.addRow("precision", self.precision_box)
        form.addRow("batch size", self.batch_box)
        form.addRow("reading threads", self.threads_box)
        self.fold = Fold("advanced options", body)
        self.fold.setChecked(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.fold)
        layout.addWidget(body)

        self.precision_box.activated.connect(self._take)
        for box in (self.batch_box, self.threads_box):
            box.setKeyboardTracking(False)
            box.valueChanged.connect(self._take)
        events = self._state.events
        for event in (events.precision, events.batch_size, events.read_threads):
            event.connect(self._show)
        events.running.connect(self._enable)
        self._show()

    def _take(self) -> None:
        # Read before the first is set: every change shows the state again.
        precision, batch, threads = self.precision_box.currentText(), self.batch_box.value(), self.threads_box.value()
        state = self._state
        state.precision, state.batch_size, state.read_threads = precision, batch or None, threads

    def _show(self) -> None:
        state = self._state
        boxes = (self.precision_box, self.batch_box, self.threads_box)
        for box in boxes:
            box.blockSignals(True)
        self.precision_box.setCurrentText(state.precision)
        self.batch_box.setValue(state.batch_size or 0)
        self.threads_box.setValue(state.read_threads)
        for box in boxes:
            box.blockSignals(False)

    def _enable(self) -> None:
        for box in (self.precision_box, self.batch_box, self.threads_box):
            box.setEnabled(not self._state.running)
