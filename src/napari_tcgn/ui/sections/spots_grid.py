"""Controls of the lattice: pitch, diameter or bin, origin, rotation, and the hand that moves it."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import create_widget
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QLabel, QPushButton, QSizePolicy, QWidget

from napari_tcgn.options import BIN_SIDES, LAYOUTS, GridSettings, option_of
from napari_tcgn.ui.actions.grid_drag import HELP
from napari_tcgn.ui.widgets.controls import set_quietly
from napari_tcgn.ui.widgets.flow import FlowLayout
from napari_tcgn.ui.widgets.option_widget import label_of, option_widget
from napari_tcgn.ui.widgets.rows import Rows


class GridControls(QWidget):
    """What shapes a grid; `changed` tells of every change by hand."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._layout = "st"
        self._origin_is_automatic = True
        names = ("pitch_um", "diameter_um", "origin_x_um", "origin_y_um", "rotation_deg")
        self._widgets = [option_widget(GridSettings, name) for name in names]
        boxes = [widget.native for widget in self._widgets]
        self.pitch_box, self.diameter_box, self.x_box, self.y_box, self.rotation_box = boxes
        for box in boxes:
            # Two in a row fit the narrowest dock without their buttons; arrow keys and the wheel still count.
            box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
            box.setStyleSheet("min-width: 4em;")
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._bins = create_widget(
            annotation=float,
            label="bins of",
            options={
                "choices": [(f"{side:g} µm", side) for side in BIN_SIDES],
                "tooltip": option_of(GridSettings, "pitch_um").more,
            },
        )
        self.bin_box = self._bins.native
        self.rotation_box.setWrapping(True)
        self.adjust_button = QPushButton("Adjust by hand")
        self.adjust_button.setCheckable(True)
        self.adjust_button.setToolTip(HELP)
        self.x_box.setPrefix("x ")
        self.y_box.setPrefix("y ")
        self.sizes = _row(self.pitch_box, QLabel("spot"), self.diameter_box)
        rows = Rows()
        self.setLayout(rows)
        label = label_of(option_of(GridSettings, "pitch_um"))
        self._sizes_row = rows.add_labelled(label, self.sizes)
        self._bins_row = rows.add_labelled(self._bins.label, self.bin_box)
        rows.add_labelled("origin, µm", _row(self.x_box, self.y_box))
        turn = label_of(option_of(GridSettings, "rotation_deg"))
        rows.add_labelled(turn, _row(self.rotation_box, self.adjust_button))
        for box in (self.pitch_box, self.diameter_box):
            box.valueChanged.connect(self._on_size)
        self.bin_box.currentIndexChanged.connect(self._on_size)
        for box in (self.x_box, self.y_box):
            box.valueChanged.connect(self._on_origin)
        self.rotation_box.valueChanged.connect(self.changed)

    def take_layout(self, layout: str) -> None:
        """Show the controls of a layout, with its sizes where they are given; the origin is kept."""
        self._layout = layout
        bins = layout == "visium-hd"
        self._sizes_row.setVisible(not bins)
        self._bins_row.setVisible(bins)
        if layout in LAYOUTS:
            pitch, diameter = LAYOUTS[layout]
            set_quietly(self.bin_box, BIN_SIDES.index(pitch)) if bins else None
            set_quietly(self.pitch_box, pitch)
            set_quietly(self.diameter_box, diameter)
        self._follow_pitch()

    def settings(self) -> dict[str, Any]:
        """Return the entries of `GridSettings` that are set here; None where the layout or the pitch tells them."""
        custom = self._layout not in LAYOUTS
        pitch = self.pitch_box.value() if custom else None
        if self._layout == "visium-hd" and self.bin_box.currentData() != LAYOUTS["visium-hd"][0]:
            pitch = self.bin_box.currentData()
        automatic = self._origin_is_automatic
        return {
            "layout": self._layout,
            "pitch_um": pitch,
            "diameter_um": self.diameter_box.value() if custom else None,
            "origin_x_um": None if automatic else self.x_box.value(),
            "origin_y_um": None if automatic else self.y_box.value(),
            "rotation_deg": self.rotation_box.value(),
        }

    def place(self, x_um: float | None, y_um: float | None, rotation_deg: float) -> None:
        """Show an origin (None: half a pitch) and a rotation without telling of it."""
        if x_um is None or y_um is None:
            self._origin_is_automatic = True
            self._follow_pitch()
        else:
            self._origin_is_automatic = False
            set_quietly(self.x_box, x_um)
            set_quietly(self.y_box, y_um)
        set_quietly(self.rotation_box, rotation_deg)

    def take(self, laid: GridSettings) -> None:
        """Show what a grid was laid with, without telling of it; its layout is chosen already."""
        set_quietly(self.pitch_box, laid.pitch)
        set_quietly(self.diameter_box, laid.diameter)
        if laid.layout == "visium-hd":
            set_quietly(self.bin_box, BIN_SIDES.index(laid.pitch))
        self.place(laid.origin_x_um, laid.origin_y_um, laid.rotation_deg)

    def enable(self, grid: bool, adjustable: bool) -> None:
        """Enable what can be used: the grid's controls, and the hand."""
        custom = self._layout not in LAYOUTS
        for box in (self.pitch_box, self.diameter_box):
            box.setEnabled(grid and custom)
        for box in (self.bin_box, self.x_box, self.y_box, self.rotation_box):
            box.setEnabled(grid)
        self.adjust_button.setEnabled(adjustable)

    def _on_size(self) -> None:
        self._follow_pitch()
        self.changed.emit()

    def _on_origin(self) -> None:
        self._origin_is_automatic = False
        self.changed.emit()

    def _follow_pitch(self) -> None:
        if self._origin_is_automatic:
            pitch = self.bin_box.currentData() if self._layout == "visium-hd" else self.pitch_box.value()
            set_quietly(self.x_box, pitch / 2)
            set_quietly(self.y_box, pitch / 2)


def _row(*widgets: QWidget) -> QWidget:
    row = QWidget()
    row.setLayout(FlowLayout(*widgets, growing=[widget for widget in widgets if not isinstance(widget, QLabel)]))
    return row
