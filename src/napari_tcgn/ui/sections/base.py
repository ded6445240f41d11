"""What every section of the dock has: a heading, a form, and a place for what it has to say."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFrame,
    QLabel,
    QPlainTextEdit,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_tcgn.ui.session import Session
from napari_tcgn.ui.tasks.background import Failure
from napari_tcgn.ui.tasks.later import Later
from napari_tcgn.ui.widgets.rows import Rows

FOLDED, UNFOLDED = "folded", "unfolded"  # names of sections in the dock's memory


def text_label(text: str = "") -> QLabel:
    """Return a label that wraps its text and lets it be copied."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def bring_into_sight(widget: QWidget) -> None:
    """Scroll what a widget lies in so that it is seen."""
    around = widget.parentWidget()
    while around is not None and not isinstance(around, QScrollArea):
        around = around.parentWidget()
    if around is not None and widget.isVisible():
        around.ensureWidgetVisible(widget)


class Message(QWidget):
    """A sentence below a section's controls; a failure also has its traceback behind "details"."""

    def __init__(self) -> None:
        super().__init__()
        self._sight = Later(self._come_into_sight)
        self.label = text_label()
        self.details_button = QToolButton()
        self.details_button.setText("details")
        self.details_button.setCheckable(True)
        self.details_button.setToolTip("Show the traceback, for a report")
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.details.setTabChangesFocus(True)
        self.details.setAccessibleName("traceback")
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
        if sentence:
            self._sight.ask()

    def _come_into_sight(self) -> None:
        """The answer to a click is seen."""
        bring_into_sight(self)

    def fail(self, failure: Failure) -> None:
        """Show a failure."""
        self.say(f"⚠ {failure.sentence}")
        self.details.setPlainText(failure.details)
        self.details_button.show()

    def text(self) -> str:
        """Return the sentence."""
        return self.label.text()


class Heading(QToolButton):
    """A heading with an arrow that shows or hides what is below it.

    Not `superqt.QCollapsible`, which gives its content the height of its size hint: text that wraps in 370 px
    is cut (measured: 98 px of the 140 that a model's card needs), and its arrow keeps the colour of the first theme.

    Parameters
    ----------
    title : str
    body : QWidget
    tip : str
        What is below it; "" if the title says it.
    """

    def __init__(self, title: str, body: QWidget, tip: str = "") -> None:
        super().__init__()
        self.setText(title)
        self.setCheckable(True)
        self.setChecked(True)
        self.setAutoRaise(True)
        self._tip = tip
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.toggled.connect(body.setVisible)
        self.toggled.connect(self._point)
        self._point(True)

    def _point(self, unfolded: bool) -> None:
        self.setArrowType(Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow)
        self.setToolTip(self._tip or f"{'Fold' if unfolded else 'Unfold'} “{self.text()}”")


class Fold(QFrame):
    """A form that can be folded away below its heading.

    Parameters
    ----------
    title : str
    tip : str
        What it is for; "" if the title says it.

    Attributes
    ----------
    heading : Heading
        Checked while the form is shown.
    body : QWidget
        What is folded away.
    column, body_column : QVBoxLayout
        Of heading and body, and inside the body.
    form : Rows
        Where a subclass adds its controls.
    message : Message
        For a subclass to place.
    """

    def __init__(self, title: str, tip: str = "") -> None:
        super().__init__()
        self.message = Message()
        self.body = QWidget()
        self.body_column = QVBoxLayout(self.body)
        self.body_column.setContentsMargins(0, 0, 0, 0)
        self.form = Rows()
        self.body_column.addLayout(self.form)
        self.heading = Heading(title, self.body, tip)
        self.column = QVBoxLayout(self)
        self.column.setSpacing(3)
        self.column.addWidget(self.heading)
        self.column.addWidget(self.body)

    def disconnect_all(self) -> None:
        """Stop listening to the viewer, which outlives the dock."""


class Part(Fold):
    """A part of a section that is folded away until it is wanted, with its message."""

    def __init__(self, title: str, tip: str = "") -> None:
        super().__init__(title, tip)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.body_column.setContentsMargins(12, 0, 0, 4)
        self.body_column.addWidget(self.message)
        self.heading.setChecked(False)


class Section(Fold):
    """A part of the dock that can be folded away; folded ones stay so in the next session.

    Its message is seen even if it is folded away.

    Parameters
    ----------
    session : Session
    title : str
    grows : bool
        Whether it takes the height that its page has left while it is unfolded.
    folded : bool
        Whether it is folded away until it is wanted for the first time.
    """

    def __init__(self, session: Session, title: str, *, grows: bool = False, folded: bool = False) -> None:
        super().__init__(title)
        self._grows = grows
        self.session = session
        font = self.heading.font()
        font.setBold(True)
        self.heading.setFont(font)
        self.column.setContentsMargins(6, 2, 6, 4)
        self.column.addWidget(self.message)
        # Remembered are the sections that are not as they are at first.
        self._folded_at_first, self._list = folded, UNFOLDED if folded else FOLDED
        changed = type(self).__name__ in session.choices.remembered.get(self._list, list, [])
        self.heading.toggled.connect(self._fit)
        self.heading.setChecked(changed == folded)
        self._fit(self.heading.isChecked())
        self.heading.toggled.connect(self._remember_fold)

    def fold_as_at_first(self) -> None:
        """Fold or unfold it as if it had never been touched."""
        self.heading.setChecked(not self._folded_at_first)

    def _fit(self, unfolded: bool) -> None:
        policy = self.sizePolicy()
        policy.setVerticalStretch(1 if self._grows and unfolded else 0)
        self.setSizePolicy(policy)

    def _remember_fold(self, unfolded: bool) -> None:
        remembered, name = self.session.choices.remembered, type(self).__name__
        others = [other for other in remembered.get(self._list, list, []) if other != name]
        changed = unfolded == self._folded_at_first
        remembered.put(**{self._list: [*others, name] if changed else others})
