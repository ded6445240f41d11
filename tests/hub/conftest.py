"""A user without models, a model of their own, and a hub that has it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.hub import HubServer, hub_server

from napari_tcgn.hub import ModelEntry, pack_model
from napari_tcgn.model import BUNDLED

NAME, COMMIT = "line-of-mine", "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody has logged in, and nobody's models are touched."""
    folder = tmp_path / "user"
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_, **__: str(folder))
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    return folder


@pytest.fixture
def own_model(tmp_path: Path) -> Path:
    """A small model that somebody has trained."""
    folder = shutil.copytree(BUNDLED / "colour-texture-line-her2st", tmp_path / "trained")
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    (folder / "card.json").write_text(json.dumps(card | {"name": NAME}), encoding="utf-8")
    return folder


@pytest.fixture
def entry(own_model: Path, tmp_path: Path) -> ModelEntry:
    """The model's entry in an index, once it was packed and put on a hub."""
    return replace(pack_model(own_model, tmp_path / "packed", repo="lab/models"), commit=COMMIT)


@pytest.fixture
def index(entry: ModelEntry, tmp_path: Path) -> Path:
    path = tmp_path / "index.json"
    write_index(path, entry)
    return path


@pytest.fixture
def hub(entry: ModelEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with hub_server() as server:
        server.put(tmp_path / "packed", entry)
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        yield server


def write_index(path: Path, *entries: ModelEntry) -> None:
    path.write_text(json.dumps({"version": 1, "models": [one.to_record() for one in entries]}), encoding="utf-8")
