"""A colour bar: what the colours of the spots stand for."""

from __future__ import annotations

import numpy as np
from napari.utils.colormaps import ensure_colormap
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

BAR_HEIGHT = 14  # px


class ColourBar(QWidget):
    """A gradient with its limits below and the unit between them."""

    def __init__(self) -> None:
        super().__init__()
        self.colormap, self.low, self.high, self.unit = "viridis", 0.0, 1.0, ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_scale(self, colormap: str, low: float, high: float, unit: str) -> None:
        """Show another scale; `unit` is in the tooltip in full where it does not fit."""
        self.colormap, self.low, self.high, self.unit = colormap, low, high, unit
        self.setToolTip(f"Colours from {low:.4g} to {high:.4g}, in {unit or 'units that the model does not state'}")
        self.update()

    def sizeHint(self) -> QSize:  # Qt's name
        """Return the preferred size."""
        return QSize(200, BAR_HEIGHT + self.fontMetrics().height() + 4)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # Qt's name
        """Draw the gradient and its labels."""
        painter = QPainter(self)
        steps = ensure_colormap(self.colormap).map(np.linspace(0, 1, 256))  # type: ignore[no-untyped-call]  # napari's
        pixels = np.ascontiguousarray((steps[:, :3] * 255).astype(np.uint8))
        gradient = QImage(pixels.tobytes(), 256, 1, 256 * 3, QImage.Format.Format_RGB888)
        painter.drawImage(QRect(0, 0, self.width(), BAR_HEIGHT), gradient)
        below = QRect(0, BAR_HEIGHT + 2, self.width(), self.height() - BAR_HEIGHT - 2)
        low, high = f"{self.low:.3g}", f"{self.high:.3g}"
        metrics = self.fontMetrics()
        painter.setPen(self.palette().windowText().color())
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, low)
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, high)
        room = self.width() - metrics.horizontalAdvance(low) - metrics.horizontalAdvance(high) - 20
        unit = metrics.elidedText(self.unit, Qt.TextElideMode.ElideRight, room)
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, unit)
        painter.end()
