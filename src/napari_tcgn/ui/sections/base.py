"""What every section of the dock has: a heading, a form, and a place for what it has to say."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QFrame, QLabel, QPlainTextEdit, QToolButton, QVBoxLayout, QWidget

from napari_tcgn.ui.background import Failure
from napari_tcgn.ui.session import Session


def text_label(text: str = "") -> QLabel:
    """Return a label that wraps its text and lets it be copied."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


class Message(QWidget):
    """A sentence below a section's controls; a failure also has its traceback behind "details"."""

    def __init__(self) -> None:
        super().__init__()
        self.label = text_label()
        self.details_button = QToolButton(text="details", checkable=True)
        self.details_button.setToolTip("Show the traceback, for a report")
        self.details = QPlainTextEdit(readOnly=True)
        self.details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.details.setFixedHeight(140)
        self.details_button.toggled.connect(self.details.setVisible)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.label, self.details_button, self.details):
            layout.addWidget(widget)
        self.say("")

    def say(self, sentence: str) -> None:
        """Show a sentence; "" hides the message."""
        self.label.setText(sentence)
        self.details_button.setChecked(False)
        self.details_button.hide()
        self.details.hide()
        self.setVisible(bool(sentence))

    def fail(self, failure: Failure) -> None:
        """Show a failure."""
        self.say(f"⚠ {failure.sentence}")
        self.details.setPlainText(failure.details)
        self.details_button.show()

    def text(self) -> str:
        """Return the sentence."""
        return self.label.text()


class Section(QFrame):
    """A part of the dock.

    Parameters
    ----------
    session : Session
    title : str

    Attributes
    ----------
    form : QFormLayout
        Where a subclass adds its controls.
    message : Message
        Below the controls.
    """

    def __init__(self, session: Session, title: str) -> None:
        super().__init__()
        self.session = session
        heading = QLabel(title)
        font = heading.font()
        font.setBold(True)
        heading.setFont(font)
        self.message = Message()
        self.form = QFormLayout()
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setSpacing(4)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 6)
        layout.setSpacing(4)
        layout.addWidget(heading)
        layout.addLayout(self.form)
        layout.addWidget(self.message)
