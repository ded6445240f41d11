"""What is packed can be put on a hub as it is, and tells nothing of the machine it was made on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.hub.conftest import NAME

from napari_tcgn.errors import CheckpointError, ModelError, OutputError
from napari_tcgn.hub import hub_licence, pack_model
from napari_tcgn.model import ModelCard, load_model


def change(folder: Path, **entries: object) -> None:
    path = folder / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | entries), encoding="utf-8")


def test_a_packed_folder(own_model, tmp_path):
    entry = pack_model(own_model, tmp_path / "packed", repo="lab/models")
    packed = tmp_path / "packed"
    assert {path.name for path in packed.iterdir()} == {
        "card.json", "model.safetensors", "domain.safetensors", "intervals.safetensors", "README.md", "entry.json",
    }  # fmt: skip
    assert load_model(packed).card.name == NAME
    readme = (packed / "README.md").read_text(encoding="utf-8")
    head, body = readme.split("\n---\n", 1)
    assert head.splitlines()[:2] == ["---", "license: cc-by-4.0"]
    assert "785 genes" in body
    assert "10.1038/s41467-021-26271-2" in body
    assert str(tmp_path) not in readme + (packed / "card.json").read_text(encoding="utf-8")
    written = json.loads((packed / "entry.json").read_text(encoding="utf-8"))
    assert (written["name"], written["genes"], written["commit"]) == (NAME, 785, "")
    assert {one["name"]: one["bytes"] for one in written["files"]} == {
        file.name: (packed / file.name).stat().st_size for file in entry.files
    }
    with pytest.raises(OutputError, match="exists already"):
        pack_model(own_model, packed)
    pack_model(own_model, packed, overwrite=True, licence="CC BY-NC 4.0")
    assert ModelCard.read(packed / "card.json").licence == "CC BY-NC 4.0"


def test_a_folder_of_something_else_is_not_replaced(own_model, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "card.json").write_text("{}")
    with pytest.raises(OutputError, match="something else"):
        pack_model(own_model, tmp_path / "photos", overwrite=True)


def test_without_a_licence_nobody_may_use_it(own_model, tmp_path):
    change(own_model, licence=" ")
    with pytest.raises(ModelError, match="no licence"):
        pack_model(own_model, tmp_path / "packed")
    assert not (tmp_path / "packed").exists()
    assert pack_model(own_model, tmp_path / "packed", licence="CC0").licence == "CC0"


@pytest.mark.parametrize(
    "entries",
    [
        {"training": {"data": "/home/anna/slides"}},
        {"training": {"recipe": {"encoder": ["weights in C:\\Users\\anna\\w.pt"]}}},
        {"caveats": ["see file:///mnt/x"]},
        {"citation": "ours (~/papers/ours.pdf)"},
        {"training": {"/Users/anna": 1}},
        {"tissue": "\\\\server\\share\\breast"},
    ],
)
def test_a_card_that_tells_of_a_machine_is_refused(own_model, tmp_path, entries):
    change(own_model, **entries)
    with pytest.raises(ModelError, match="tells of a place on your machine"):
        pack_model(own_model, tmp_path / "packed")
    assert not (tmp_path / "packed").exists()


def test_damaged_weights_are_not_packed(own_model, tmp_path):
    (own_model / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="SHA-256"):
        pack_model(own_model, tmp_path / "packed")


@pytest.mark.parametrize(
    ("licence", "name"),
    [
        ("CC BY 4.0 (training data)", "cc-by-4.0"), ("cc-by-nc-nd-4.0", "cc-by-nc-nd-4.0"), ("MIT", "mit"),
        ("CC BY-NC 4.0", "cc-by-nc-4.0"), ("Mitsubishi's own", "other"), ("", "other"), ("CC BY 4.01", "other"),
    ],
)  # fmt: skip
def test_licences_by_the_names_of_the_hub(licence, name):
    assert hub_licence(licence)[0] == name
