"""The wheel scrolls the dock: it changes only what was clicked, or reached by keyboard, first."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QFocusEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QTabBar,
    QWidget,
)

_Reason = Qt.FocusReason
_CHOSEN = (_Reason.MouseFocusReason, _Reason.TabFocusReason, _Reason.BacktabFocusReason, _Reason.ShortcutFocusReason)
# A window that is left and entered again, or a list that folds out of the control, is no choice of another one.
_PASSING = (_Reason.ActiveWindowFocusReason, _Reason.PopupFocusReason, _Reason.MenuBarFocusReason)
_GUARDED = (QAbstractSpinBox, QComboBox, QAbstractSlider, QAbstractItemView, QPlainTextEdit, QTabBar)


class WheelGuard(QObject):
    """Hands the wheel on to what scrolls the dock, as long as a control was not chosen.

    A focus that comes by itself, such as that of the first control of a new window, is no choice.

    Parameters
    ----------
    root : QWidget
        All controls inside it are guarded.
    """

    def __init__(self, root: QWidget) -> None:
        super().__init__(root)
        self._chosen: QWidget | None = None
        self._guard(root)

    def _guard(self, widget: QWidget) -> None:
        if isinstance(widget, _GUARDED) and not isinstance(widget, QScrollBar):
            # What lies in it gets the wheel and the click, itself the focus.
            parts = [widget.viewport()] if isinstance(widget, QAbstractScrollArea) else widget.findChildren(QLineEdit)
            for part in (widget, *parts):
                part.installEventFilter(self)
            if widget.focusPolicy() == Qt.FocusPolicy.WheelFocus:
                widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # else the wheel itself would choose it
        for child in widget.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            if not child.isWindow():  # a list that folds out is there to be scrolled
                self._guard(child)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # Qt's name
        """Let a wheel pass by a control that was not chosen; remember which one was."""
        if event is None or not isinstance(watched, QWidget):
            return False
        control, kind = _control_of(watched), event.type()
        if kind == QEvent.Type.Wheel and (control is not self._chosen or isinstance(control, QTabBar)):
            event.ignore()  # so that it goes on to what is around
            return True
        if isinstance(event, QFocusEvent) and event.reason() not in _PASSING:
            chosen = kind == QEvent.Type.FocusIn and event.reason() in _CHOSEN
            self._chosen = control if chosen else None
        elif kind == QEvent.Type.MouseButtonPress:
            self._chosen = control  # it may have had the focus already
        return False


def _control_of(widget: QWidget) -> QWidget:
    """Return the control that a guarded widget is, or is the viewport or the line of."""
    around = widget.parentWidget()
    return widget if isinstance(widget, _GUARDED) or around is None else around
