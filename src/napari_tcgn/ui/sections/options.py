"""Options of a run that most people never touch, folded away."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from magicgui.widgets.bases import CategoricalWidget
from superqt.utils import signals_blocked

from napari_tcgn.options import PredictSettings, options_of
from napari_tcgn.ui.sections.base import Part
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.widgets.option_widget import call_on_change, label_of, option_widget, show_value, tip_of, value_of

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
        self.threads_box, self.stain_box, self.genes_box = boxes["read_threads"], boxes["stain"], boxes["genes"]
        self.domain_box = boxes["domain"]
        for name, box in boxes.items():
            if self._options[name].kind is bool:  # a box to tick has its own text
                self.form.add(box)
            else:
                self.form.add_labelled(label_of(self._options[name]), box)
            call_on_change(self._widgets[name], self._options[name], partial(self._take, name))
        self._state.events.settings.connect(self._show)
        self._state.events.model.connect(self._show)
        self._state.events.running.connect(self._enable)
        self._show()

    def _take(self, name: str, *_: object) -> None:
        self._state.choose(**{name: value_of(self._widgets[name], self._options[name])})

    def _show(self) -> None:
        state = self._state
        # A stain that the chosen model cannot be brought to is not offered; the choice is kept for the next model.
        stain = self._widgets["stain"]
        assert isinstance(stain, CategoricalWidget)
        with signals_blocked(self.stain_box):
            stain.choices = state.stain_methods()
        shown = replace(state.settings, stain=state.stain_of_run())
        for name, one in self._options.items():
            show_value(self._widgets[name], one, getattr(shown, name))
        self._enable()

    def _enable(self) -> None:
        running, can_stain = self._state.running, len(self._state.stain_methods()) > 1
        for name, widget in self._widgets.items():
            widget.native.setEnabled(not running and (can_stain or name != "stain"))
        self.stain_box.setToolTip(tip_of(self._options["stain"]) if can_stain else NO_STAIN)
