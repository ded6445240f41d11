"""How results are drawn: discs, half-transparent discs, rings or a surface, how large, and over how dim a slide."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSlider, QVBoxLayout, QWidget

from napari_tcgn.ui.actions.surfaces import Surfaces
from napari_tcgn.ui.sections.base import Message
from napari_tcgn.ui.sections.gene_parts.scale import make_narrow
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.state import MOST_DIM, STYLES
from napari_tcgn.ui.widgets.controls import choice_box, count_box, number_box, set_quietly, tick_box
from napari_tcgn.ui.widgets.flow import FlowLayout

TIPS = {
    "discs": "Discs (squares for bins) filled with the colour of the value",
    "half-transparent": "The same, through which the tissue is seen",
    "rings": "Rings in the colour of the value: the cells inside stay visible when you zoom in",
    "surface": "The mean of the spots around each place, weighted by a Gaussian of their distance; nothing away from "
    "spots",
}


class LookControls(QWidget):
    """Shows and changes the look (`state.Look`), which is that of all results.

    Attributes
    ----------
    style_box, size_box, bandwidth_box, dim_slider, label_box : QWidget
    surfaces : Surfaces
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._state = session.state
        self.style_box = choice_box("How the values of all results are drawn", characters=8)
        for number, style in enumerate(STYLES):
            self.style_box.addItem(style)
            self.style_box.setItemData(number, TIPS[style], Qt.ItemDataRole.ToolTipRole)
        self.size_box = count_box("Size of the spots; 100 % is their true diameter", 20, 200)
        self.size_box.setPrefix("size ")
        self.size_box.setSuffix(" %")
        self.size_box.setSingleStep(10)
        tip = "Bandwidth of the surface: standard deviation of its Gaussian; a pitch is from spot to spot"
        self.bandwidth_box = number_box(tip, 0.2, 5, decimals=1, step=0.1, suffix=" pitches")
        self.bandwidth_box.setPrefix("bandwidth ")
        for box in (self.size_box, self.bandwidth_box):
            box.setKeyboardTracking(False)
            make_narrow(box)
        self.dim_slider = QSlider(Qt.Orientation.Horizontal)
        self.dim_slider.setRange(0, MOST_DIM)
        self.dim_slider.setPageStep(10)
        self.dim_slider.setToolTip("Dim slide: how much of it is hidden by white, so that the colours can be read")
        self.dim_slider.setMinimumWidth(80)
        self.dim_label = QLabel()
        self.dim_label.setToolTip(self.dim_slider.toolTip())
        self.label_box = tick_box(
            "label on the canvas", "Show slide, gene, unit and colour bar of the map that is seen in the viewer, too"
        )
        self.message = Message()
        self._lay_out()
        self._show_look()
        self.surfaces = Surfaces(session, self.message.fail)

        change = self._change
        self.style_box.currentTextChanged.connect(lambda style: change(style=style))
        self.size_box.valueChanged.connect(lambda size: change(size=size))
        self.bandwidth_box.valueChanged.connect(lambda pitches: change(bandwidth=pitches))
        self.dim_slider.valueChanged.connect(lambda dim: change(dim=dim))
        self.label_box.toggled.connect(lambda on: change(label=on))
        self._state.events.look.connect(self._show_look)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        boxes = (self.style_box, self.size_box, self.bandwidth_box)
        column.addLayout(FlowLayout(QLabel("drawn as"), *boxes, growing=boxes))
        column.addLayout(FlowLayout(self.dim_label, self.dim_slider, growing=[self.dim_slider]))
        column.addWidget(self.label_box)
        column.addWidget(self.message)

    def _change(self, **changes: object) -> None:
        self.message.say("")
        self._state.change_look(**changes)

    def _show_look(self, _look: object = None) -> None:
        look = self._state.look
        set_quietly(self.style_box, look.style)
        set_quietly(self.size_box, look.size)
        set_quietly(self.bandwidth_box, look.bandwidth)
        set_quietly(self.dim_slider, look.dim)
        set_quietly(self.label_box, look.label)
        self.dim_label.setText(f"dim slide {look.dim} %")
        self.size_box.setVisible(look.style != "surface")
        self.bandwidth_box.setVisible(look.style == "surface")
