"""What the program reads back of its own is not trusted: a wrong entry is a sentence, or what is kept is made anew."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_tcgn.engine import RunRecord, WorkFolder
from napari_tcgn.errors import OutputError, SettingsError, TcgnError
from napari_tcgn.hub import read_index
from napari_tcgn.jobs.manifest import Manifest
from napari_tcgn.training import read_train_settings
from napari_tcgn.training.data.patch_cache import PatchCache
from napari_tcgn.training.fit.run_folder import RunFolder
from napari_tcgn.training.fit.run_record import TrainingRecord
from napari_tcgn.ui.prefs.remembered import Remembered

KEY = "a" * 64
DEEP: Any = 1
for _ in range(40):
    DEEP = [DEEP]


def run_json(path: Path) -> object:
    folder = RunFolder(path.parent)
    return folder.check(resume=True)


def manifest(path: Path) -> object:
    with Manifest(path.parent) as found:
        return found.entries


def recipe(path: Path) -> object:
    return read_train_settings(path)


def run_record(path: Path) -> object:
    return RunRecord.from_json(path.read_text(encoding="utf-8-sig"))


# Name of the file, what is right in it, its reader, and what is raised.
KINDS: dict[str, tuple[str, dict[str, Any], Callable[[Path], object], type[TcgnError]]] = {
    "run.json": ("run.json", {}, run_json, OutputError),
    "manifest": (
        "manifest.json",
        {"slides": [{"slide": "a.svs", "out": "a.h5ad", "state": "done", "spots": 3, "seconds": 1.5, "warnings": []}]},
        manifest,
        OutputError,
    ),
    "recipe of a run": ("recipe.json", {}, recipe, SettingsError),
    "run record": ("record.json", json.loads(RunRecord().to_json()), run_record, TcgnError),
    "index": ("index.json", {"version": 1, "models": []}, read_index, TcgnError),
}
for _kind in ("run.json", "recipe of a run"):
    _name, _, _read, _error = KINDS[_kind]
    KINDS[_kind] = (_name, TrainingRecord().to_record(), _read, _error)

# Path to the entry, the wrong value.
WRONG: dict[str, list[tuple[tuple[Any, ...], Any]]] = {
    "run.json": [
        (("format",), None), (("format",), 3), (("format",), "another"),
        (("identity",), None), (("identity",), []), (("identity",), "x"),
        (("identity", "settings"), []), (("identity", "settings"), None), (("identity", "settings", "epochs"), "many"),
        (("identity", "settings", "epochs"), -1), 
        (("identity", "settings", "learning_rate"), float("nan")), (("identity", "settings", "epochs"), DEEP),
        (("identity", "held_out"), None), (("identity", "held_out"), "C2"), (("identity", "held_out"), [1]),
        (("identity", "panel"), []), (("identity", "panel", "genes"), "3"), (("identity", "spots"), {"C2": "x"}),
        (("identity", "spots"), []), (("identity", "mpp"), {"C2": None}), (("identity", "init"), 4),
        (("status",), 7), (("panel",), None), (("panel",), []), (("panel",), {"genes": "GNAS", "source": ""}),
        (("panel",), {"genes": [None], "source": ""}), (("panel",), {"genes": ["A"]}), (("data",), []),
        (("data",), {"C2": 3}), (("data",), {"C2": {"spots": "x"}}), (("data",), {"C2": {"notes": "x"}}),
        (("spots",), 3), (("spots", "train"), "x"), (("spots", "train"), 1.5), (("patch_cache",), []),
        (("patch_cache",), {"read": None}), (("processes",), "two"), (("processes",), 1e308), (("device",), []),
        (("versions",), []), (("versions",), {"torch": 3}), (("started",), 5), (("init",), "x"),
        (("init",), {"loaded": "x"}), (("resumed",), "x"), (("resumed",), [None]), (("finished",), 2),
        (("result",), []), (("result",), {"best_epoch": "x"}), (("extra",), DEEP),
    ],
    "manifest": [
        (("slides",), None), (("slides",), {}), (("slides",), "x"), (("slides",), [3]), (("slides",), [None]),
        (("slides",), [[]]), (("slides",), [{}]), (("slides",), [{"slide": "a"}]), (("slides", 0, "slide"), None),
        (("slides", 0, "slide"), 3), (("slides", 0, "out"), None), (("slides", 0, "out"), "../../x.h5ad"),
        (("slides", 0, "out"), "/etc/x.h5ad"), (("slides", 0, "out"), "x"), (("slides", 0, "out"), "a\0.h5ad"),
        (("slides", 0, "state"), "odd"), (("slides", 0, "state"), []), (("slides", 0, "spots"), "x"),
        (("slides", 0, "spots"), 1e308), (("slides", 0, "seconds"), "x"), (("slides", 0, "seconds"), float("inf")),
        (("slides", 0, "warnings"), "x"), (("slides", 0, "warnings"), [3]), (("slides", 0, "error"), None),
        (("slides", 0, "slide_sha256"), 3), (("slides", 0, "slide_bytes"), "x"), (("slides", 0, "slide_bytes"), 10**30),
        (("slides", 0, "slide_mtime_ns"), None), (("slides", 0, "extra"), DEEP),
    ],
    "recipe of a run": [
        (("identity",), None), (("identity",), []), (("identity",), {}), (("identity", "settings"), None),
        (("identity", "settings"), []), (("identity", "settings"), {}), (("identity", "settings"), {"no": 1}),
        (("identity", "settings", "epochs"), "x"), (("identity", "settings", "epochs"), [1]),
        (("identity", "settings", "epochs"), None), (("identity", "settings", "learning_rate"), float("nan")),
        (("identity", "settings", "learning_rate"), float("inf")), (("identity", "settings", "epochs"), True),
        (("identity", "settings", "loss"), "none"), (("identity", "settings", "loss"), {"a": 1}),
    ],
    "run record": [
        (("settings",), None), (("settings",), []), (("settings",), "x"), (("settings", "batch_size"), "x"),
        (("settings", "stain"), []), (("settings", "precision"), "float8"), (("model",), []), (("model",), "x"),
        (("model", "name"), 3), (("device",), None), (("batch_size",), "x"), (("batch_size",), 1.5), (("slide",), []),
        (("slide", "name"), None), (("slide", "width_px"), "x"), (("slide", "bytes"), "x"), (("mpp",), "x"),
        (("mpp",), None), (("mpp",), []), (("mpp",), float("inf")), (("mpp_source",), 3), (("spots",), []),
        (("spots",), "x"), (("spots", "count"), "x"), (("spots", "diameter_um"), "x"), (("spots", "source"), []),
        (("spots", "source"), "x"), (("versions",), []), (("versions",), {"python": 3}), (("started",), 3),
        (("seconds",), None), (("seconds",), "x"), (("spots_per_second",), "x"), (("spots_done",), None),
        (("spots_done",), "x"), (("partial",), 3), (("partial",), None), (("patch",), []), (("patch", "um"), "x"),
        (("patch", "side_px"), 1.5), (("stain",), []), (("stain",), {"a": "b"}), (("warnings",), "x"),
        (("warnings",), [3]), (("warnings",), None), (("domain",), []), (("domain",), "x"),
        (("domain",), {"spots": "x"}), (("domain",), {"level": None}), (("extra",), DEEP), (("unknown_settings",), 3),
    ],
    "index": [
        (("version",), None), (("version",), 99), (("models",), None), (("models",), {}), (("models",), [3]),
        (("models",), [{}]), (("models",), [{"name": "../x"}]),
    ],
}  # fmt: skip
TEXTS = {
    "empty": "", "no JSON": "{", "null": "null", "a list": "[]", "a number": "3", "a text": '"x"', "true": "true",
    "not a number": "NaN", "deep": "[" * 100_000, "deep objects": '{"a":' * 50_000, "cut short": '{"slides": [{"sl',
    "zeros": "\0" * 100, "a long number": "9" * 100_000,
}  # fmt: skip


def put(value: Any, where: tuple[Any, ...], wrong: Any) -> Any:
    if not where:
        return wrong
    first, rest = where[0], where[1:]
    if isinstance(value, dict):
        return {**value, first: put(value.get(first), rest, wrong)}
    return [*value[:first], put(value[first], rest, wrong), *value[first + 1 :]]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_right_is_read_also_behind_a_byte_order_mark(tmp_path: Path, kind: str) -> None:
    name, good, read, _ = KINDS[kind]
    for mark in ("", "\ufeff"):
        (tmp_path / name).write_text(mark + json.dumps(good), encoding="utf-8")
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("kind", "number"), [(kind, number) for kind, cases in WRONG.items() for number in range(len(cases))]
)
def test_a_wrong_entry_is_named(tmp_path: Path, kind: str, number: int) -> None:
    name, good, read, error = KINDS[kind]
    where, wrong = WRONG[kind][number]
    (tmp_path / name).write_text(json.dumps(put(good, where, wrong)), encoding="utf-8")
    with pytest.raises(error) as said:
        read(tmp_path / name)
    sentence = str(said.value)
    named = [part for part in where if isinstance(part, str)]
    assert any(part in sentence for part in named) or "not the record" in sentence or "lacks" in sentence, sentence
    assert len(sentence) < 1_000
    assert "Error:" not in sentence, "a library's own words"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", TEXTS)
def test_what_is_no_such_file(tmp_path: Path, kind: str, text: str) -> None:
    name, _, read, error = KINDS[kind]
    (tmp_path / name).write_text(TEXTS[text], encoding="utf-8")
    with pytest.raises(error) as said:
        read(tmp_path / name)
    assert len(str(said.value)) < 1_000


def large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2 * 2**30)  # takes no room


def pipe(path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no pipes in folders")
    os.mkfifo(path)


def utf16(path: Path) -> None:
    path.write_text("{}", encoding="utf-16")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "run record"])
@pytest.mark.parametrize("make", [large, pipe, utf16])
def test_a_file_of_2_gb_a_pipe_or_another_encoding(tmp_path: Path, kind: str, make: Callable[[Path], None]) -> None:
    name, _, read, error = KINDS[kind]
    make(tmp_path / name)
    with pytest.raises(error):
        read(tmp_path / name)


# -- recipes in TOML ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "epochs", "epochs = ", "epochs = 'x'", "epochs = []", "epochs = nan", "epochs = 1.5", "epochs = true",
        "epochs = 1979-05-27", "[epochs]\na = 1", "learning_rate = inf", "learning_rate = nan", "learning_rate = 'x'",
        "no_such = 1", "loss = 'x'", "loss = 3", "a = " + "[" * 5_000, "\0", "epochs = 1\nepochs = 2", "[[epochs]]",
        "# x\n" * 400_000, "'' = 1",
    ],
)  # fmt: skip
def test_a_wrong_recipe(tmp_path: Path, text: str) -> None:
    from napari_tcgn.options import TrainSettings

    (tmp_path / "r.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as said:
        TrainSettings(**read_train_settings(tmp_path / "r.toml"))
    assert len(str(said.value)) < 2_000


@pytest.mark.parametrize("make", [large, pipe])
def test_a_recipe_of_2_gb_or_a_pipe(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "r.toml")
    with pytest.raises(SettingsError, match=r"r\.toml cannot be read"):
        read_train_settings(tmp_path / "r.toml")


# -- work folders ---------------------------------------------------------------------------------------------------


def begun(path: Path) -> Path:
    with WorkFolder(path) as work:
        work.begin({"slide": "x"}, np.arange(5), 2, 4)
        work.add(np.arange(3), np.ones((3, 2), np.float32))
        work.flush()
    return path


def of_json(name: str, change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        file = path / name / "zarr.json"
        found = json.loads(file.read_text())
        change(found)
        file.write_text(json.dumps(found))

    return apply


def replaced(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        (path / name / "zarr.json").unlink()
        make(path / name / "zarr.json")

    return apply


def attribute(name: str, value: Any) -> Callable[[Path], None]:
    return of_json("", lambda found: found["attributes"].update({name: value}))


DAMAGE: list[Callable[[Path], None]] = [
    *(attribute("batch_size", value) for value in (None, "x", 0, -3, 1e308, [], 1.5, 10**30)),
    *(attribute("identity", value) for value in (None, "x", [], 3)),
    of_json("", lambda found: found["attributes"].clear()),
    of_json("", lambda found: found.update(node_type="array")),
    of_json("", lambda found: found.update(zarr_format="x")),
    *(
        of_json(name, lambda found, shape=shape: found.update(shape=shape))
        for name in ("done", "values", "domain_p")
        for shape in ([3], [10**12], [2, 2], [], None, "x", [-1], [5.5])
    ),
    *(
        of_json(name, lambda found, kind=kind: found.update(data_type=kind))
        for name in ("done", "values", "domain_p")
        for kind in ("int64", "complex128", "x", None, [])
    ),
    *(
        replaced(name, make)
        for name in ("", "done", "values", "domain_p")
        for make in (large, pipe, lambda path: path.write_text("[" * 100_000), lambda path: path.write_text("null"))
    ),
]


@pytest.mark.parametrize("number", range(len(DAMAGE)))
def test_a_damaged_work_folder_is_named(tmp_path: Path, number: int) -> None:
    path = begun(tmp_path / "a.h5ad.partial.zarr")
    DAMAGE[number](path)
    with pytest.raises(OutputError) as said, WorkFolder(path, resume=True) as work:
        work.begin({"slide": "x"}, np.arange(5), 2, 4)
    assert "a.h5ad.partial.zarr" in str(said.value)
    assert len(str(said.value)) < 1_000
    assert path.exists()


@pytest.mark.parametrize("name", ["done", "values", "domain_p"])
def test_a_part_of_a_work_folder_that_is_missing(tmp_path: Path, name: str) -> None:
    import shutil

    path = begun(tmp_path / "a.h5ad.partial.zarr")
    shutil.rmtree(path / name)
    if name == "domain_p":  # as of an older version
        with WorkFolder(path, resume=True) as work:
            _, done = work.begin({"slide": "x"}, np.arange(5), 2, 4)
        assert done.tolist() == [True] * 3 + [False] * 2
        return
    with pytest.raises(OutputError, match=name), WorkFolder(path, resume=True):
        pass


# -- cached entries and what the dock remembers ---------------------------------------------------------------------


@pytest.mark.parametrize("text", [*TEXTS, "2 GB", "a pipe", "another format", "another hash", "a list as hash"])
def test_a_damaged_entry_of_the_cache_is_made_anew(tmp_path: Path, text: str) -> None:
    if text == "a pipe" and not hasattr(os, "mkfifo"):
        pytest.skip("this system has no pipes in folders")
    cache, patches = PatchCache(tmp_path), np.arange(12, dtype=np.uint8).reshape(3, 4)
    cache.keep(KEY, patches, {})
    entry = tmp_path / f"{KEY}.json"
    good = json.loads(entry.read_text())
    entry.unlink()
    if text == "2 GB":
        large(entry)
    elif text == "a pipe":
        pipe(entry)
    else:
        changed = {
            "another format": {**good, "format": "x"},
            "another hash": {**good, "sha256": "0" * 64},
            "a list as hash": {**good, "sha256": []},
        }
        entry.write_text(json.dumps(changed[text]) if text in changed else TEXTS[text], encoding="utf-8")
    assert cache.find(KEY, (3, 4), np.uint8) is None
    np.testing.assert_array_equal(cache.keep(KEY, patches, {}), patches)
    if text != "a pipe":  # is no file that could be replaced: the patches stay in memory
        assert len(cache.notes) == 1
        np.testing.assert_array_equal(cache.find(KEY, (3, 4), np.uint8), patches)


@pytest.mark.parametrize("text", [*TEXTS, "2 GB", "a pipe"])
def test_a_damaged_memory_of_the_dock_is_put_aside_and_told_of_once(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_tcgn.ui.prefs import remembered as module

    told: list[str] = []
    monkeypatch.setattr(module, "show_warning", told.append)
    path = tmp_path / "dock.json"
    if text == "2 GB":
        large(path)
    elif text == "a pipe":
        pipe(path)
    else:
        path.write_text(TEXTS[text], encoding="utf-8")
    found = Remembered(path)
    assert found.get("look", dict, {}) == {}
    found.put(trusted_only=False)
    assert Remembered(path).get("trusted_only", bool, True) is False
    assert len(told) == 1
    assert "dock.json" in told[0]
    assert (tmp_path / "dock.json.damaged").exists()
