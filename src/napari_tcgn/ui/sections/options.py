"""Options of a run that most people never touch, folded away."""

from __future__ import annotations

from typing import get_args

from qtpy.QtWidgets import QComboBox, QSpinBox

from napari_tcgn.options import PrecisionChoice
from napari_tcgn.ui.sections.base import Part
from napari_tcgn.ui.session import Session

STAIN_TIP = (
    "Bring the slide's stain to that of the model's training sections first: reinhard matches mean and spread of the "
    "colours, macenko the two stains. Try it where the section Model warns of the stain; it may also do harm"
)
NO_STAIN = "This model does not say how its training sections were stained, so slides cannot be brought to that"


class Options(Part):
    """Precision, batch size, reading threads and stain normalisation, as `PredictSettings` has them."""

    def __init__(self, session: Session) -> None:
        super().__init__("advanced options")
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
        self.stain_box = QComboBox()
        self._boxes = (self.precision_box, self.batch_box, self.threads_box, self.stain_box)
        names = ("precision", "batch size", "reading threads", "stain normalisation")
        for name, box in zip(names, self._boxes, strict=True):
            self.form.addRow(name, box)

        self.precision_box.activated.connect(self._take)
        self.stain_box.activated.connect(self._take_stain)
        for box in (self.batch_box, self.threads_box):
            box.setKeyboardTracking(False)
            box.valueChanged.connect(self._take)
        events = self._state.events
        for event in (events.precision, events.batch_size, events.read_threads, events.stain, events.model):
            event.connect(self._show)
        events.running.connect(self._enable)
        self._show()

    def _take(self) -> None:
        # Read before the first is set: every change shows the state again.
        precision, batch, threads = self.precision_box.currentText(), self.batch_box.value(), self.threads_box.value()
        state = self._state
        state.precision, state.batch_size, state.read_threads = precision, batch or None, threads

    def _take_stain(self) -> None:
        self._state.stain = self.stain_box.currentText()

    def _show(self) -> None:
        state = self._state
        for box in self._boxes:
            box.blockSignals(True)
        self.precision_box.setCurrentText(state.precision)
        self.batch_box.setValue(state.batch_size or 0)
        self.threads_box.setValue(state.read_threads)
        self.stain_box.clear()
        self.stain_box.addItems(state.stain_methods())
        self.stain_box.setCurrentText(state.stain_of_run())
        for box in self._boxes:
            box.blockSignals(False)
        self._enable()

    def _enable(self) -> None:
        for box in self._boxes:
            box.setEnabled(not self._state.running)
        can_stain = len(self._state.stain_methods()) > 1
        self.stain_box.setEnabled(can_stain and not self._state.running)
        self.stain_box.setToolTip(STAIN_TIP if can_stain else NO_STAIN)
