"""A small scatter plot, drawn by Qt: matplotlib's canvas takes longer to draw than a gene to choose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPalette, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

HEIGHT = 190  # px
MOST_DOTS = 5_000  # more are thinned out evenly: they would cover each other
DOT = QColor("#4c9be8")


class Scatter(QWidget):
    """Dots of predicted against measured values, with the limits of both axes.

    Attributes
    ----------
    title : str
    """

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Each dot is a spot: its predicted value to the right, its measured value upwards")
        self.title = ""
        self._points = np.zeros((0, 2))

    def show_values(self, predicted: NDArray[np.float64], measured: NDArray[np.float64], title: str) -> None:
        """Show values [n] of a gene; spots that lack one of the two are left out."""
        known = np.isfinite(predicted) & np.isfinite(measured)
        points = np.column_stack([predicted[known], measured[known]])
        self._points = points[:: max(1, int(np.ceil(len(points) / MOST_DOTS)))]
        self.title = title
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self._points, self.title = np.zeros((0, 2)), ""
        self.update()

    @property
    def dots(self) -> int:
        """Number of dots that are drawn."""
        return len(self._points)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # Qt's name
        """Draw axes, limits and dots."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().color(QPalette.ColorRole.WindowText)
        metrics = QFontMetricsF(self.font())
        line = metrics.height()
        box = QRectF(line + 34, line + 4, self.width() - line - 44, self.height() - 3 * line - 8)
        painter.setPen(QPen(ink))
        painter.drawText(QRectF(0, 0, self.width(), line), Qt.AlignmentFlag.AlignCenter, self.title)
        if not len(self._points):
            painter.end()
            return
        painter.drawRect(box)
        low, high = self._points.min(axis=0), self._points.max(axis=0)
        high = np.where(high > low, high, low + 1)
        self._draw_limits(painter, box, low, high, line)
        share = (self._points - low) / (high - low)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(DOT)
        for x, y in share:
            painter.drawEllipse(QPointF(box.left() + x * box.width(), box.bottom() - y * box.height()), 1.8, 1.8)
        painter.end()

    def _draw_limits(
        self, painter: QPainter, box: QRectF, low: NDArray[np.float64], high: NDArray[np.float64], line: float
    ) -> None:
        below = QRectF(box.left(), box.bottom() + 2, box.width(), line)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, f"{low[0]:.2g}")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"{high[0]:.2g}")
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, "predicted")
        beside = QRectF(line, box.top(), box.left() - line - 3, box.height())
        painter.drawText(beside, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, f"{high[1]:.2g}")
        painter.drawText(beside, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, f"{low[1]:.2g}")
        painter.save()
        painter.translate(0, box.bottom())
        painter.rotate(-90)
        painter.drawText(QRectF(0, 0, box.height(), line), Qt.AlignmentFlag.AlignCenter, "measured")
        painter.restore()
