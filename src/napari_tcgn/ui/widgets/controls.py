"""Small controls as the dock uses them, with their tooltip, and how to set them without telling anybody."""

from __future__ import annotations

import re

from qtpy.QtCore import QLocale
from qtpy.QtGui import QValidator
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QListView,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSlider,
    QSpinBox,
    QTableView,
    QWidget,
)
from superqt.utils import signals_blocked

_NAMELESS = (QAbstractSpinBox, QComboBox, QLineEdit, QListView, QPlainTextEdit, QProgressBar, QSlider, QTableView)


class _EitherDecimalSign(QValidator):
    """Lets a comma be typed for the point, and hands the rest to the box that it belongs to."""

    def __init__(self, box: QDoubleSpinBox) -> None:
        super().__init__(box)
        self._box = box

    def validate(self, text: str | None, position: int) -> tuple[QValidator.State, str, int]:
        """Judge what is typed, with the point for every comma."""
        return self._box.validate((text or "").replace(",", "."), position)


def read_either_decimal_sign(box: QDoubleSpinBox) -> None:
    """Make a box read 0.25 and 0,25 alike, whatever the system's language, and show the point.

    Without it a comma is a thousands separator in one language (0,25 becomes 25) and a point in another (0.688 becomes
    688).
    """
    locale = QLocale.c()
    locale.setNumberOptions(QLocale.NumberOption.RejectGroupSeparator | QLocale.NumberOption.OmitGroupSeparator)
    box.setLocale(locale)
    edit = box.lineEdit()
    assert edit is not None  # every spin box has one
    edit.setValidator(_EitherDecimalSign(box))


def number_box(
    tip: str,
    low: float,
    high: float,
    value: float | None = None,
    *,
    decimals: int = 2,
    step: float = 1.0,
    suffix: str = "",
) -> QDoubleSpinBox:
    """Return a box for a number."""
    box = QDoubleSpinBox()
    read_either_decimal_sign(box)
    box.setDecimals(decimals)  # first: the range and the value are rounded to them
    box.setRange(low, high)
    box.setSingleStep(step)
    box.setSuffix(suffix)
    if value is not None:
        box.setValue(value)
    box.setToolTip(tip)
    return box


def count_box(tip: str, low: int, high: int, value: int | None = None) -> QSpinBox:
    """Return a box for a whole number."""
    box = QSpinBox()
    box.setRange(low, high)
    if value is not None:
        box.setValue(value)
    box.setToolTip(tip)
    return box


def tick_box(text: str, tip: str = "", ticked: bool = False) -> QCheckBox:
    """Return a box to tick."""
    box = QCheckBox(text)
    box.setChecked(ticked)
    box.setToolTip(tip)
    return box


def toggle_button(text: str, tip: str) -> QPushButton:
    """Return a button that stays down until it is clicked again."""
    button = QPushButton(text)
    button.setCheckable(True)
    button.setToolTip(tip)
    return button


def line_edit(placeholder: str, tip: str, clearable: bool = False) -> QLineEdit:
    """Return a line to type into."""
    edit = QLineEdit()
    edit.setPlaceholderText(placeholder)
    edit.setClearButtonEnabled(clearable)
    edit.setToolTip(tip)
    return edit


def choice_box(tip: str = "", characters: int = 12) -> QComboBox:
    """Return a box of choices that may be narrower than its longest one."""
    box = QComboBox()
    box.setMinimumContentsLength(characters)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setToolTip(tip)
    return box


def name_controls(root: QWidget) -> None:
    """Give every control that has neither a text nor an accessible name one: what its tooltip begins with."""
    for control in root.findChildren(QWidget):
        textless = isinstance(control, _NAMELESS) or (isinstance(control, QAbstractButton) and not control.text())
        if textless and not control.accessibleName():
            control.setAccessibleName(re.split(r"[;:(.\n]", control.toolTip())[0].strip())


def set_quietly(widget: QWidget, value: str | float) -> None:
    """Set what a control shows without telling anybody.

    Parameters
    ----------
    widget : QCheckBox, QAbstractButton, QComboBox, QDoubleSpinBox, QSpinBox or QSlider
    value : bool, number or str
        Of a box of choices, the index or the text.

    Raises
    ------
    TypeError
        If the control cannot show such a value.
    """
    with signals_blocked(widget):
        if isinstance(widget, QComboBox) and isinstance(value, str):
            widget.setCurrentText(value)
        elif isinstance(value, str):
            raise TypeError(f"{type(widget).__name__} shows no text")
        elif isinstance(widget, QComboBox):
            widget.setCurrentIndex(int(value))
        elif isinstance(widget, QAbstractButton):
            widget.setChecked(bool(value))
        elif isinstance(widget, QDoubleSpinBox):
            widget.setValue(value)
        elif isinstance(widget, QSpinBox | QSlider):
            widget.setValue(int(value))
        else:
            raise TypeError(f"{type(widget).__name__} shows no value")
