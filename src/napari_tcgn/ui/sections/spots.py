"""Section Spots: where to predict."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QPushButton

from napari_tcgn.errors import TcgnError
from napari_tcgn.options import HEXAGONAL, LAYOUTS, GridSettings
from napari_tcgn.sample import sample_section
from napari_tcgn.spots import GridSource, Region, Spots
from napari_tcgn.ui.actions import laying
from napari_tcgn.ui.actions.grid_drag import GridDrag
from napari_tcgn.ui.actions.measured_files import sample_of
from napari_tcgn.ui.layers.tissue_view import TissueView
from napari_tcgn.ui.sections.base import Section, text_label
from napari_tcgn.ui.sections.spots_count import Expected, laid_text, mpp_of_array
from napari_tcgn.ui.sections.spots_drop import SpotsDrop
from napari_tcgn.ui.sections.spots_files import SpotFiles
from napari_tcgn.ui.sections.spots_grid import GridControls
from napari_tcgn.ui.sections.spots_inside import DRAWING, KeptInside
from napari_tcgn.ui.sections.spots_region import RegionControls
from napari_tcgn.ui.sections.spots_tissue import TissueControls
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.tasks.background import Failure
from napari_tcgn.ui.widgets.controls import choice_box
from napari_tcgn.ui.widgets.flow import FlowLayout

TABLE = "table"


def _sizes(layout: str) -> str:
    pitch, diameter = LAYOUTS[layout]
    return f"{pitch:g} µm {'hexagonal' if layout in HEXAGONAL else 'square'}, {diameter:g} µm spots"


# Shown, layout of `GridSettings`; the spots of a file are none of them.
SOURCES = (
    (f"ST grid ({_sizes('st')})", "st"),
    (f"Visium grid ({_sizes('visium')})", "visium"),
    ("Visium HD grid (square bins)", "visium-hd"),
    ("custom square grid", "square"),
    ("custom hexagonal grid", "hex"),
    ("measured or saved spots…", TABLE),
)
PAUSE = 150  # ms after a change until the spots are counted


class SpotsSection(Section):
    """Lay a grid of spots over the tissue, or read those of a measured section."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "2 · Spots")
        self.source_box = choice_box("A grid of spots over the slide, or the spots of a section that was measured")
        for text, layout in SOURCES:
            self.source_box.addItem(text, layout)
        self.grid, self.tissue = GridControls(), TissueControls()
        self.region, self.files = RegionControls(session), SpotFiles(session)
        self.pitch_box, self.diameter_box = self.grid.pitch_box, self.grid.diameter_box
        self.tissue_box, self.fraction_box = self.tissue.tissue_box, self.tissue.fraction_box
        self.sample_button = QPushButton("Use the sample's spots")
        self.sample_button.setToolTip("Read the spots at which the sample section was measured")
        self.lay_button = QPushButton("Lay spots")
        self.reset_button = QPushButton("Reset")
        self.reset_button.setToolTip("Set everything in this section back; spots that are laid stay")
        self.count = text_label()
        self.use_mpp_button = QPushButton()
        self.use_mpp_button.setToolTip("Take what the spots' own array implies as the slide's µm per pixel")
        self._drop = SpotsDrop(session, self, self._read_dropped, self.message.say)
        self._inside = KeptInside(session, self.region, self.message.fail, self)
        self.drag = GridDrag(session, self._on_dragged)
        self.view = TissueView(session.viewer, session.background, self.message.fail)
        self._expected = Expected(session, self._on_counted)
        self._implied: float | None = None  # µm per px of the spots' array, where the slide's is another
        self._lay_again = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE)
        self._timer.timeout.connect(self._on_pause)

        buttons = FlowLayout(self.lay_button, self.reset_button, growing=[self.lay_button])
        self.form.add(self.sample_button)
        for row in (self.source_box, self.grid, self.tissue, self.region, buttons, self.files, self.count):
            self.form.add(row)
        self.form.add(self.use_mpp_button)
        self._connect()
        self._show_source()
        if session.state.spots is not None:
            self._show_laid(session.state.spots)

    def _connect(self) -> None:
        self.source_box.currentIndexChanged.connect(self._show_source)
        self.grid.changed.connect(self._on_change)
        self.tissue.changed.connect(self._on_tissue)
        self.region.changed.connect(self._on_change)
        self.grid.adjust_button.toggled.connect(self._on_adjust)
        self.lay_button.clicked.connect(self._lay)
        self.reset_button.clicked.connect(self.reset)
        self.use_mpp_button.clicked.connect(self._use_mpp)
        self.sample_button.clicked.connect(self.use_sample)
        self.files.chosen.connect(self._read)
        self.files.said.connect(self._said)
        self.files.failed.connect(self.message.fail)
        events = self.session.state.events
        for event in (events.image, events.slide, events.mpp):
            event.connect(self._on_slide)
        events.spots.connect(self._on_spots)
        events.rate.connect(self._show_count)
        for event in (events.running, events.busy):
            event.connect(self._enable)
        events.busy.connect(self._lay_what_waits)

    def disconnect_all(self) -> None:
        """Stop listening to the viewer, which outlives the dock, and take the overlay away."""
        self._timer.stop()
        self._inside.stop()
        self._drop.stop()
        self.drag.detach()
        self.view.hide()
        self.region.disconnect_all()

    def settings(self) -> GridSettings:
        """Return what the controls say.

        Raises
        ------
        SettingsError
            If a number is outside what is allowed.
        """
        return GridSettings(**self.grid.settings(), **self.tissue.settings())

    def reset(self) -> None:
        """Set every control back; the spots stay."""
        self.grid.adjust_button.setChecked(False)
        self.grid.place(None, None, GridSettings().rotation_deg)
        self.tissue.reset()
        self.region.inside_box.setChecked(False)
        self.files.reset()
        self.source_box.setCurrentIndex(0)
        self.message.say("")
        self._show_source()

    # -- what the controls say ---------------------------------------------------------------------------------------

    def _is_table(self) -> bool:
        return bool(self.source_box.currentData() == TABLE)

    def _show_source(self) -> None:
        self.grid.adjust_button.setChecked(False)
        if not self._is_table():
            self.grid.take_layout(self.source_box.currentData())
        self.lay_button.setText("Read spots…" if self._is_table() else "Lay spots")
        self.lay_button.setToolTip(self.files.file_button.toolTip() if self._is_table() else "Lay the grid")
        self._on_change()

    def _show_laid(self, spots: Spots) -> None:
        """Choose what spots were made of that a dock before has left."""
        laid = spots.source.settings if isinstance(spots.source, GridSource) else None
        self.source_box.setCurrentIndex(self.source_box.findData(TABLE if laid is None else laid.layout))
        if laid is not None:
            self.grid.take(laid)
        self.region.show_region(spots.source.region)
        self._on_spots()

    def _on_change(self) -> None:
        """Count anew, and in the hand's mode lay anew, as soon as the controls are left alone for a moment."""
        # Said of the controls as they were; not after the pause, when it may be the refusal of a file chosen meanwhile.
        self.message.say("")
        self._expected.value = ""
        self._enable()
        self._timer.start()

    def _on_tissue(self) -> None:
        state = self.session.state
        if self.tissue.show_box.isChecked() and state.image is not None and state.slide is not None:
            self.view.show(state.image, state.slide, self.tissue.threshold())
        else:
            self.view.hide()
        self._on_change()

    def _on_slide(self) -> None:
        self.grid.adjust_button.setChecked(False)
        self._compare_mpp()
        self.tissue.show_automatic(None)
        self._on_tissue()

    def _on_pause(self) -> None:
        if self.grid.adjust_button.isChecked():
            self._lay()
        else:
            self._count_spots()

    def _wish(self) -> tuple[GridSettings, Region | None] | None:
        """Return what is to be laid; None, with the reason in the message, if the controls contradict themselves."""
        try:
            return self.settings(), self.region.region()
        except TcgnError as error:
            self.message.fail(Failure.of(error))
            return None

    # -- how many it would be ----------------------------------------------------------------------------------------

    def _count_spots(self) -> None:
        state = self.session.state
        if self._is_table() or state.slide is None or state.missing_for_spots() or state.running:
            return
        wish = None if self.region.drawing else self._wish()
        if wish is None:
            self._expected.value = DRAWING if self.region.drawing else ""
        else:
            self._expected.ask(state.slide, *wish)
        self._show_count()

    def _on_counted(self, threshold: float | None) -> None:
        if threshold is not None:
            self.tissue.show_automatic(threshold)
        self._show_count()

    def _show_count(self) -> None:
        state, expected = self.session.state, self._expected
        self.use_mpp_button.setVisible(self._implied is not None)
        if state.spots is None:
            missing = state.missing_for_table() if self._is_table() else state.missing_for_spots()
            self.count.setText(state.busy or missing or expected.text() or "No spots yet.")
            return
        text = laid_text(self.session, self._implied)
        if expected.value not in ("", len(state.spots)) and not self._is_table():
            text += f"\nWith the choices above: {expected.text()}"
        self.count.setText(text)

    def _compare_mpp(self) -> None:
        implied = self._implied = mpp_of_array(self.session)
        if implied is not None:
            self.use_mpp_button.setText(f"Use the array's {implied:.3g} µm per pixel")

    def _use_mpp(self) -> None:
        """Take the µm per px of the spots' array for the slide."""
        if self._implied is not None:
            self.session.set_mpp(self._implied, "implied by the array of the spots")

    # -- laying and reading ------------------------------------------------------------------------------------------

    def _lay(self) -> None:
        self.message.say("")
        if self._is_table():
            self.files.ask_for_file()
            return
        if self.session.state.busy:
            self._lay_again = True
            return
        wish = self._wish()
        if wish is not None:
            self._timer.stop()
            self._expected.forget()
            laying.lay_grid(self.session, wish[0], self._on_not_laid, wish[1])

    def _lay_what_waits(self) -> None:
        if self._lay_again and not self.session.state.busy:
            self._lay_again = False
            self._timer.start()

    def _on_not_laid(self, failure: Failure) -> None:
        self.message.fail(failure)
        self._put_back()

    def _read(self, path: Path) -> None:
        self.message.say("")
        try:
            region = self.region.region()
        except TcgnError as error:
            self.message.fail(Failure.of(error))
            return
        laying.read_table(self.session, path, self.message.fail, region, self.files.settings())

    def use_sample(self) -> None:
        """Read the spots that come with the sample section."""
        self._read_dropped(sample_section().spots)

    def _read_dropped(self, path: Path) -> None:
        self.source_box.setCurrentIndex(self.source_box.findData(TABLE))
        self._read(path)

    def _said(self, sentence: str) -> None:
        self.message.say(sentence)
        self._enable()

    # -- by hand -----------------------------------------------------------------------------------------------------

    def _on_spots(self) -> None:
        self._compare_mpp()
        if self._adjustable() and self.grid.adjust_button.isChecked():
            self.drag.attach()
        else:
            self.grid.adjust_button.setChecked(False)
        self._enable()

    def _adjustable(self) -> bool:
        state = self.session.state
        laid = state.spots is not None and isinstance(state.spots.source, GridSource)
        return laid and not self._is_table() and not state.running and state.mpp is not None

    def _on_adjust(self, by_hand: bool) -> None:
        if by_hand and self._adjustable():
            self._put_back()
            self.drag.attach()
        else:
            self.drag.detach()

    def _put_back(self) -> None:
        """Show the grid, and in the controls its origin and rotation, as it was laid last."""
        self.drag.put_back()
        spots = self.session.state.spots
        if spots is not None and isinstance(spots.source, GridSource) and self.grid.adjust_button.isChecked():
            laid = spots.source.settings
            assert laid is not None  # laid here, not read
            self.grid.place(laid.origin_x_um, laid.origin_y_um, laid.rotation_deg)

    def _on_dragged(self, x_um: float, y_um: float, rotation_deg: float) -> None:
        self.grid.place(x_um, y_um, rotation_deg)
        self._lay()

    def _enable(self) -> None:
        state = self.session.state
        free = not state.running and not state.busy
        if state.running:
            self.grid.adjust_button.setChecked(False)
        # Not while something is busy: a box would lose the focus in the middle of typing.
        grid = not state.running and not self._is_table()
        self.grid.enable(grid, self._adjustable())
        self.tissue.enable(grid)
        self.region.enable(not state.running)
        self.source_box.setEnabled(free)
        self.reset_button.setEnabled(free)
        self.files.enable(free)
        self.use_mpp_button.setEnabled(free)
        self.sample_button.setEnabled(free)
        sample = sample_of(state.slide)
        self.sample_button.setVisible(sample is not None and self.session.spots_file != sample.spots)
        missing = state.missing_for_table() if self._is_table() else state.missing_for_spots()
        self.lay_button.setEnabled(free and not missing)
        self._show_count()
