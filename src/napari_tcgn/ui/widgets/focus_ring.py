"""A ring around the control that has the keyboard: napari's style draws none."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QAbstractScrollArea, QApplication, QTabBar, QWidget

COLOUR = QColor("#d9480f")  # 3.5 to 1 and more against the backgrounds of napari's dark and light themes
WIDTH = 2  # px
_FOLLOWED = (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide)


class FocusRing(QWidget):
    """Lies over the focused control inside a widget, lets the mouse through and scrolls along.

    Parameters
    ----------
    root : QWidget
        Whose controls are ringed.
    """

    def __init__(self, root: QWidget) -> None:
        super().__init__(root)
        self._root = root
        self._around: QWidget | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.hide()
        application = QApplication.instance()
        assert isinstance(application, QApplication)  # there is one where there are widgets
        application.focusChanged.connect(self._on_focus)

    @property
    def around(self) -> QWidget | None:
        """The control that is ringed; None if none is."""
        return self._around

    def _on_focus(self, _before: QWidget | None, now: QWidget | None) -> None:
        if self._around is not None:
            self._around.removeEventFilter(self)
            self._around = None
        self.hide()
        if now is None or now is self._root or not self._root.isAncestorOf(now):
            return
        self._around = now
        now.installEventFilter(self)
        # Beside the control, so that what scrolls it scrolls the ring.
        self.setParent(now.parentWidget())
        self._place()

    def _place(self) -> None:
        control = self._around
        if control is None:
            return
        room = 0 if isinstance(control, QAbstractScrollArea | QTabBar) else 1
        self.setGeometry(control.geometry().adjusted(-room, -room, room, room))
        self.setVisible(control.isVisible())
        self.raise_()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # Qt's name
        """Follow the control."""
        if event is not None and watched is self._around and event.type() in _FOLLOWED:
            self._place()
        return False

    def paintEvent(self, event: QPaintEvent | None) -> None:  # Qt's name
        """Draw the ring."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(COLOUR, WIDTH))
        half = WIDTH // 2
        painter.drawRoundedRect(self.rect().adjusted(half, half, -half, -half), 3, 3)
        painter.end()
