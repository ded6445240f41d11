"""Loading a model opens no socket, and no file outside its folder."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_tcgn.errors import CheckpointError, ModelError
from napari_tcgn.model import build_encoder, list_models, load_model

BUNDLED = Path(__file__).parents[2] / "src" / "napari_tcgn" / "model" / "bundled"


@pytest.fixture(autouse=True)
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    asked: list[Any] = []

    def refuse(*given: Any, **more: Any) -> None:
        asked.append(given)
        raise OSError("no socket is to be opened")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield asked
    assert asked == []


@pytest.mark.parametrize("folder", sorted(path.name for path in BUNDLED.iterdir() if path.is_dir()))
def test_every_bundled_model_is_loaded_without_a_network(folder: str) -> None:
    model = load_model(folder, "cpu", "float32")
    assert model.card.name == folder
    assert folder in {card.name for card in list_models()}


@pytest.mark.parametrize(
    "name",
    [
        "hf-hub:MahmoodLab/UNI", "hf_hub:timm/resnet18.a1_in1k", "local-dir:/etc", "https://example.org/model",
        "../../resnet18", "/etc/passwd", "timm/resnet18", "", "resnet18\n",
    ],
)  # fmt: skip
def test_an_encoder_has_a_plain_name(name: str) -> None:
    with pytest.raises(ModelError, match="no plain name of a timm model"):
        build_encoder(name, None)


def test_a_card_cannot_lead_elsewhere(tmp_path: Path) -> None:
    folder = shutil.copytree(BUNDLED / "haematoxylin-her2st", tmp_path / "model")
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    other = shutil.copy(folder / card["weights"], tmp_path / "other.safetensors")
    for weights in ("../other.safetensors", str(other)):
        (folder / "card.json").write_text(json.dumps(card | {"weights": weights}), encoding="utf-8")
        with pytest.raises(ModelError, match="outside its folder"):
            load_model(folder, "cpu", "float32")


def test_a_giant_encoder_is_refused_before_memory_is_taken() -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match="do not fit the encoder 'vit_giant_patch14_dinov2'"):
        build_encoder("vit_giant_patch14_dinov2", {"x": torch.zeros(3)})
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # KiB; the model itself has 4.5 GB
    assert grown < 700_000, grown


def test_a_fitting_encoder_is_loaded() -> None:
    state = build_encoder("resnet10t", None).state_dict()
    again = build_encoder("resnet10t", {**state, "classifier.weight": torch.zeros(1)})
    np.testing.assert_array_equal(again.state_dict()["conv1.0.weight"], state["conv1.0.weight"])
