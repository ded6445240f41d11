"""Controls of the tissue mask: on or off, how much of a spot, the threshold, and its picture on the slide."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QSlider, QVBoxLayout, QWidget

from napari_tcgn.options import GridSettings, option_of
from napari_tcgn.ui.widgets.controls import set_quietly, tick_box
from napari_tcgn.ui.widgets.flow import FlowLayout
from napari_tcgn.ui.widgets.option_widget import label_of, option_widget, tip_of

_THRESHOLD = option_of(GridSettings, "tissue_threshold")
STEP = 10.0**-_THRESHOLD.decimals  # optical density per step of the slider


class TissueControls(QWidget):
    """What counts as tissue; `changed` tells of every change by hand."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._widgets = [option_widget(GridSettings, name) for name in ("tissue_only", "min_tissue_fraction")]
        self.tissue_box, self.fraction_box = (widget.native for widget in self._widgets)
        assert _THRESHOLD.form is not None  # what the slider offers
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(*(round(end / STEP) for end in _THRESHOLD.form))
        self.slider.setToolTip(tip_of(_THRESHOLD))
        self.value = QLabel()
        self.value.setMinimumWidth(self.value.fontMetrics().horizontalAdvance("0.00 "))
        self.value.setToolTip(self.slider.toolTip())
        self.auto_box = tick_box(_THRESHOLD.if_none, "Choose the threshold for this slide (Otsu's method)")
        self.show_box = tick_box("show", "Show on the slide what counts as tissue")
        first = FlowLayout(self.tissue_box, self.fraction_box, growing=[self.fraction_box])
        darker = QLabel(label_of(_THRESHOLD))
        second = FlowLayout(darker, self.slider, self.value, self.auto_box, self.show_box, growing=[self.slider])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        for row in (first, second):
            column.addLayout(row)
        self.reset()
        self.tissue_box.toggled.connect(self.changed)
        self.fraction_box.valueChanged.connect(self.changed)
        self.slider.valueChanged.connect(self._on_slider)
        self.auto_box.toggled.connect(self._on_auto)
        self.show_box.toggled.connect(self.changed)

    def reset(self) -> None:
        """Go back to the defaults."""
        defaults = GridSettings()
        self.tissue_box.setChecked(defaults.tissue_only)
        self.fraction_box.setValue(defaults.min_tissue_fraction)
        self.auto_box.setChecked(True)
        self.show_box.setChecked(False)
        self.show_automatic(None)

    def threshold(self) -> float | None:
        """Return the threshold set by hand; None: chosen for the slide."""
        return None if self.auto_box.isChecked() else round(self.slider.value() * STEP, 4)

    def settings(self) -> dict[str, Any]:
        """Return the entries of `GridSettings` that are set here."""
        return {
            "tissue_only": self.tissue_box.isChecked(),
            "min_tissue_fraction": self.fraction_box.value(),
            "tissue_threshold": self.threshold(),
        }

    def show_automatic(self, threshold: float | None) -> None:
        """Show which threshold was chosen for the slide; None where it is not known yet."""
        if not self.auto_box.isChecked():
            return
        if threshold is not None:
            set_quietly(self.slider, round(threshold / STEP))
        self.value.setText("–" if threshold is None else f"{threshold:.2f}")

    def enable(self, grid: bool) -> None:
        """Enable what can be used."""
        self.tissue_box.setEnabled(grid)
        for widget in (self.fraction_box, self.slider, self.value, self.auto_box):
            widget.setEnabled(grid and self.tissue_box.isChecked())
        self.show_box.setEnabled(grid)

    def _on_slider(self) -> None:
        set_quietly(self.auto_box, False)  # a threshold set by hand is kept
        self.value.setText(f"{self.slider.value() * STEP:.2f}")
        self.changed.emit()

    def _on_auto(self, automatic: bool) -> None:
        self.value.setText("–" if automatic else f"{self.slider.value() * STEP:.2f}")
        self.changed.emit()
