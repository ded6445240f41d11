"""Rows of a form, as high as what wraps in them needs: Qt's own form forgets the height of such rows."""

from __future__ import annotations

from qtpy.QtWidgets import QLabel, QLayout, QVBoxLayout, QWidget

from napari_tcgn.ui.widgets.flow import FlowLayout


class Rows(QVBoxLayout):
    """Controls below each other; a label stands before its control, or above it where there is no room."""

    def __init__(self) -> None:
        super().__init__()
        self.setSpacing(4)
        self.setContentsMargins(0, 0, 0, 0)

    def add(self, row: QWidget | QLayout) -> None:
        """Add a row."""
        if isinstance(row, QWidget):
            self.addWidget(row)
        else:
            self.addLayout(row)

    def add_labelled(self, label: str, control: QWidget) -> QWidget:
        """Add a control with its label; returns the row, which can be hidden."""
        row, text = QWidget(), QLabel(label)
        text.setBuddy(control)
        if not control.accessibleName():
            control.setAccessibleName(label)
        row.setLayout(FlowLayout(text, control, growing=[control]))
        self.addWidget(row)
        return row
