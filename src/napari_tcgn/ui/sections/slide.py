"""Section Slide: which image, and how many µm its pixels cover."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QMessageBox, QPushButton
from superqt.utils import signals_blocked

from napari_tcgn.errors import TcgnError
from napari_tcgn.sample import sample_section
from napari_tcgn.slide import PixelSize, contradicts_file, mpp_hint, stated_mpp
from napari_tcgn.ui.actions.apart import Apart
from napari_tcgn.ui.io.dialogs import IMAGES
from napari_tcgn.ui.layers import slide_layers
from napari_tcgn.ui.sections.base import Section, text_label
from napari_tcgn.ui.sections.mpp import MppWays
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.tasks.background import Failure
from napari_tcgn.ui.widgets.controls import choice_box, number_box, set_quietly, tick_box
from napari_tcgn.ui.widgets.flow import FlowLayout

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.utils.events import Event, EventEmitter

USUAL_MPP = (0.05, 5.0)  # µm per px; others are asked about
FOLDER, APART = "slide folder", "slides_apart"  # in the dock's memory
APART_TIP = "Move the slides apart, with what lies on them, and show all; without it only the chosen one is shown"
NO_SLIDE = "Open a slide, drop one on the viewer, or open the sample."
QUESTION = (
    "How many µm does one pixel cover? The file does not say. It changes every prediction and is never assumed: "
    "type it above, find it below, or read the spots of its array (section Spots), which may tell it. "
    "The her2st images of patients B to H have 0.688."
)


class SlideSection(Section):
    """Choose an image layer or open a file; know its µm per px.

    Attributes
    ----------
    sample_opened : signal
        After the sample's slide was opened here.
    """

    sample_opened = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session, "1 · Slide")
        self._layers: list[Image] = []
        self._asks = False  # as the ways are folded at first
        self.layer_box = choice_box()
        self.layer_box.setAccessibleName("image")
        self.open_button = QPushButton("Open…")
        self.open_button.setToolTip(
            "Open an H&E image: SVS, NDPI, MRXS, SCN, BIF, TIFF (pyramids, OME), JPEG or PNG. "
            "Drop an OME-Zarr folder on the viewer."
        )
        self.sample_button = QPushButton("Open the sample")
        self.sample_button.setToolTip(
            "Open the drawn section that comes with the package, with the spots that it was measured at"
        )
        row = FlowLayout(self.layer_box, self.open_button, self.sample_button, growing=[self.layer_box])
        tip = "Side of one pixel in µm; a patch is cut by its size in µm, so this must be right"
        self.mpp_box = number_box(tip, 0, 100, decimals=4, step=0.01)
        self.mpp_box.setSpecialValueText("unknown")
        self.mpp_box.setKeyboardTracking(False)
        self.contradiction = text_label()
        self.file_button = QPushButton()
        self.file_button.setToolTip("Take the µm per pixel that the file says")
        self.ways = MppWays(session)
        self.info = text_label()
        self.apart_box = tick_box(
            "show all slides, in a row", APART_TIP, bool(session.choices.remembered.get(APART, bool, False))
        )
        self.apart = Apart(session)
        self.apart.place(self.apart_box.isChecked())
        self.form.add(row)
        self.form.add_labelled("µm per pixel", self.mpp_box)
        self.form.add(self.contradiction)
        self.form.add(self.file_button)
        self.form.add(self.info)
        self.form.add(self.ways)
        self.form.add(self.apart_box)

        self.layer_box.activated.connect(self._choose)
        self.open_button.clicked.connect(self._ask_for_file)
        self.sample_button.clicked.connect(self._open_sample)
        self.mpp_box.valueChanged.connect(self._set_mpp)
        self.file_button.clicked.connect(self._take_stated)
        self.apart_box.toggled.connect(self._place_apart)
        events = session.state.events
        for event in (events.image, events.slide, events.slide_trouble, events.mpp):
            event.connect(self._show)
        for event in (events.running, events.busy):
            event.connect(self._enable)
        for emitter in self._layer_list_events():
            emitter.connect(self._list_layers)
        self._list_layers()

    def disconnect_all(self) -> None:
        """Stop listening to the viewer, which outlives the dock."""
        for emitter in self._layer_list_events():
            emitter.disconnect(self._list_layers)
        self.ways.disconnect_all()
        self.apart.disconnect_all()

    def _layer_list_events(self) -> tuple[EventEmitter, ...]:
        events = self.session.viewer.layers.events
        return events.inserted, events.removed, events.reordered, events.renamed

    def _list_layers(self, event: Event | None = None) -> None:
        self._layers = self.session.image_layers()
        with signals_blocked(self.layer_box):
            self.layer_box.clear()
            self.layer_box.addItems([layer.name for layer in self._layers])
        state = self.session.state
        if state.image is None and not state.busy:
            # The first slide that comes is the one to work on.
            usable = [layer for layer in self._layers if slide_layers.may_be_slide(layer)]
            if usable:
                self._choose_layer(usable[-1], show=state.result_layer is None)
        self._show()

    def _choose(self, index: int) -> None:
        self._choose_layer(self._layers[index], show=True)

    def _choose_layer(self, layer: Image, show: bool = False) -> None:
        self.message.say("")
        with suppress(TcgnError):  # `_show` tells the trouble
            self.session.choose_image(layer, show)

    def _ask_for_file(self) -> None:
        remembered = self.session.choices.remembered
        path, _ = QFileDialog.getOpenFileName(self, "Open a slide", remembered.get(FOLDER, str, ""), IMAGES)
        if path:
            remembered.put(**{FOLDER: str(Path(path).parent)})
            self.message.say("")
            self.session.open_file(Path(path), self.message.fail)

    def _place_apart(self, apart: bool) -> None:
        self.session.choices.remembered.put(**{APART: apart})
        self.apart.place(apart)

    def _open_sample(self) -> None:
        self.message.say("")
        try:
            image = sample_section().image
        except TcgnError as error:
            self.message.fail(Failure.of(error))
            return
        self.session.open_file(image, self.message.fail, self.sample_opened.emit)

    def _set_mpp(self, mpp: float) -> None:
        if mpp > 0 and self.session.state.slide is not None and self._is_meant(mpp):
            self.session.set_mpp(mpp)
        else:
            self._show()

    def _take_stated(self) -> None:
        slide = self.session.state.slide
        if slide is not None and (stated := stated_mpp(slide)).mpp is not None:
            self.session.set_mpp(stated.mpp, stated.source)

    def _show_contradiction(self) -> None:
        """Say beside the number what the file says, where that is another one."""
        slide = self.session.state.slide
        contradicts = slide is not None and slide.mpp is not None and contradicts_file(slide.mpp_source)
        stated = PixelSize() if slide is None else stated_mpp(slide)
        self.contradiction.setVisible(contradicts)
        # A file may contradict itself: what it says first is taken already.
        self.file_button.setVisible(contradicts and stated.mpp is not None and stated.mpp != self.session.state.mpp)
        if slide is None or not contradicts:
            return
        self.contradiction.setText(f"⚠ {mpp_hint(slide).strip()}")
        self.file_button.setText(f"Use the file's {stated.mpp:g} µm")
        self.file_button.setToolTip(f"Take what the file says: {stated.mpp:g} µm per pixel ({stated.source})")

    def _is_meant(self, mpp: float) -> bool:
        """Ask about a value that no slide scanner has: a slip of the decimal sign changes every prediction."""
        low, high = USUAL_MPP
        if low <= mpp <= high or mpp == self.session.state.mpp:
            return True
        question = (
            f"{mpp:g} µm per pixel? Slides of tissue have {low:g} to {high:g}; a patch is cut by its size in µm, so "
            "that every prediction would be another one. Take it all the same?"
        )
        answer = QMessageBox.question(self, "µm per pixel", question)
        return answer == QMessageBox.StandardButton.Yes

    def _show(self) -> None:
        state = self.session.state
        self.layer_box.setCurrentIndex(self._layers.index(state.image) if state.image in self._layers else -1)
        tip = f"{state.image.name}\n" if state.image is not None else ""
        self.layer_box.setToolTip(
            f"{tip}The slide: an H&E image in colour. Another one shows its own spots and results"
        )
        set_quietly(self.mpp_box, state.mpp or 0)
        self._show_contradiction()
        text = self._slide_text()
        self.info.setText(text)
        self.info.setVisible(bool(text))
        asks = state.slide is not None and state.mpp is None
        if asks != self._asks:
            self._asks = asks
            self.ways.heading.setChecked(asks)
        self.ways.setVisible(state.slide is not None)
        self.apart_box.setVisible(len(self._layers) > 1)
        self._enable()

    def _slide_text(self) -> str:
        slide, mpp = self.session.state.slide, self.session.state.mpp
        if trouble := self.session.state.slide_trouble:
            return f"⚠ {trouble}"
        if slide is None:
            return "" if self._layers else NO_SLIDE
        width, height = slide.level_dimensions[0]
        levels = len(slide.level_dimensions)
        size = f"{width} x {height} px, {levels} level{'s' if levels > 1 else ''}"
        if mpp is None:
            return f"{size}. {mpp_hint(slide)}{QUESTION}"
        how = slide.mpp_source.partition("; the file says")[0]  # that stands beside the number
        return f"{size}, {width * mpp / 1000:.2f} x {height * mpp / 1000:.2f} mm; µm per pixel: {how}"

    def _enable(self) -> None:
        state = self.session.state
        free = not state.running and not state.busy
        self.layer_box.setEnabled(free and bool(self._layers))
        self.sample_button.setEnabled(free)
        self.sample_button.setVisible(not self._layers)
        self.apart_box.setEnabled(free)
        self.open_button.setEnabled(free)
        self.mpp_box.setEnabled(free and state.slide is not None)
        self.file_button.setEnabled(free)
        self.ways.setEnabled(free)
