"""The dock: its sections in two tabs, in the order of the work, above a footer that is always in sight."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from napari.settings import get_settings
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QTabWidget, QToolButton, QVBoxLayout, QWidget

from napari_tcgn.ui.actions.speed import SpeedMeter
from napari_tcgn.ui.layers import store
from napari_tcgn.ui.sections.base import Message, Section
from napari_tcgn.ui.sections.compare import CompareSection
from napari_tcgn.ui.sections.explain import ExplainSection
from napari_tcgn.ui.sections.export import ExportSection
from napari_tcgn.ui.sections.genes import GenesSection
from napari_tcgn.ui.sections.map import MapSection
from napari_tcgn.ui.sections.model import ModelSection
from napari_tcgn.ui.sections.run import RunFooter
from napari_tcgn.ui.sections.slide import SlideSection
from napari_tcgn.ui.sections.spots import SpotsSection
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.shortcuts import add_shortcuts, keys_of, step
from napari_tcgn.ui.widgets.controls import name_controls
from napari_tcgn.ui.widgets.focus_ring import FocusRing
from napari_tcgn.ui.widgets.page import Page
from napari_tcgn.ui.widgets.wheel import WheelGuard

if TYPE_CHECKING:
    import napari
    from napari.utils.events import Event

MINIMUM_WIDTH = 370  # px
SMALLEST_TEXT = 8  # pt

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
    slide, spots, model, genes, map, explain, compare, export : Section
    run : RunFooter
    predict_page, explore_page : Page
        The two tabs of `tabs`.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        session = self.session = Session(napari_viewer)
        session.state.events.image.connect(self._forget_messages)  # before the sections say something of the new slide
        self.slide = SlideSection(session)
        self.spots = SpotsSection(session)
        self.model = ModelSection(session)
        self.genes = GenesSection(session)
        self.map = MapSection(session, self.genes.names, self.genes.table.visible_genes)
        self.explain = ExplainSection(session)
        self.compare = CompareSection(session)
        self.export = ExportSection(session, self.compare.comparing)
        self.run = RunFooter(session)
        self.speed = SpeedMeter(session)
        self.reset_button = QToolButton()
        self.reset_button.setText("Reset")
        self.reset_button.setAutoRaise(True)
        self.reset_button.setToolTip(
            "Forget the choices of earlier sessions and take those of napari's preferences; slides and results stay"
        )
        self.reset_button.clicked.connect(self.reset)

        # In the order of the work; further sections are added here.
        self.predict_page = Page((self.slide, self.spots, self.model, self.reset_button))
        self.explore_page = Page((self.genes, self.map, self.explain, self.compare, self.export))
        self.sections: tuple[Section, ...] = (
            self.slide, self.spots, self.model, self.genes, self.map, self.explain, self.compare, self.export,
        )  # fmt: skip
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        bar = self.tabs.tabBar()
        assert bar is not None  # every tab widget has one
        bar.setAccessibleName("Predict or explore")
        for page, title, tip in (
            (self.predict_page, "Predict", "Choose a slide, spots and a model"),
            (self.explore_page, "Explore", "Look at genes, compare with measured counts, export"),
        ):
            self.tabs.setTabToolTip(self.tabs.addTab(page, title), tip)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.run)
        self.setMinimumWidth(MINIMUM_WIDTH)
        name_controls(self)
        self._follow_font_size()
        self._wheel, self.focus_ring = WheelGuard(self), FocusRing(self)
        self._add_shortcuts()
        self._connect()
        self._docked = False
        _docks.add(self)
        # Not a method of this widget, which is gone by then.
        self.destroyed.connect(lambda: session.close(viewer_is_gone=True))

    def _connect(self) -> None:
        self.slide.sample_opened.connect(self.spots.use_sample)
        self.run.asked.connect(self._go_to)
        self.run.ended_well.connect(self._explore)
        self.session.viewer.layers.events.inserted.connect(self._on_inserted)
        self.session.viewer.layers.events.renamed.connect(self.run.show_slide)
        get_settings().appearance.events.font_size.connect(self._follow_font_size)
        if self.session.state.result_layer is not None:
            self._explore()

    def _follow_font_size(self, event: Event | None = None) -> None:
        """Give headings, tables and what is typed the size of napari's own text, which its style leaves as they are."""
        size = get_settings().appearance.font_size
        self.setStyleSheet(
            f"QToolButton, QLineEdit, QPlainTextEdit, QTextBrowser {{ font-size: {size}pt; }}"
            f"QAbstractItemView, QHeaderView {{ font-size: {max(size - 2, SMALLEST_TEXT)}pt; }}"
        )

    def _add_shortcuts(self) -> None:
        genes = self.genes
        self.shortcuts = add_shortcuts(
            self,
            {
                "run": self.run.start,
                "cancel": self.run.cancel,
                "next_gene": lambda: step(genes.table, 1),
                "previous_gene": lambda: step(genes.table, -1),
                "swap_halves": self.compare.comparing.side_by_side.swap,
                "search": self.focus_search,
            },
        )
        walk = f"{keys_of('previous_gene')} and {keys_of('next_gene')} walk through it from anywhere"
        genes.table.setToolTip(f"{genes.table.toolTip()}. {walk}")
        genes.search.setToolTip(f"{genes.search.toolTip()} ({keys_of('search')})")

    # -- what is in sight --------------------------------------------------------------------------------------------

    def open_section(self, section: Section, *controls: QWidget) -> None:
        """Bring a section into sight, unfolded, and of it some controls, the last one surely."""
        page = next(page for page in (self.predict_page, self.explore_page) if page.isAncestorOf(section))
        self.tabs.setCurrentWidget(page)
        section.heading.setChecked(True)
        for widget in controls or (section,):
            page.ensureWidgetVisible(widget)

    def focus_search(self) -> None:
        """Show the section Genes and put the cursor into its search box."""
        self.open_section(self.genes, self.genes.table, self.genes.search)  # the table shows what is found
        self.genes.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.genes.search.selectAll()

    def _forget_messages(self) -> None:
        """Take away what was said of the slide before; what the section Model says is of models."""
        for message in self.findChildren(Message):
            if message is not self.model.message:
                message.say("")

    def _go_to(self, where: str) -> None:
        """Show the control that answers a sentence of the footer, and give it the keyboard."""
        offer = self.spots.use_mpp_button
        slide = self.slide.layer_box if self.session.state.image is not None else self.slide.open_button
        section, control = {
            "slide": (self.slide, slide),
            # The spots' array may say it.
            "mpp": (self.spots, offer) if offer.isVisibleTo(self.spots) else (self.slide, self.slide.mpp_box),
            "spots": (self.spots, self.spots.lay_button),
            "region": (self.spots, self.spots.region.inside_box),
            "model": (self.model, self.model.model_box),
            "device": (self.model, self.model.device_box),
        }[where]
        self.open_section(section, section, control)
        control.setFocus(Qt.FocusReason.OtherFocusReason)

    def _explore(self) -> None:
        self.tabs.setCurrentWidget(self.explore_page)

    def _on_inserted(self, event: Event) -> None:
        """Show what is known of a result that was opened; one that a run fills in is shown when it is done."""
        if store.shows_result(event.value) and not self.session.state.running:
            self._explore()

    def reset(self) -> None:
        """Forget what was chosen in earlier sessions, and fold the sections as they are at first."""
        for section in self.sections:
            section.fold_as_at_first()
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
            self.session.viewer.layers.events.inserted.disconnect(self._on_inserted)
            self.session.viewer.layers.events.renamed.disconnect(self.run.show_slide)
            get_settings().appearance.events.font_size.disconnect(self._follow_font_size)
            for section in self.sections:
                section.disconnect_all()
            self.session.close()
        self.deleteLater()


make_dock = Dock  # a class and not a function: napari hands its viewer to classes only
