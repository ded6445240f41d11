"""Section Slide: which image, and how many µm its pixels cover."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFileDialog, QHBoxLayout, QPushButton

from napari_tcgn.errors import TcgnError
from napari_tcgn.slide.base import mpp_hint
from napari_tcgn.ui.background import Failure
from napari_tcgn.ui.sections.base import Section, text_label
from napari_tcgn.ui.session import Session

IMAGES = (
    "Slides (*.svs *.ndpi *.mrxs *.scn *.bif *.vms *.vmu *.svslide *.tif *.tiff *.btf *.jpg *.jpeg *.png);;"
    "All files (*)"
)
QUESTION = (
    "How many µm does one pixel cover? The file does not say. It changes every prediction; "
    "a scanner's 20x is often 0.5, 40x 0.25, the her2st images of patients B to H have 0.688."
)


class SlideSection(Section):
    """Choose an image layer or open a file; know its µm per px."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "1 · Slide")
        self._layers: list[Any] = []
        self.layer_box = QComboBox()
        self.layer_box.setToolTip("The image layer to predict from: an H&E image in colour")
        self.layer_box.setMinimumContentsLength(12)
        self.layer_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.open_button = QPushButton("Open…")
        self.open_button.setToolTip(
            "Open an H&E image: SVS, NDPI, MRXS, SCN, BIF, TIFF (pyramids, OME), JPEG or PNG. "
            "Drop an OME-Zarr folder on the viewer."
        )
        row = QHBoxLayout()
        row.addWidget(self.layer_box, 1)
        row.addWidget(self.open_button)
        self.mpp_box = QDoubleSpinBox(minimum=0, maximum=100, decimals=4, singleStep=0.01)
        self.mpp_box.setSpecialValueText("unknown")
        self.mpp_box.setKeyboardTracking(False)
        self.mpp_box.setToolTip("Side of one pixel in µm; a patch is cut by its size in µm, so this must be right")
        self.info = text_label()
        self.form.addRow("image", row)
        self.form.addRow("µm per pixel", self.mpp_box)
        self.form.addRow(self.info)

        self.layer_box.activated.connect(self._choose)
        self.open_button.clicked.connect(self._ask_for_file)
        self.mpp_box.valueChanged.connect(self._set_mpp)
        events = session.state.events
        for event in (events.image, events.slide, events.mpp):
            event.connect(self._show)
        for event in (events.running, events.busy):
            event.connect(self._enable)
        layer_events = session.viewer.layers.events
        for event in (layer_events.inserted, layer_events.removed, layer_events.reordered, layer_events.renamed):
            event.connect(self._list_layers)
        self._list_layers()

    def let_go(self) -> None:
        """Stop listening to the viewer, which outlives the dock."""
        layer_events = self.session.viewer.layers.events
        for event in (layer_events.inserted, layer_events.removed, layer_events.reordered, layer_events.renamed):
            event.disconnect(self._list_layers)

    def _list_layers(self, event: Any = None) -> None:
        self._layers = self.session.image_layers()
        self.layer_box.blockSignals(True)
        self.layer_box.clear()
        self.layer_box.addItems([layer.name for layer in self._layers])
        self.layer_box.blockSignals(False)
        state = self.session.state
        if state.image is None and not state.busy:
            # The first slide that comes is the one to work on.
            usable = [layer for layer in self._layers if layer.rgb and layer.ndim == 2]
            if usable:
                self._choose_layer(usable[-1])
        self._show()

    def _choose(self, index: int) -> None:
        self._choose_layer(self._layers[index])

    def _choose_layer(self, layer: Any) -> None:
        self.message.say("")
        try:
            self.session.choose_image(layer)
        except TcgnError as error:
            self.message.fail(Failure.of(error))

    def _ask_for_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a slide", "", IMAGES)
        if path:
            self.message.say("")
            self.session.open_file(Path(path), self.message.fail)

    def _set_mpp(self, mpp: float) -> None:
        if mpp > 0 and self.session.state.slide is not None:
            self.session.set_mpp(mpp)
        else:
            self._show()

    def _show(self) -> None:
        state = self.session.state
        self.layer_box.setCurrentIndex(self._layers.index(state.image) if state.image in self._layers else -1)
        self.mpp_box.blockSignals(True)
        self.mpp_box.setValue(state.mpp or 0)
        self.mpp_box.blockSignals(False)
        self.info.setText(self._in_words())
        self._enable()

    def _in_words(self) -> str:
        slide, mpp = self.session.state.slide, self.session.state.mpp
        if slide is None:
            return "" if self._layers else "Open a slide, drop one on the viewer, or take File ▸ Open Sample ▸ TCGN."
        width, height = slide.level_dimensions[0]
        levels = len(slide.level_dimensions)
        size = f"{width} x {height} px, {levels} level{'s' if levels > 1 else ''}"
        if mpp is None:
            return f"{size}. {mpp_hint(slide)}{QUESTION}"
        return f"{size}, {width * mpp / 1000:.2f} x {height * mpp / 1000:.2f} mm; µm per pixel: {slide.mpp_source}"

    def _enable(self) -> None:
        state = self.session.state
        free = not state.running and not state.busy
        self.layer_box.setEnabled(free and bool(self._layers))
        self.open_button.setEnabled(free)
        self.mpp_box.setEnabled(free and state.slide is not None)
