"""Ways to know how many µm a pixel covers: a known length on the slide, or the objective it was scanned with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtWidgets import QComboBox, QLabel, QPushButton, QWidget

from napari_tcgn.ui.layers import slide_layers
from napari_tcgn.ui.sections.base import Part, text_label
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.widgets.controls import count_box, number_box, toggle_button
from napari_tcgn.ui.widgets.flow import FlowLayout

if TYPE_CHECKING:
    from napari.layers import Shapes
    from napari.utils.events import Event

RULER = "ruler: draw a line of known length"
# What scanners usually have; the camera decides, so it is a guess.
OBJECTIVES = {"40x": 0.25, "20x": 0.5, "10x": 1.0, "5x": 2.0}


class MppWays(Part):
    """Two ways to the µm per pixel beside typing it; both only propose, and a click takes the proposal.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        super().__init__("ways to know it")
        self._session = session
        self._ruler: Shapes | None = None
        self._length_px: float | None = None

        self.ruler_button = toggle_button(
            "Measure a known length",
            "Draw a line along something whose length is known: a row of spots, a scale bar, a capture area",
        )
        self.count_box = count_box(
            "How many times the length below fits into the line: steps from spot to spot, or 1", 1, 1000, 1
        )
        self.unit_box = number_box(
            "Known length in µm: 200 from spot to spot of ST, 100 of Visium, or of the whole line", 0.01, 100_000, 200
        )
        self.use_ruler_button = QPushButton("Use")
        self.use_ruler_button.setToolTip("Take what the line says as the slide's µm per pixel")
        self.ruler_text = text_label()
        self.objective_box = QComboBox()
        self.objective_box.addItem("objective …", None)
        for name, mpp in OBJECTIVES.items():
            self.objective_box.addItem(name, mpp)
        self.objective_box.setToolTip("The scanner's objective power suggests a size of the pixels; it is only a guess")
        self.use_objective_button = QPushButton("Use this guess")
        self.objective_text = text_label()

        self._lay_out()
        self.ruler_button.toggled.connect(self._on_ruler)
        for box in (self.count_box, self.unit_box):
            box.valueChanged.connect(self._show_ruler)
        self.use_ruler_button.clicked.connect(self._use_ruler)
        self.objective_box.currentIndexChanged.connect(self._show_objective)
        self.use_objective_button.clicked.connect(self._use_objective)
        for event in (session.state.events.image, session.state.events.mpp):  # it would lie elsewhere then
            event.connect(self.put_away)
        session.viewer.layers.events.removed.connect(self._on_removed)
        self._show_ruler()
        self._show_objective()

    def _lay_out(self) -> None:
        self._ruler_row = QWidget()
        self._ruler_row.setLayout(
            FlowLayout(self.count_box, QLabel("x"), self.unit_box, QLabel("µm"), self.use_ruler_button)
        )
        objective = FlowLayout(self.objective_box, self.use_objective_button)
        for row in (self.ruler_button, self._ruler_row, self.ruler_text, objective, self.objective_text):
            self.form.add(row)

    def disconnect_all(self) -> None:
        """Stop listening to the viewer, which outlives the dock."""
        self._session.viewer.layers.events.removed.disconnect(self._on_removed)
        self.put_away()

    # -- a known length ----------------------------------------------------------------------------------------------

    def _on_ruler(self, wanted: bool) -> None:
        image = self._session.state.image
        if wanted and image is not None:
            self._ruler = slide_layers.add_ruler(self._session.viewer, image, RULER)
            self._ruler.events.data.connect(self._measure)
        elif not wanted:
            self.put_away()
        self._show_ruler()

    def put_away(self) -> None:
        """Take the ruler from the viewer."""
        ruler, self._ruler, self._length_px = self._ruler, None, None
        if ruler is not None:
            ruler.events.data.disconnect(self._measure)
            if ruler in self._session.viewer.layers:
                self._session.viewer.layers.remove(ruler)
        self.ruler_button.setChecked(False)
        self._show_ruler()

    def _on_removed(self, event: Event) -> None:
        if event.value == self._ruler:
            self.put_away()

    def _measure(self, event: Event | None = None) -> None:
        """Read the latest line; its coordinates are px of the slide, because it lies on it with the same transforms."""
        self._length_px = None
        if self._ruler is not None and len(self._ruler.data):
            line = np.asarray(self._ruler.data[-1], dtype=np.float64)  # [points, 2]
            length = float(np.linalg.norm(line[-1] - line[0]))
            self._length_px = length if length >= 1 else None
        self._show_ruler()

    def _mpp_of_ruler(self) -> float | None:
        if self._length_px is None:
            return None
        return self.count_box.value() * self.unit_box.value() / self._length_px

    def _show_ruler(self) -> None:
        mpp = self._mpp_of_ruler()
        self._ruler_row.setVisible(self._ruler is not None)
        self.ruler_text.setVisible(self._ruler is not None)
        self.use_ruler_button.setEnabled(mpp is not None)
        if mpp is None:
            self.ruler_text.setText("Draw a line on the slide; say below how long it is. A long line is more exact.")
        else:
            self.ruler_text.setText(f"The line is {self._length_px:.1f} px long: {mpp:.4g} µm per pixel.")

    def _use_ruler(self) -> None:
        mpp = self._mpp_of_ruler()
        if mpp is not None:
            length = self.count_box.value() * self.unit_box.value()
            source = f"measured in the dock: a line of {length:g} µm"
            self.put_away()
            self._session.set_mpp(mpp, source)

    # -- the objective -----------------------------------------------------------------------------------------------

    def _show_objective(self) -> None:
        name, mpp = self.objective_box.currentText(), self.objective_box.currentData()
        self.use_objective_button.setEnabled(mpp is not None)
        self.objective_text.setVisible(mpp is not None)
        self.use_objective_button.setToolTip(
            "Choose an objective first" if mpp is None else f"Confirm {mpp:g} µm per pixel, although it is a guess"
        )
        if mpp is not None:
            self.objective_text.setText(
                f"A {name} scan often has about {mpp:g} µm per pixel, but the camera decides: 0.2 to 0.3 for 40x and "
                "0.4 to 0.7 for 20x are common. This is a guess; nothing is taken before you confirm it."
            )

    def _use_objective(self) -> None:
        mpp = self.objective_box.currentData()
        if mpp is not None:
            self.put_away()
            self._session.set_mpp(
                mpp, f"guessed from a {self.objective_box.currentText()} objective, confirmed in the dock"
            )
