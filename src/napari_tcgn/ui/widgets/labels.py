"""Labels that are more than a text: one that leads somewhere."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent, QMouseEvent, QResizeEvent
from qtpy.QtWidgets import QLabel, QSizePolicy

_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)


class LinkLabel(QLabel):
    """A sentence that can be clicked, or reached with Tab and taken with Enter, while it leads somewhere.

    Parameters
    ----------
    one_line : bool
        Whether what does not fit into one line is left to the tooltip; else it wraps.

    Attributes
    ----------
    followed : signal (str)
        Where the sentence leads.
    """

    followed = Signal(str)

    def __init__(self, one_line: bool = False) -> None:
        super().__init__()
        self._target, self._sentence = "", ""
        self._one_line = one_line
        self.setWordWrap(not one_line)
        if one_line:
            self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setTextFormat(Qt.TextFormat.PlainText)

    def say(self, sentence: str, target: str = "", tip: str = "") -> None:
        """Show a sentence; "" hides the label. Without a target it leads nowhere."""
        self._target = target
        font = self.font()
        font.setUnderline(bool(target))
        self.setFont(font)
        self.setCursor(Qt.CursorShape.PointingHandCursor if target else Qt.CursorShape.ArrowCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if target else Qt.FocusPolicy.NoFocus)
        self.setToolTip(tip)
        self._sentence = sentence
        self._fit()
        self.setVisible(bool(sentence))

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # Qt's name
        """Show as much as fits."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        elided = self.fontMetrics().elidedText(self._sentence, Qt.TextElideMode.ElideRight, self.width())
        self.setText(elided if self._one_line else self._sentence)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # Qt's name
        """Follow a click."""
        super().mouseReleaseEvent(event)
        if event is not None and event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.pos()):
            self._follow()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # Qt's name
        """Follow Enter and Space."""
        if event is not None and event.key() in _KEYS:
            self._follow()
        else:
            super().keyPressEvent(event)

    def _follow(self) -> None:
        if self._target:
            self.followed.emit(self._target)
