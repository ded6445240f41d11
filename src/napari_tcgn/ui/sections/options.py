"""Options of a run that most people never touch, folded away."""

from __future__ import annotations

from functools import partial

from magicgui.widgets.bases import CategoricalWidget

from napari_tcgn.options import PredictSettings, options_of
from napari_tcgn.ui.sections.base import Part
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.widgets.option_widget import label_of, option_widget, show_value, tip_of, value_of

ELSEWHERE = ("model", "device")  # in section Model
NO_STAIN = "This model does not say how its training sections were stained, so slides cannot be brought to that"


class Options(Part):
    """Every option of `PredictSettings` that section Model does not have."""

    def __init__(self, session: Session) -> None:
        super().__init__("advanced options")
        self._state = session.state
        self._options = {one.name: one for one in options_of(PredictSettings) if one.name not in ELSEWHERE}
        self._widgets = {name: option_widget(PredictSettings, name) for name in self._options}
        boxes = {name: widget.native for name, widget in self._widgets.items()}
        self.precision_box, self.batch_box = boxes["precision"], boxes["batch_size"]
        self.threads_box, self.stain_box = boxes["read_threads"], boxes["stain"]
        for name, box in boxes.items():
            self.form.addRow(label_of(self._options[name]), box)
            if self._options[name].choices:
                box.activated.connect(partial(self._take, name))
            else:
                box.setKeyboardTracking(False)
                box.valueChanged.connect(partial(self._take, name))
            getattr(self._state.events, name).connect(self._show)
        self._state.events.model.connect(self._show)
        self._state.events.running.connect(self._enable)
        self._show()

    def _take(self, name: str, *_: object) -> None:
        setattr(self._state, name, value_of(self._widgets[name], self._options[name]))

    def _show(self) -> None:
        state = self._state
        # A stain that the chosen model cannot be brought to is not offered; the choice is kept for the next model.
        box = self.stain_box
        blocked = box.blockSignals(True)
        stain = self._widgets["stain"]
        assert isinstance(stain, CategoricalWidget)
        stain.choices = state.stain_methods()
        box.blockSignals(blocked)
        for name, one in self._options.items():
            show_value(self._widgets[name], one, state.stain_of_run() if name == "stain" else getattr(state, name))
        self._enable()

    def _enable(self) -> None:
        running, can_stain = self._state.running, len(self._state.stain_methods()) > 1
        for name, widget in self._widgets.items():
            widget.native.setEnabled(not running and (can_stain or name != "stain"))
        self.stain_box.setToolTip(tip_of(self._options["stain"]) if can_stain else NO_STAIN)
