"""Models fetched from a hub that works, and from one that does not."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.hub.conftest import COMMIT, NAME, write_index
from tests.support.hub import HubServer, hub_server

from napari_tcgn.engine import run_to_end
from napari_tcgn.errors import DataError, LicenceError, ModelError, OutputError
from napari_tcgn.hub import ModelEntry, get_model_from, get_model_steps, outdated, read_index, remove_model
from napari_tcgn.model import list_models, load_model


def fetch(index: Path, **more: object) -> Path:
    return run_to_end(get_model_steps(NAME, index=index, **more))


def left_behind(user: Path) -> list[str]:
    return sorted(path.name for path in (user / "models").glob("*")) if (user / "models").exists() else []


def test_what_is_packed_and_fetched_predicts_the_same_bytes(hub, index, entry, own_model, user_folder):
    told: list[tuple[int, int]] = []
    place = run_to_end(get_model_steps(NAME, index=index), lambda step: told.append((step.done, step.total)))
    assert place == user_folder / "models" / NAME
    assert NAME in {card.name for card in list_models()}
    patches = np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(load_model(NAME).predict(patches), load_model(own_model).predict(patches))
    assert told[-1] == (entry.size, entry.size)
    assert told == sorted(told)
    assert left_behind(user_folder) == [NAME]
    with pytest.raises(ModelError, match="already"):
        fetch(index)
    assert remove_model(NAME) == place
    assert left_behind(user_folder) == []
    assert fetch(index).is_dir()


def test_a_cut_connection_is_gone_on_with(hub, index, entry, user_folder):
    hub.break_after = 3_000
    with pytest.raises(DataError, match="ended after 3000 of"):
        fetch(index)
    assert NAME not in left_behind(user_folder), "nothing half-fetched is found by name"
    hub.break_after = None
    hub.seen.clear()
    fetch(index)
    assert ("bytes=3000-") in {asked for _, _, asked in hub.seen}
    assert left_behind(user_folder) == [NAME]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"status": 404}, "404"),
        ({"status": 401}, "log in"),
        ({"status": 403}, "Ask for access"),
        ({"status": 503}, "503"),
        ({"page": True}, "a web page"),
        ({"elsewhere": "ftp://127.0.0.1"}, "not as safe"),
    ],
)
def test_a_hub_that_sends_something_else(hub, index, user_folder, wrong, words):
    for name, value in wrong.items():
        setattr(hub, name, value)
    with pytest.raises(DataError, match=words):
        fetch(index)
    assert NAME not in left_behind(user_folder)


def test_another_file_than_the_index_names_is_refused(hub, index, entry, user_folder):
    path = f"/{entry.repo}/resolve/{COMMIT}/model.safetensors"
    hub.files[path] = hub.files[path][:-1] + b"x"
    with pytest.raises(DataError, match=r"model.safetensors should have the id .* fetched content with id"):
        fetch(index)
    hub.files[path] += b" and more without end" * 100_000
    with pytest.raises(DataError, match="should have the id"):
        fetch(index)
    assert NAME not in left_behind(user_folder)


def test_a_token_goes_to_the_hub_and_to_nobody_else(hub, index, monkeypatch, capsys):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_secret")
    with hub_server() as other:
        other.files = hub.files
        hub.elsewhere = other.address
        place = fetch(index)
        assert {told for _, told, _ in hub.seen} == {"Bearer hf_secret"}
        assert {told for _, told, _ in other.seen} == {None}
    assert all(b"hf_secret" not in path.read_bytes() for path in place.iterdir())
    assert "hf_secret" not in "".join(capsys.readouterr())


def test_no_room(hub, index, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(OutputError, match=r"needs .* MB and .* has 0 MB left"):
        fetch(index)


def test_an_unreachable_hub(index, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"cannot be fetched: .*Check the connection"):
        fetch(index)


def test_conditions_are_accepted_once(hub, entry, tmp_path):
    index = tmp_path / "strict.json"
    write_index(index, replace(entry, licence="CC BY-NC-ND 4.0"))
    with pytest.raises(LicenceError, match=r"CC BY-NC-ND 4\.0"):
        fetch(index)
    assert hub.seen == []
    fetch(index, accept_licence=True)
    fetch(index, overwrite=True)  # remembered
    write_index(index, replace(entry, licence="CC BY-NC 4.0, and no use on Sundays"))
    with pytest.raises(LicenceError, match="Sundays"):
        fetch(index, overwrite=True)


def test_to_a_machine_without_a_network(hub, index, tmp_path, user_folder, monkeypatch):
    carried = fetch(index, to=tmp_path / "stick")
    assert carried == tmp_path / "stick" / NAME
    assert left_behind(user_folder) == []
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("no connection is to be opened"))
    place = get_model_from(carried)
    assert json.loads((place / "origin.json").read_text())["commit"] == COMMIT
    assert NAME in {card.name for card in list_models()}
    damaged = carried / "domain.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="not the file that the index names"):
        get_model_from(carried, overwrite=True)
    assert load_model(NAME).card.name == NAME, "what was there stays"


def test_a_trained_model_is_taken_over(own_model, user_folder):
    assert get_model_from(own_model) == user_folder / "models" / NAME
    assert not (user_folder / "models" / NAME / "origin.json").exists()
    (own_model / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"lacks model.safetensors"):
        get_model_from(own_model, overwrite=True)


def test_an_update_takes_what_the_index_has_now(hub, index, entry, tmp_path):
    fetch(index)
    assert outdated(index) == []
    later = replace(entry, commit="f" * 40)
    write_index(index, later)
    hub.put(tmp_path / "packed", later)
    assert [(old.commit, new.commit) for old, new in outdated(index)] == [(COMMIT, "f" * 40)]
    fetch(index, overwrite=True)
    assert outdated(index) == []


def test_only_own_models_are_removed(user_folder):
    with pytest.raises(ModelError, match="bundled"):
        remove_model("haematoxylin-her2st")
    with pytest.raises(ModelError, match="no model 'nothing'"):
        remove_model("nothing")


def test_a_link_is_removed_and_not_what_it_leads_to(own_model, user_folder):
    (user_folder / "models").mkdir(parents=True)
    (user_folder / "models" / "link").symlink_to(own_model, target_is_directory=True)
    remove_model(NAME)
    assert (own_model / "card.json").is_file()
    assert left_behind(user_folder) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"commit": "main"}, "a branch or tag may move"),
        ({"repo": "../etc"}, "ORGANISATION/NAME"),
        ({"name": "../../evil"}, "letters, digits"),
        ({"files": [{"name": "../x", "bytes": 3, "sha256": "0" * 64}] * 2}, "without a folder"),
        ({"files": [{"name": "x", "bytes": True, "sha256": "0" * 64}] * 2}, "a whole number"),
        ({"files": [{"name": "x", "bytes": 3, "sha256": "0" * 63}] * 2}, "64 hexadecimal digits"),
        ({"files": [{"name": "x", "sha256": "0" * 64}] * 2}, "lacks bytes"),
        ({"licence": None}, "text of 1 to"),
        ({"genes": "many"}, "a whole number"),
        ({"extra": "x" * 5}, None),
    ],
)
def test_an_index_is_not_believed(tmp_path, entry: ModelEntry, change, words):
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"version": 1, "models": [entry.to_record() | change]}), encoding="utf-8")
    if words is None:
        assert read_index(path)[0].name == NAME  # what later versions add is no fault
        return
    with pytest.raises(ModelError, match=words):
        read_index(path)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"models": 3}', '{"version": 2, "models": []}', "[" * 100_000])
def test_what_is_no_index(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match="index"):
        read_index(path)


def test_the_index_that_comes_along_opens_no_connection(monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("no connection is to be opened"))
    assert read_index() == []


def test_an_index_by_its_address(hub: HubServer, index: Path):
    hub.files["/index.json"] = index.read_bytes()
    assert [one.name for one in read_index(f"{hub.address}/index.json")] == [NAME]
    hub.page = True
    with pytest.raises(ModelError, match="is not JSON"):
        read_index(f"{hub.address}/index.json")
