"""Section Model: which model, what it says of itself, and where it runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton

from napari_tcgn.model import ModelCard, depth_skill_of, describe, skill_of
from napari_tcgn.options import PredictSettings
from napari_tcgn.slide import Slide
from napari_tcgn.spots import Spots
from napari_tcgn.trust import trusted
from napari_tcgn.ui.actions import models
from napari_tcgn.ui.sections.base import Section, text_label
from napari_tcgn.ui.sections.options import Options
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.state import ModelChoice
from napari_tcgn.ui.tasks.background import Failure
from napari_tcgn.ui.tasks.latest import Latest
from napari_tcgn.ui.widgets.card_page import CardPage
from napari_tcgn.ui.widgets.controls import choice_box
from napari_tcgn.ui.widgets.flow import FlowLayout
from napari_tcgn.ui.widgets.option_widget import option_widget
from napari_tcgn.ui.words import in_the_dock

MODELS = "Models (card.json *.safetensors *.pt *.pth);;All files (*)"
REMOVABLE = "Take the chosen model out of the list; its files stay where they are"
INSTALLED = "Only a model that was added here can be taken out of the list; the chosen one is installed"

About = tuple[Slide | None, float | None, ModelChoice | None]  # slide, its µm per px, model
AboutSpots = tuple[Spots | None, Slide | None, float | None, ModelChoice | None, str]  # and how its stain is changed


class ModelSection(Section):
    """Choose a model and the device to run it on."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "3 · Model")
        self.model_box = choice_box("The model that predicts; each brings its own gene panel")
        self.add_button = QPushButton("Add model…")
        self.add_button.setToolTip("Add a model from its card.json, or from a checkpoint with a card.json beside it")
        self.remove_button = QPushButton("Remove")
        self.card = text_label("Looking for models …")
        self.card_button = QPushButton("Card…")
        self.card_button.setToolTip(
            "Everything that the model's card says: data, protocol, best genes, licence, caveats"
        )
        self._page: CardPage | None = None
        self.warnings = text_label()
        self.warnings.setToolTip("How this slide differs from those that the model was trained on")
        self.warnings.hide()
        self._device = option_widget(PredictSettings, "device")
        self.device_box = self._device.native
        self.device = text_label("Looking for a GPU …")
        self.options = Options(session)
        row, devices = FlowLayout(self.card_button, self.add_button, self.remove_button), QHBoxLayout()
        devices.addWidget(self.device_box)
        devices.addWidget(self.device, 1)
        self.form.add(self.model_box)
        self.form.add(self.card)
        self.form.add(row)
        self.form.add(self.warnings)
        self.form.add(devices)
        self.form.add(self.options)

        self.model_box.activated.connect(self._choose)
        self.card_button.clicked.connect(self._open_card)
        self.add_button.clicked.connect(self._ask_for_model)
        self.remove_button.clicked.connect(self._remove)
        self.device_box.activated.connect(self._set_device)
        events = session.state.events
        for event in (events.models, events.model):
            event.connect(self._show)
        events.running.connect(self._enable)
        events.settings.connect(self._on_settings)
        events.running.connect(self._look_at_device)  # a run leaves other free memory behind
        events.rate.connect(self._show_device)
        for event in (events.model, events.slide, events.mpp):
            event.connect(self._look_at_domain)
        for event in (events.model, events.slide, events.mpp, events.spots, events.settings):
            event.connect(self._look_at_spots)
        self._device_text, self._adding = "", False
        self._of_slide: list[str] = []  # how it differs from the training, in sentences
        self._of_spots: list[str] = []
        self._asked: AboutSpots | None = None
        self._domain = Latest(session.background, self._warn, self._on_domain_failed)
        self._like = Latest(
            session.background, self._warn_of_spots, lambda _: None
        )  # running the model tells the failure
        models.find_models(session, self.message.fail)
        self._look_at_device()

    def _choose(self, index: int) -> None:
        self.session.state.model = self.session.state.models[index]

    def _open_card(self) -> None:
        choice = self.session.state.model
        assert choice is not None  # the button is disabled without one
        if self._page is None:
            self._page = CardPage(self)
        self._page.show_text(choice.card.name, describe(choice.card))
        self._page.show()
        self._page.raise_()

    def _ask_for_model(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Add a model", "", MODELS)
        if not path:
            return
        self.message.say(f"Loading {path} …")
        self._adding = True
        self._enable()
        models.add_model(self.session, Path(path), self._on_added, self._on_refused)

    def _on_added(self, choice: ModelChoice) -> None:
        self._adding = False
        self._enable()
        installed = not models.was_added(choice)
        self.message.say(f"{choice.card.name} is in the list already." if installed else "")

    def _on_refused(self, failure: Failure) -> None:
        self._adding = False
        self._enable()
        self.message.fail(replace(failure, sentence=f"Not added: {failure.sentence}"))

    def _remove(self) -> None:
        choice = self.session.state.model
        assert choice is not None  # the button is disabled without one
        label = self.model_box.currentText()
        models.remove_model(self.session, choice)
        self.message.say(f"{label} is no longer in the list; its files stay in {choice.source}.")

    def _show(self) -> None:
        state = self.session.state
        self.model_box.clear()
        self.model_box.addItems(models.labels(state.models))
        self._enable()
        if state.model is None:
            self.card.setText("No model is installed: add one from its card.json.")
            return
        if state.model in state.models:  # else it is being replaced by itself with another card
            self.model_box.setCurrentIndex(state.models.index(state.model))
        self.card.setText(card_lines(state.model.card))
        said = describe(state.model.card)
        self.card.setToolTip("\n".join(said[name] for name in ("Protocol", "Mind", "Cite") if name in said))
        if self._page is not None:
            self._page.show_text(state.model.card.name, said)

    def _set_device(self) -> None:
        self.session.state.choose(device=self.device_box.currentText())

    def _on_settings(self, settings: PredictSettings, before: PredictSettings) -> None:
        if settings.device != before.device:
            self._look_at_device()

    def _look_at_device(self) -> None:
        state = self.session.state
        self.device_box.setCurrentText(state.settings.device)
        if state.running:
            return
        name = state.settings.device
        # Asking for a GPU imports torch, which takes seconds.
        self.session.background.call(
            lambda: device_text(name), lambda words: self._on_device(name, words, ""),
            lambda failure: self._on_device(name, "", failure.sentence),
        )  # fmt: skip

    def _on_device(self, name: str, words: str, missing: str) -> None:
        if name == self.session.state.settings.device:  # else another one was chosen meanwhile
            self._device_text = words or f"⚠ {missing}"
            self.session.state.device_missing = missing
            self._show_device()

    def _show_device(self) -> None:
        rate = self.session.state.rate
        if self._device_text:
            self.device.setText(self._device_text + (f": about {rate:.3g} spots/s" if rate else ""))

    def _look_at_domain(self) -> None:
        """Warn in the background, because looking at the stain reads the slide."""
        state = self.session.state
        slide, mpp, model = state.slide, state.mpp, state.model
        self._warn(((slide, mpp, model), []))  # those of the slide before go at once
        if slide is None or model is None or mpp is None:
            self._domain.cancel()
            return

        def look() -> tuple[About, list[str]]:
            from napari_tcgn.engine import domain_warnings

            return (slide, mpp, model), domain_warnings(model.card, slide)

        self._domain.ask(look)

    def _warn(self, found: tuple[About, list[str]]) -> None:
        about, sentences = found
        state = self.session.state
        if about == (state.slide, state.mpp, state.model):  # else overtaken
            self._of_slide = [in_the_dock(sentence) for sentence in sentences]
            self._show_warnings()

    def _show_warnings(self) -> None:
        sentences = [*self._of_slide, *self._of_spots]
        self.warnings.setText("\n".join(f"⚠ {sentence}" for sentence in sentences))
        self.warnings.setVisible(bool(sentences))
        self.session.state.warnings = tuple(sentences)

    def _about_spots(self) -> AboutSpots:
        state = self.session.state
        stain = "none" if state.model is None else state.predict_settings().stain
        return state.spots, state.slide, state.mpp, state.model, stain

    def _look_at_spots(self) -> None:
        """Look in the background whether some of the spots are like the training, before anybody waits for all."""
        about = self._about_spots()
        if self._asked is not None and all(new is old for new, old in zip(about, self._asked, strict=True)):
            return
        self._asked, self._of_spots = about, []
        self._show_warnings()
        spots, slide, mpp, model, _ = about
        wanted = model is not None and model.card.domain.patches is not None and self.session.state.settings.domain
        if spots is None or slide is None or mpp is None or not wanted:
            self._like.cancel()
            return
        settings, models = self.session.state.predict_settings(), self.session.models

        def look() -> tuple[AboutSpots, list[str]]:
            from napari_tcgn.engine import choose_device, choose_precision, outside_warnings, sample_domain

            device = choose_device(settings.device)
            predictor = models.load(settings.model, device, choose_precision(settings.precision, device))
            found = sample_domain(slide, spots, predictor, settings.stain)
            return about, outside_warnings(found, predictor.card.name)

        self._like.ask(look)

    def _warn_of_spots(self, found: tuple[AboutSpots, list[str]]) -> None:
        about, sentences = found
        if all(new is old for new, old in zip(self._about_spots(), about, strict=True)):  # else overtaken
            self._of_spots = [in_the_dock(sentence) for sentence in sentences]
            self._show_warnings()

    def _on_domain_failed(self, failure: Failure) -> None:
        state = self.session.state
        self._warn(((state.slide, state.mpp, state.model), [failure.sentence]))

    def _enable(self) -> None:
        state = self.session.state
        for widget in (self.model_box, self.add_button, self.device_box):
            widget.setEnabled(not state.running)
        self.add_button.setEnabled(not state.running and not self._adding)
        self.card_button.setEnabled(state.model is not None)
        removable = state.model is not None and models.was_added(state.model)
        self.remove_button.setEnabled(not state.running and removable)
        self.remove_button.setToolTip(REMOVABLE if removable else INSTALLED)


def card_lines(card: ModelCard) -> str:
    """Return the two lines of a model card that one must know before a run."""
    count = int(trusted(card).sum())
    first = f"{card.tissue or 'tissue not stated'} · {len(card.genes):,} genes, {count:,} trusted"
    if card.metrics.median_pcc is None:
        return f"{first}\nheld-out accuracy: never measured"
    without_depth = depth_skill_of(card)
    return f"{first}\n{skill_of(card)}" + (f", sequencing depth taken out: {without_depth}" if without_depth else "")


def device_text(name: str) -> str:
    """Say which device a name stands for here; imports torch.

    Raises
    ------
    DeviceError
        If it is absent.
    """
    import torch

    from napari_tcgn.engine import choose_device

    device = choose_device(name)
    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(device)
        return f"{torch.cuda.get_device_name(device)}, {free / 2**30:.1f} GiB free"
    threads = torch.get_num_threads()
    return "Apple GPU (MPS)" if device == "mps" else f"CPU ({threads} thread{'s' if threads > 1 else ''})"
