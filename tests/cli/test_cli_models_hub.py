"""Models on the command line: packed, fetched, used by name, checked and removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.hub.conftest import COMMIT, NAME
from tests.support.hub import hub_server

from napari_tcgn.cli.app import app


@pytest.fixture
def run(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_, **__: str(tmp_path / "user"))
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)

    def called(*arguments: str) -> str:
        found = CliRunner().invoke(app, ["models", *arguments], catch_exceptions=False)
        assert found.exit_code == 0, found.output
        return found.output

    return called


def test_a_model_goes_to_a_hub_and_comes_back(run, tmp_path: Path, monkeypatch):
    packed, index = tmp_path / "packed", tmp_path / "index.json"
    assert "6 files" in run("pack", "haematoxylin-her2st", "--repo", "lab/models", "--out", str(packed))
    card = json.loads((packed / "card.json").read_text(encoding="utf-8")) | {"name": NAME}
    (packed / "card.json").write_text(json.dumps(card), encoding="utf-8")
    run("pack", str(packed), "--repo", "lab/models", "--out", str(packed.with_name("again")))
    packed = packed.with_name("again")
    entry = json.loads((packed / "entry.json").read_text(encoding="utf-8")) | {"commit": COMMIT}
    index.write_text(json.dumps({"version": 1, "models": [entry]}), encoding="utf-8")
    assert "lists no model yet" in run("search")
    assert NAME in run("search", "HER2", "homo", "--index", str(index))
    assert "None of 1 models" in run("search", "kidney", "--index", str(index))
    with hub_server() as server:
        for file in entry["files"]:
            path = f"/lab/models/resolve/{COMMIT}/{file['name']}"
            server.files[path] = (packed / file["name"]).read_bytes()
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        assert NAME in run("get", NAME, "--index", str(index))
        assert "as the index has it" in run("update", "--index", str(index))
    assert NAME in run("list")
    told = json.loads(run("check", NAME, "--json"))
    assert told["passed"]
    assert "Removed" in run("remove", NAME)
    assert NAME not in run("list")


def test_a_name_or_a_folder(run):
    from napari_tcgn.errors import SettingsError

    for arguments in (["get"], ["get", "x", "--from", "y"]):
        with pytest.raises(SettingsError):
            run(*arguments)
