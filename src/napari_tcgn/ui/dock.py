"""The dock: its sections in the order of the work, in a scroll area."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QToolButton, QVBoxLayout, QWidget

from napari_tcgn.ui.actions.speed import SpeedMeter
from napari_tcgn.ui.sections.base import Message
from napari_tcgn.ui.sections.compare import CompareSection
from napari_tcgn.ui.sections.export import ExportSection
from napari_tcgn.ui.sections.genes import GenesSection
from napari_tcgn.ui.sections.model import ModelSection
from napari_tcgn.ui.sections.run import RunSection
from napari_tcgn.ui.sections.slide import SlideSection
from napari_tcgn.ui.sections.spots import SpotsSection
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.shortcuts import add_shortcuts, keys_of, step
from napari_tcgn.ui.widgets.wheel import WheelGuard

if TYPE_CHECKING:
    import napari

MINIMUM_WIDTH = 370  # px

_docks: weakref.WeakSet[Dock] = weakref.WeakSet()


def open_docks() -> list[Dock]:
    """Return the docks that are open, in whichever viewer."""
    return [dock for dock in _docks if not dock.session.closed]


class Dock(QWidget):
    """Plugins ▸ Spatial gene prediction (TCGN).

    Parameters
    ----------
    napari_viewer : napari.Viewer

    Attributes
    ----------
    session : Session
        The work behind the widgets.
    slide, spots, model, run, genes, compare, export : Section
    sections : tuple of Section
    scroll_area : QScrollArea
        Around the sections.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        session = self.session = Session(napari_viewer)
        session.state.events.image.connect(self._forget_messages)  # before the sections say something of the new slide
        self.slide = SlideSection(session)
        self.spots = SpotsSection(session)
        self.model = ModelSection(session)
        self.run = RunSection(session)
        self.genes = GenesSection(session)
        self.compare = CompareSection(session)
        self.export = ExportSection(session)

        # In the order of the work; further sections are added here.
        self.sections = (self.slide, self.spots, self.model, self.run, self.genes, self.compare, self.export)
        self.speed = SpeedMeter(session)
        self.reset_button = QToolButton()
        self.reset_button.setText("Reset")
        self.reset_button.setAutoRaise(True)
        self.reset_button.setToolTip(
            "Forget the choices of earlier sessions and take those of napari's preferences; slides and results stay"
        )
        self.reset_button.clicked.connect(self.reset)

        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for section in self.sections:
            column.addWidget(section)
        column.addWidget(self.reset_button, 0, Qt.AlignmentFlag.AlignRight)
        column.addStretch(1)
        scroll = self.scroll_area = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)
        self.setMinimumWidth(MINIMUM_WIDTH)
        self._wheel = WheelGuard(inside)
        self._add_shortcuts()
        self._docked = False
        _docks.add(self)
        # Not a method of this widget, which is gone by then.
        self.destroyed.connect(lambda: session.close(viewer_is_gone=True))

    def _add_shortcuts(self) -> None:
        genes = self.genes
        self.shortcuts = add_shortcuts(
            self,
            {
                "run": self.run.start,
                "cancel": self.run.cancel,
                "next_gene": lambda: step(genes.table, 1),
                "previous_gene": lambda: step(genes.table, -1),
                "search": self.focus_search,
            },
        )
        walk = f"{keys_of('previous_gene')} and {keys_of('next_gene')} walk through it from anywhere"
        genes.table.setToolTip(f"{genes.table.toolTip()}. {walk}")
        genes.search.setToolTip(f"{genes.search.toolTip()} ({keys_of('search')})")

    def focus_search(self) -> None:
        """Unfold the section Genes and put the cursor into its search box."""
        self.genes.heading.setChecked(True)
        for widget in (self.genes.table, self.genes.search):  # the table shows what is found
            self.scroll_area.ensureWidgetVisible(widget)
        self.genes.search.setFocus()
        self.genes.search.selectAll()

    def _forget_messages(self) -> None:
        """Take away what was said of the slide before; what the section Model says is of models."""
        for message in self.findChildren(Message):
            if message is not self.model.message:
                message.say("")

    def reset(self) -> None:
        """Forget what was chosen in earlier sessions, and unfold every section."""
        for section in self.sections:
            section.heading.setChecked(True)
        self.session.choices.reset()

    def event(self, event: QEvent | None) -> bool:
        """Notice when napari takes the widget out of its dock: it does so when the dock is closed for good."""
        if event is not None and event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                self._docked = True
            elif self._docked:
                self._docked = False
                self._disconnect()
        return super().event(event)

    def _disconnect(self) -> None:
        if not self.session.closed:
            for section in self.sections:
                section.disconnect_all()
            self.session.close()
        self.deleteLater()


make_dock = Dock  # a class and not a function: napari hands its viewer to classes only
