"""A small scatter plot, drawn by Qt: matplotlib's canvas takes longer to draw than a gene to choose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

HEIGHT = 190  # px
MOST_DOTS = 5_000  # more are thinned out evenly: they would cover each other
DOT = QColor("#4c9be8")
MARK = QColor("#ff30c0")  # as the ring on the slide
REACH = 8  # px that a click may lie away from a dot


class Scatter(QWidget):
    """Dots of predicted against measured values, with the limits of both axes.

    Attributes
    ----------
    title : str
    picked : signal (int)
        A dot was clicked: the number of its spot among the values that were shown.
    """

    picked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Each dot is a spot: its predicted value to the right, its measured value upwards. "
            "Click one to see the spot on the slide"
        )
        self.title = ""
        self._points = np.zeros((0, 2))
        self._spots = np.zeros(0, dtype=np.intp)  # of each dot
        self._marked: int | None = None  # a spot

    def show_values(self, predicted: NDArray[np.float64], measured: NDArray[np.float64], title: str) -> None:
        """Show values [n] of a gene; spots that lack one of the two are left out."""
        known = np.isfinite(predicted) & np.isfinite(measured)
        spots = np.flatnonzero(known)
        self._spots = spots[:: max(1, int(np.ceil(len(spots) / MOST_DOTS)))]
        if self._marked is not None and known[self._marked : self._marked + 1].any():
            self._spots = np.union1d(self._spots, [self._marked])  # seen also where others are thinned out
        self._points = np.column_stack([predicted[self._spots], measured[self._spots]])
        self.title = title
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self._points, self._spots, self.title = np.zeros((0, 2)), np.zeros(0, dtype=np.intp), ""
        self.update()

    def mark(self, spot: int | None) -> None:
        """Draw a ring around the dot of a spot; None marks none."""
        self._marked = spot
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
        line, box = self._line(), self._box()
        painter.setPen(QPen(ink))
        painter.drawText(QRectF(0, 0, self.width(), line), Qt.AlignmentFlag.AlignCenter, self.title)
        if not len(self._points):
            painter.end()
            return
        painter.drawRect(box)
        low, high = self._limits()
        self._draw_limits(painter, box, low, high, line)
        places = self._places()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(DOT)
        for x, y in places:
            painter.drawEllipse(QPointF(x, y), 1.8, 1.8)
        painter.setPen(QPen(MARK, 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for x, y in places[self._spots == self._marked]:
            painter.drawEllipse(QPointF(x, y), 5, 5)
        painter.end()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # Qt's name
        """Pick the dot that is nearest to a click, if there is one near it."""
        if event is None or event.button() != Qt.MouseButton.LeftButton or not len(self._points):
            return
        at = event.position()
        distances = np.hypot(*(self._places() - (at.x(), at.y())).T)
        nearest = int(distances.argmin())
        if distances[nearest] <= REACH:
            self.mark(int(self._spots[nearest]))
            self.picked.emit(int(self._spots[nearest]))

    def _line(self) -> float:
        return QFontMetricsF(self.font()).height()

    def _box(self) -> QRectF:
        line = self._line()
        return QRectF(line + 34, line + 4, self.width() - line - 44, self.height() - 3 * line - 8)

    def _limits(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        low, high = self._points.min(axis=0), self._points.max(axis=0)
        return low, np.where(high > low, high, low + 1)

    def _places(self) -> NDArray[np.float64]:
        """Return where the dots lie in the widget (float64 [n, 2]: x, y in px)."""
        box, (low, high) = self._box(), self._limits()
        share = (self._points - low) / (high - low)
        return np.column_stack([box.left() + share[:, 0] * box.width(), box.bottom() - share[:, 1] * box.height()])

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
