"""Models are added once they have been loaded, listed under names of their own, and removed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from qtpy.QtWidgets import QFileDialog

from napari_tcgn.model import BUNDLED, registry

LINE = "haematoxylin-her2st"


@pytest.fixture
def own_models(tmp_path, monkeypatch) -> Path:
    """The user's model folder, empty."""
    folder = tmp_path / "own"
    monkeypatch.setattr(registry, "user_models_folder", lambda: folder)
    return folder


def copy_of(folder: Path, name: str) -> Path:
    """Copy a bundled model, under another name on its card."""
    shutil.copytree(BUNDLED / LINE, folder)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    (folder / "card.json").write_text(json.dumps(card | {"name": name}), encoding="utf-8")
    return folder


@pytest.fixture
def add(monkeypatch, kit, qtbot):
    """Return a function that adds a model with the button, and waits until it is there or refused."""

    def by_button(dock, path: Path) -> None:
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(path), ""))
        kit.click(dock.model.add_button)
        assert not dock.model.add_button.isEnabled(), "one at a time"
        qtbot.waitUntil(dock.model.add_button.isEnabled, timeout=kit.TIMEOUT)

    return by_button


def listed(dock) -> list[str]:
    box = dock.model.model_box
    return [box.itemText(i) for i in range(box.count())]


def test_a_folder_that_cannot_be_loaded_is_refused(own_models, dock_in_viewer, add, tmp_path):
    _, dock = dock_in_viewer()
    before, chosen = listed(dock), dock.session.state.model
    damaged, missing, strange = (copy_of(tmp_path / name, name) for name in ("damaged", "missing", "strange"))
    weights = json.loads((damaged / "card.json").read_text(encoding="utf-8"))["weights"]
    (damaged / weights).write_bytes(b"dust")
    (missing / weights).unlink()
    card = json.loads((strange / "card.json").read_text(encoding="utf-8"))
    (strange / "card.json").write_text(json.dumps(card | {"architecture": {"family": "abacus"}}), encoding="utf-8")
    for folder, said in ((damaged, "SHA-256"), (missing, "are missing"), (strange, "'abacus'")):
        add(dock, folder / "card.json")
        assert dock.model.message.text().startswith("⚠ Not added: ")
        assert said in dock.model.message.text()
        assert listed(dock) == before
        assert dock.session.state.model == chosen
    add(dock, copy_of(tmp_path / "good", "good") / "card.json")
    assert dock.model.message.text() == ""
    assert listed(dock) == [*before, "good"]


def test_names_are_unique_and_what_is_installed_is_chosen(own_models, dock_in_viewer, add, tmp_path):
    copy_of(own_models / "here", "installed")
    _, dock = dock_in_viewer()
    before = listed(dock)
    assert "installed" in before
    add(dock, own_models / "here" / "card.json")
    assert listed(dock) == before
    assert dock.session.state.model.source == "installed"
    assert dock.model.message.text() == "installed is in the list already."
    paths = [copy_of(tmp_path / place, "twin") for place in ("a/one", "a/two", "b/two")]
    for path in paths:
        add(dock, path / "card.json")
    add(dock, copy_of(tmp_path / "c", "installed") / "card.json")
    assert listed(dock) == [*before, "twin (one)", f"twin ({paths[1]})", f"twin ({paths[2]})", "installed (c)"]
    assert len(set(listed(dock))) == len(listed(dock))
    add(dock, paths[1] / "card.json")  # once more
    assert len(listed(dock)) == len(before) + 4
    assert dock.session.state.model.source == str(paths[1])
    assert dock.model.model_box.currentText().startswith("twin (")


def test_an_added_model_can_be_removed_and_stays_away(own_models, dock_in_viewer, add, kit, tmp_path):
    viewer, dock = dock_in_viewer()
    before = listed(dock)
    assert not dock.model.remove_button.isEnabled(), "it is installed"
    assert "installed" in dock.model.remove_button.toolTip()
    first, second = (copy_of(tmp_path / name, name) for name in ("first", "second"))
    for folder in (first, second):
        add(dock, folder / "card.json")
    viewer.window.remove_dock_widget(dock)
    _, again = dock_in_viewer()
    assert listed(again) == [*before, "first", "second"], "both are remembered"
    assert again.session.state.model.source == str(second)
    kit.click(again.model.remove_button)
    assert again.model.message.text() == f"second is no longer in the list; its files stay in {second}."
    assert (second / "card.json").is_file()
    assert listed(again) == [*before, "first"]
    assert again.model.model_box.currentText() == "first"
    kit.click(again.model.remove_button)
    assert listed(again) == before
    assert again.session.state.model.card.name == before[-1]
    assert not again.model.remove_button.isEnabled()
    _, third = dock_in_viewer()
    assert listed(third) == before


def test_a_broken_model_of_one_s_own_is_told_and_the_others_are_there(own_models, dock_in_viewer):
    (own_models / "torn").mkdir(parents=True)
    (own_models / "torn" / "card.json").write_text("{", encoding="utf-8")
    _, dock = dock_in_viewer()
    assert LINE in listed(dock)
    assert f"The model in {own_models / 'torn'} is left out" in dock.model.message.text()
