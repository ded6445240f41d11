"""A part of a section that is folded away until it is wanted."""

from __future__ import annotations

from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QFormLayout, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_tcgn.ui.sections.base import Message
from napari_tcgn.ui.session import Session

NO_LIMIT = 16_777_215  # Qt's QWIDGETSIZE_MAX


class Fold(QCollapsible):
    """A heading that shows or hides a form.

    Parameters
    ----------
    session : Session
    title, tip : str

    Attributes
    ----------
    form : QFormLayout
        Where a subclass adds its controls.
    message : Message
        Below the controls.
    """

    def __init__(self, session: Session, title: str, tip: str) -> None:
        # Arrows as text: superqt draws its icons once, in the colours of the theme at that time.
        super().__init__("", expandedIcon=QIcon(), collapsedIcon=QIcon())
        self.session = session
        self._title = title
        self.setDuration(0)
        inside = QWidget()
        inside.setMaximumHeight(0)
        column = QVBoxLayout(inside)
        column.setContentsMargins(10, 0, 0, 4)
        self.form = QFormLayout()
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setSpacing(4)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.message = Message()
        column.addLayout(self.form)
        column.addWidget(self.message)
        self.setContent(inside)
        self.layout().setContentsMargins(0, 0, 0, 0)
        self.layout().setSpacing(2)
        self.toggleButton().setToolTip(tip)
        self.toggled.connect(self._on_toggled)
        self._on_toggled(False)

    def _on_toggled(self, open_: bool) -> None:
        self.setText(f"{'▾' if open_ else '▸'} {self._title}")
        if open_:
            self.content().setMaximumHeight(NO_LIMIT)  # a message may need more room later
