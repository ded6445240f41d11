"""Section Model: which model, what it says of itself, and where it runs."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QPushButton

from napari_tcgn.errors import TcgnError
from napari_tcgn.model.card import ModelCard
from napari_tcgn.settings import DeviceName
from napari_tcgn.ui.background import Failure
from napari_tcgn.ui.sections.base import Section, text_label
from napari_tcgn.ui.session import Session

MODELS = "Models (card.json *.safetensors *.pt *.pth);;All files (*)"


class ModelSection(Section):
    """Choose a model and the device to run it on."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "3 · Model")
        self.model_box = QComboBox()
        self.model_box.setToolTip("The model that predicts; each brings its own gene panel")
        self.model_box.setMinimumContentsLength(12)
        self.model_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.add_button = QPushButton("Add model…")
        self.add_button.setToolTip("Add a model from its card.json, or from a checkpoint with a card.json beside it")
        self.card = text_label("Looking for models …")
        self.device_box = QComboBox()
        self.device_box.addItems(get_args(DeviceName))
        self.device_box.setToolTip("Where the model runs; auto takes a GPU if there is one")
        self.device = text_label("Looking for a GPU …")
        models = QHBoxLayout()
        models.addWidget(self.model_box, 1)
        models.addWidget(self.add_button)
        devices = QHBoxLayout()
        devices.addWidget(self.device_box)
        devices.addWidget(self.device, 1)
        self.form.addRow(models)
        self.form.addRow(self.card)
        self.form.addRow(devices)

        self.model_box.activated.connect(self._choose)
        self.add_button.clicked.connect(self._ask_for_model)
        self.device_box.currentTextChanged.connect(self._set_device)
        events = session.state.events
        for event in (events.models, events.model):
            event.connect(self._show)
        events.running.connect(self._enable)
        events.rate.connect(self._look_at_device)
        session.find_models(self.message.fail)
        self._look_at_device()

    def _choose(self, index: int) -> None:
        self.session.state.model = self.session.state.models[index]

    def _ask_for_model(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Add a model", "", MODELS)
        if not path:
            return
        self.message.say("")
        try:
            self.session.add_model(Path(path))
        except TcgnError as error:
            self.message.fail(Failure.of(error))

    def _show(self) -> None:
        state = self.session.state
        self.model_box.clear()
        self.model_box.addItems([choice.card.name for choice in state.models])
        if state.model is None:
            self.card.setText("No model is installed: add one from its card.json.")
            return
        self.model_box.setCurrentIndex(state.models.index(state.model))
        self.card.setText(card_in_words(state.model.card))
        self.card.setToolTip("\n".join(_small_print(state.model.card)))

    def _set_device(self, name: str) -> None:
        self.session.state.device = name
        self._look_at_device()

    def _look_at_device(self) -> None:
        name = self.session.state.device
        # Asking for a GPU imports torch, which takes seconds.
        self.session.background.call(
            lambda: device_in_words(name), self._show_device, lambda failure: self.device.setText(failure.sentence)
        )

    def _show_device(self, words: str) -> None:
        rate = self.session.state.rate
        self.device.setText(words + (f", last run {rate:.1f}/s" if rate else ""))

    def _enable(self) -> None:
        for widget in (self.model_box, self.add_button, self.device_box):
            widget.setEnabled(not self.session.state.running)


def card_in_words(card: ModelCard) -> str:
    """Return the lines of a model card that one must know before a run."""
    lines = [f"{card.tissue or 'tissue not stated'} · {len(card.genes)} genes · patches of {card.patch_um:g} µm"]
    median = card.metrics.get("median_pcc")
    if median is None:
        lines.append("held-out accuracy: never measured")
    else:
        protocol = card.metrics.get("protocol", "protocol not stated").split(";")[0]  # the rest is in the tooltip
        lines.append(f"held-out median PCC {median:.2f} ({protocol})")
        without_depth = card.metrics.get("median_depth_pcc")
        if without_depth is not None:
            lines.append(f"sequencing depth taken out: {without_depth:.2f}")
    simpler = sum(map(bool, card.better_simple()))
    if simpler:
        lines.append(f"a simple model does better for {simpler} of {len(card.genes)} genes (see their tooltips)")
    lines.append(f"licence: {card.licence or 'not stated'}")
    return "\n".join(lines + [f"⚠ {caveat}" for caveat in card.caveats])


def _small_print(card: ModelCard) -> list[str]:
    return [text for text in (card.metrics.get("protocol", ""), *card.caveats, card.citation) if text]


def device_in_words(name: str) -> str:
    """Say which device a name stands for here; imports torch.

    Raises
    ------
    DeviceError
        If it is absent.
    """
    import torch

    from napari_tcgn.predict import choose_device

    device = choose_device(name)
    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(device)
        return f"{torch.cuda.get_device_name(device)}, {free / 2**30:.1f} GiB free"
    threads = torch.get_num_threads()
    return "Apple GPU (MPS)" if device == "mps" else f"CPU, {threads} thread{'s' if threads > 1 else ''}"
