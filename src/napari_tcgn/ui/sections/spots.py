"""Section Spots: where to predict."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFileDialog, QHBoxLayout, QPushButton

from napari_tcgn.errors import TcgnError
from napari_tcgn.settings import LAYOUTS, GridSettings
from napari_tcgn.ui.background import Failure
from napari_tcgn.ui.run import in_words
from napari_tcgn.ui.sections.base import Section, text_label
from napari_tcgn.ui.session import Session

TABLE = "table"
# Shown, layout of `GridSettings`; the spots of a file are none of them.
SOURCES = (
    ("ST grid (200 µm square, 100 µm spots)", "st"),
    ("Visium grid (100 µm hexagonal, 55 µm spots)", "visium"),
    ("custom square grid", "square"),
    ("custom hexagonal grid", "hex"),
    ("measured spots: ST table…", TABLE),
)


class SpotsSection(Section):
    """Lay a grid of spots over the tissue, or read those of a measured section."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "2 · Spots")
        defaults = GridSettings()
        self.source_box = QComboBox()
        for text, layout in SOURCES:
            self.source_box.addItem(text, layout)
        self.source_box.setToolTip("A grid of spots over the slide, or the spots of a section that was measured")
        self.source_box.setMinimumContentsLength(12)
        self.source_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.pitch_box = _micrometres("Distance from centre to centre of neighbouring spots")
        self.diameter_box = _micrometres("Diameter of a spot")
        self.tissue_box = QCheckBox("only on tissue, at least", checked=defaults.tissue_only)
        self.tissue_box.setToolTip("Leave out spots on bare glass")
        self.fraction_box = QDoubleSpinBox(minimum=0, maximum=1, singleStep=0.1, decimals=2)
        self.fraction_box.setValue(defaults.min_tissue_fraction)
        self.fraction_box.setToolTip("Share of a spot that must be tissue, from 0 to 1")
        self.lay_button = QPushButton("Lay spots")
        self.count = text_label()

        tissue = QHBoxLayout()
        tissue.addWidget(self.tissue_box)
        tissue.addWidget(self.fraction_box, 1)
        self.form.addRow(self.source_box)
        self.form.addRow("pitch, µm", self.pitch_box)
        self.form.addRow("diameter, µm", self.diameter_box)
        self.form.addRow(tissue)
        self.form.addRow(self.lay_button)
        self.form.addRow(self.count)

        self.source_box.currentIndexChanged.connect(self._show_source)
        self.tissue_box.toggled.connect(self._enable)
        self.lay_button.clicked.connect(self._lay)
        events = session.state.events
        for event in (events.spots, events.rate):
            event.connect(self._show_count)
        for event in (events.image, events.slide, events.mpp, events.running, events.busy):
            event.connect(self._enable)
        self._show_source()

    def settings(self) -> GridSettings:
        """Return what the controls say.

        Raises
        ------
        SettingsError
            If a number is outside what is allowed.
        """
        layout = self.source_box.currentData()
        custom = layout not in LAYOUTS
        return GridSettings(
            layout=layout,
            pitch_um=self.pitch_box.value() if custom else None,
            diameter_um=self.diameter_box.value() if custom else None,
            tissue_only=self.tissue_box.isChecked(),
            min_tissue_fraction=self.fraction_box.value(),
        )

    def _show_source(self) -> None:
        layout = self.source_box.currentData()
        is_table = layout == TABLE
        if layout in LAYOUTS:
            pitch, diameter = LAYOUTS[layout]
            self.pitch_box.setValue(pitch)
            self.diameter_box.setValue(diameter)
        self.lay_button.setText("Read spots…" if is_table else "Lay spots")
        self.lay_button.setToolTip(
            "Choose an ST selection table (columns x, y, pixel_x, pixel_y) of this slide" if is_table
            else "Lay the grid over the slide"
        )  # fmt: skip
        self._enable()

    def _lay(self) -> None:
        self.message.say("")
        if self.source_box.currentData() == TABLE:
            path, _ = QFileDialog.getOpenFileName(self, "Read spots", "", "ST selection tables (*.tsv *.txt *.gz)")
            if path:
                self.session.read_table(Path(path), self.message.fail)
            return
        try:
            settings = self.settings()
        except TcgnError as error:
            self.message.fail(Failure.of(error))
            return
        self.session.lay_grid(settings, self.message.fail)

    def _show_count(self) -> None:
        state = self.session.state
        spots = state.spots
        if spots is None:
            self.count.setText(state.busy or state.missing_for_spots() or "No spots yet.")
            return
        text = f"{len(spots)} spots of {spots.diameter_um:g} µm, {spots.pitch_um:g} µm apart"
        if spots.source.get("file"):
            text += f" ({spots.source['file']})"
        if state.rate:
            text += f"; about {in_words(len(spots) / state.rate)} to predict"
        self.count.setText(text)

    def _enable(self) -> None:
        state = self.session.state
        free = not state.running and not state.busy
        layout = self.source_box.currentData()
        grid = free and layout != TABLE
        for box in (self.pitch_box, self.diameter_box):
            box.setEnabled(grid and layout not in LAYOUTS)
        self.tissue_box.setEnabled(grid)
        self.fraction_box.setEnabled(grid and self.tissue_box.isChecked())
        self.source_box.setEnabled(free)
        self.lay_button.setEnabled(free and not state.missing_for_spots())
        self._show_count()


def _micrometres(tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox(minimum=1, maximum=10_000, decimals=1)
    box.setToolTip(tip)
    return box
