"""The colour scale's controls: colour bar, limits, percentile clip, centre and colour map of the chosen result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QLabel, QSizePolicy, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from napari_tcgn.ui.layers import store
from napari_tcgn.ui.layers.colour_scale import DIVERGING, SEQUENTIAL, ColourScale
from napari_tcgn.ui.layers.per_layer import unwrap
from napari_tcgn.ui.sections.base import Message
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.widgets.colour_bar import ColourBar
from napari_tcgn.ui.widgets.controls import choice_box, number_box, set_quietly, tick_box
from napari_tcgn.ui.widgets.flow import FlowLayout

if TYPE_CHECKING:
    from napari.layers import Points

LIMIT = 1e9
CENTRES = {"no centre": "", "centre 0": "zero", "centre median": "median"}


class ScaleControls(QWidget):
    """Shows and changes the scale of the result layer that is chosen; every layer keeps its own."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.bar = ColourBar()
        self.low_box = limit_box("Value of the lowest colour")
        self.high_box = limit_box("Value of the highest colour")
        tip = "The limits follow the gene: they clip the share of its values that is set beside"
        self.auto_box = tick_box("auto", tip, ticked=True)
        tip = "Clip: share of the values below the lowest and above the highest colour"
        self.percent_box = number_box(tip, 0, 49, 1, decimals=1, step=0.5, suffix=" %")
        self.percent_box.setPrefix("clip ")
        self.percent_box.setKeyboardTracking(False)
        make_narrow(self.percent_box)
        self.colormap_box = choice_box("Colour map", characters=6)
        self.colormap_box.addItems(SEQUENTIAL + DIVERGING)
        tip = "Value of the middle colour; the limits lie equally far from it (diverging maps)"
        self.centre_box = choice_box(tip, characters=6)
        for text, centre in CENTRES.items():
            self.centre_box.addItem(text, centre)
        self.message = Message()
        self._lay_out()

        self.auto_box.toggled.connect(lambda on: self._change(automatic=on))
        self.percent_box.valueChanged.connect(lambda percent: self._change(percent=percent, automatic=True))
        self.low_box.valueChanged.connect(lambda: self._on_limit(self.low_box))
        self.high_box.valueChanged.connect(lambda: self._on_limit(self.high_box))
        self.colormap_box.currentTextChanged.connect(lambda name: self._change(colormap=name))
        self.centre_box.currentIndexChanged.connect(self._on_centre)
        session.colours.painted.connect(self._on_painted)
        self.show_layer()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.bar)
        boxes = (self.low_box, self.high_box, self.percent_box, self.colormap_box, self.centre_box)
        for widgets in (
            (self.low_box, QLabel("to"), self.high_box, self.auto_box, self.percent_box),
            (self.colormap_box, self.centre_box),
        ):
            column.addLayout(FlowLayout(*widgets, growing=boxes))
        column.addWidget(self.message)

    def show_layer(self) -> None:
        """Show the scale of the chosen result; without one there is nothing to set."""
        layer = self.session.state.result_layer
        for widget in (
            self.bar, self.low_box, self.high_box, self.auto_box, self.percent_box, self.colormap_box, self.centre_box,
        ):  # fmt: skip
            widget.setEnabled(layer is not None)
        if layer is not None:
            self._show(self.session.colours.scale(layer))

    def _show(self, scale: ColourScale) -> None:
        result = store.result_of(self.session.state.result_layer)
        self.message.say("")
        decimals = int(np.clip(3 - np.floor(np.log10(max(scale.high - scale.low, 1e-12))), 2, 9))
        for box, value in ((self.low_box, scale.low), (self.high_box, scale.high)):
            with signals_blocked(box):
                box.setDecimals(decimals)
                box.setValue(value)
        set_quietly(self.auto_box, scale.automatic)
        set_quietly(self.percent_box, scale.percent)
        if self.colormap_box.findText(scale.colormap) < 0:
            self.colormap_box.addItem(scale.colormap)  # chosen elsewhere
        set_quietly(self.colormap_box, scale.colormap)
        set_quietly(self.centre_box, self.centre_box.findData(scale.centre))
        self.bar.show_scale(scale.colormap, scale.low, scale.high, result.output_scale if result else "")

    def _on_painted(self, layer: Points) -> None:
        if unwrap(layer) is unwrap(self.session.state.result_layer):
            self._show(self.session.colours.scale(layer))

    def _change(self, **changes: Any) -> None:
        if self.session.state.result_layer is not None:
            self.session.colours.change(self.session.state.result_layer, **changes)

    def _on_centre(self) -> None:
        self._change(centre=self.centre_box.currentData(), automatic=True)

    def _on_limit(self, changed: QDoubleSpinBox) -> None:
        """Take limits set by hand, which are kept for other genes; a centre moves the other one along."""
        layer = self.session.state.result_layer
        assert layer is not None  # the boxes are disabled without one
        low, high = self.low_box.value(), self.high_box.value()
        scale = self.session.colours.scale(layer)
        if scale.centre:
            middle = (scale.low + scale.high) / 2
            low, high = (2 * middle - high, high) if changed is self.high_box else (low, 2 * middle - low)
        if low >= high:
            self.message.say(f"The lower limit ({low:g}) must lie below the upper one ({high:g}); nothing is changed.")
            return
        self._change(low=low, high=high, automatic=False)


def limit_box(tip: str) -> QDoubleSpinBox:
    """Return a box for a colour limit."""
    box = number_box(tip, -LIMIT, LIMIT, decimals=4, step=0.1)
    box.setKeyboardTracking(False)
    make_narrow(box)
    return box


def make_narrow(box: QAbstractSpinBox) -> None:
    """Let a number box be narrower than its largest number and than napari's style wants it."""
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    box.setStyleSheet("min-width: 4em;")
    box.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)  # the arrow keys and the wheel do it
