"""`napari-tcgn models` and `doctor`: what they say of good, missing and damaged parts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_tcgn.cli import checks, train_data
from napari_tcgn.errors import DataError
from napari_tcgn.files import sha256_of
from napari_tcgn.model import HeldOut, ModelCard, registry


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of bundled models with one in it, and no other models."""
    from safetensors.numpy import save_file

    folder = tmp_path / "bundled" / "tiny-test"
    folder.mkdir(parents=True)
    save_file({"w": np.ones(3, np.float32)}, folder / "weights.safetensors")
    card = ModelCard(
        name="tiny-test",
        version="3",
        architecture={"family": "tcgn", "size": "tiny"},
        genes=["GNAS", "FASN", "ACTB"],
        patch_um=77.0,
        tissue="breast",
        metrics=HeldOut("C2 held out", pcc=[0.2, 0.4, None], median_pcc=0.3),
        training={"sections": ["C3", "C5"]},
        weights="weights.safetensors",
        sha256=sha256_of(folder / "weights.safetensors"),
        licence="CC BY 4.0",
        caveats=["Research use only."],
    )
    (folder / "card.json").write_text(card.to_json(), encoding="utf-8")
    # The door keeps what it was first asked for, so it is asked before the module changes.
    monkeypatch.setattr("napari_tcgn.model.BUNDLED", folder.parent)
    monkeypatch.setattr(registry, "BUNDLED", folder.parent)
    monkeypatch.setattr(registry, "user_models_folder", lambda: tmp_path / "none")
    monkeypatch.setattr(registry, "_from_packages", dict)
    return folder


def test_models_list_says_tissue_genes_and_skill(bundle: Path, run) -> None:
    assert run("models", "list") == (0, "tiny-test 3: breast, 3 genes, held-out median PCC 0.300\n", "")
    code, out, _ = run("models", "list", "--json")
    assert code == 0
    assert json.loads(out)[0]["median_pcc"] == 0.3


def test_a_broken_or_namesake_model_of_one_s_own_is_told_and_keeps_nobody_from_the_others(
    bundle: Path, run, tmp_path: Path
) -> None:
    card = (bundle / "card.json").read_text(encoding="utf-8").replace("tiny-test", "mine")
    for name, text in (("a", "{"), ("b", card), ("c", card)):
        (tmp_path / "none" / name).mkdir(parents=True)
        (tmp_path / "none" / name / "card.json").write_text(text, encoding="utf-8")
    code, out, err = run("models", "list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["tiny-test", "mine"]
    broken, namesake = err.splitlines()
    assert f"{tmp_path / 'none' / 'a'} is left out" in broken
    assert "is not JSON" in broken
    assert f"{tmp_path / 'none' / 'c'} is left out: that in {tmp_path / 'none' / 'b'} is called 'mine' too" in namesake
    assert run("models", "info", "mine")[0] == 0
    assert checks.check_models().verdict == "WARN"


def test_models_info_says_what_the_card_says(bundle: Path, run) -> None:
    code, out, _ = run("models", "info", "tiny-test")
    assert code == 0
    for text in ("77 µm", "C2 held out", "C3, C5", "FASN 0.40, GNAS 0.20", "CC BY 4.0", "Research use only."):
        assert text in out
    assert "ACTB 0" not in out  # no figure is known for it
    assert run("models", "info", bundle)[1] == out  # the same by folder
    assert ModelCard.from_json(run("models", "info", "tiny-test", "--json")[1]).name == "tiny-test"


def test_models_info_of_an_unknown_model_names_those_there_are(bundle: Path, run) -> None:
    code, out, err = run("models", "info", "nobody")
    assert (code, out) == (1, "")
    assert "There is no model 'nobody'" in err
    assert "tiny-test" in err


def test_models_info_of_a_damaged_card(bundle: Path, run) -> None:
    (bundle / "card.json").write_text("{")
    code, _, err = run("models", "info", bundle)
    assert code == 1
    assert "is not JSON" in err


def test_bundled_weights_are_compared_with_their_card(bundle: Path) -> None:
    assert checks.check_models().verdict == "PASS"
    weights = bundle / "weights.safetensors"
    weights.write_bytes(weights.read_bytes() + b"x")
    assert checks.check_models().verdict == "FAIL"
    weights.unlink()
    assert "missing" in checks.check_models().found


def test_packages_that_do_not_meet_the_requirements(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_packages().verdict == "PASS"
    needs = ["numpy<1", "no-such-package>=2", 'napari>=99; extra == "all"', "typer"]
    monkeypatch.setattr(checks, "requires", lambda _: needs)
    finding = checks.check_packages()
    assert finding.verdict == "FAIL"
    assert "no-such-package is missing" in finding.found
    assert "is not <1" in finding.found
    assert "napari" not in finding.found  # not a need of the base install


@pytest.mark.parametrize(
    ("installed", "verdict", "found"),
    [
        ({"napari": "0.9.2", "PyQt6": "6.11"}, "PASS", "napari 0.9.2, PyQt6 6.11"),
        ({"napari": "0.9.2"}, "WARN", "without a Qt binding"),
        ({}, "WARN", "only the command line works"),
    ],
)
def test_napari_and_qt(monkeypatch: pytest.MonkeyPatch, installed: dict[str, str], verdict: str, found: str) -> None:
    monkeypatch.setattr(checks, "_version", installed.get)
    finding = checks.check_napari()
    assert finding.verdict == verdict
    assert found in finding.found
    assert bool(finding.hint) == (verdict != "PASS")


def test_window_on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.sys, "platform", "linux")
    monkeypatch.setattr(checks, "find_library", lambda name: None if name == "EGL" else f"lib{name}.so")
    assert "libEGL" in checks.check_window().found
    monkeypatch.setattr(checks, "find_library", lambda name: f"lib{name}.so")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    assert "no screen" in checks.check_window().found
    monkeypatch.setenv("DISPLAY", ":0")
    assert checks.check_window().verdict == "PASS"


def test_little_disk_space(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = checks.shutil.disk_usage(".")
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: usage._replace(free=int(1e9)))
    assert checks.check_disk().verdict == "WARN"


def test_openslide_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_slides().verdict == "PASS"
    monkeypatch.setitem(sys.modules, "openslide", None)
    finding = checks.check_slides()
    assert finding.verdict == "FAIL"
    assert "openslide-bin" in finding.hint


@pytest.mark.parametrize(("installed", "verdict"), [("2026.1.1", "PASS"), (None, "WARN")])
def test_distributed_is_optional(monkeypatch: pytest.MonkeyPatch, installed: str | None, verdict: str) -> None:
    monkeypatch.setattr(checks, "_version", {"distributed": installed}.get)
    finding = checks.check_cluster()
    assert finding.verdict == verdict
    assert ("[cluster]" in finding.hint) == (verdict == "WARN")


def test_a_cache_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_TCGN_CACHE", str(tmp_path / "cache"))
    assert checks.check_cache().verdict == "PASS"
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NAPARI_TCGN_CACHE", str(tmp_path / "file"))
    finding = checks.check_cache()
    assert finding.verdict == "WARN"
    assert "NAPARI_TCGN_CACHE" in finding.hint


def test_an_error_in_a_check_is_a_fail_line() -> None:
    def check_nothing() -> checks.Finding:
        raise RuntimeError("boom")

    finding = checks.examine(check_nothing)
    assert (finding.subject, finding.verdict, finding.found) == ("nothing", "FAIL", "RuntimeError: boom")


def test_doctor_prints_a_line_per_check_and_fails_with_a_fail(run, monkeypatch: pytest.MonkeyPatch) -> None:
    good = checks.Finding("Good", "PASS", "fine")
    odd = checks.Finding("Odd", "WARN", "not quite", "Do this.")
    bad = checks.Finding("Bad", "FAIL", "broken", "Do that.")
    monkeypatch.setattr(checks, "CHECKS", (lambda: good, lambda: odd))
    assert run("doctor") == (0, "PASS  Good: fine\nWARN  Odd: not quite\n      Do this.\n", "")
    monkeypatch.setattr(checks, "CHECKS", (lambda: bad, lambda: good))
    code, out, _ = run("doctor", "--json")
    assert code == 1
    assert [line["verdict"] for line in json.loads(out)] == ["FAIL", "PASS"]


def test_doctor_here_finds_torch_and_timm() -> None:
    for check in (checks.check_python, checks.check_torch, checks.check_timm):
        finding = checks.examine(check)
        assert finding.verdict in ("PASS", "WARN"), finding
        assert finding.found


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder and a user's data folder without training data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(train_data.ENVIRONMENT, raising=False)
    monkeypatch.setattr(train_data, "user_data_folder", lambda: tmp_path / "user")
    return tmp_path


def test_training_data_is_looked_for_in_order(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"data fetch her2st.* --data sample"):
        train_data.training_folder(None)
    (nowhere / "user" / "her2st").mkdir(parents=True)
    assert train_data.training_folder(None) == nowhere / "user" / "her2st"
    (nowhere / "her2st").mkdir()
    assert train_data.training_folder(None) == Path("her2st")
    (nowhere / "mine").mkdir()
    monkeypatch.setenv(train_data.ENVIRONMENT, str(nowhere / "mine"))
    assert train_data.training_folder(None) == nowhere / "mine"
    monkeypatch.setenv(train_data.ENVIRONMENT, str(nowhere / "gone"))
    with pytest.raises(DataError, match="gone, which is no folder"):
        train_data.training_folder(None)


def test_doctor_warns_of_missing_training_data(nowhere: Path, real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_training_data().verdict == "WARN"
    monkeypatch.setenv(train_data.ENVIRONMENT, str(real_data / "her2st"))
    assert checks.check_training_data().found.startswith("4 sections in ")


def test_train_without_data_says_how_to_get_it(nowhere: Path, run) -> None:
    code, _, err = run("train", "--fold", 0)
    assert code == 1
    assert "napari-tcgn data fetch her2st" in err
    assert list(nowhere.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--data", "absent"], "absent is no folder"),
        (["--data", "."], "Error: "),  # a folder without sections
        (["--data", ".", "--epochs", "0"], "epochs must be at least 1"),
    ],
)
def test_train_refuses_what_it_cannot_use(nowhere: Path, run, arguments: list[str], sentence: str) -> None:
    code, _, err = run("train", "--fold", "C2", *arguments)
    assert code == 1
    assert sentence in err
    assert "Traceback" not in err
    assert list(nowhere.iterdir()) == []


def test_train_names_the_folds_that_are_possible(nowhere: Path, run, real_data: Path) -> None:
    code, _, err = run("train", "--fold", "A2", "--data", real_data / "her2st")
    assert code == 1
    assert "(C2)" in err
    assert list(nowhere.iterdir()) == []


def test_what_is_known_to_go_wrong_is_named(monkeypatch) -> None:
    have = {"spatialdata": "0.7.3", "dask": "2026.3.0"}
    monkeypatch.setattr(checks, "_version", have.get)
    found = checks.check_stack()
    assert (found.verdict, "cannot be imported beside this dask" in found.found) == ("WARN", True)
    have["dask"] = "2026.1.1"
    assert checks.check_stack().verdict == "PASS"
    have |= {"spatialdata": "0.8.0", "dask": "2026.8.0"}
    assert checks.check_stack().verdict == "PASS"
    have |= {"anndata": "0.13.4", "napari-spatialdata": "0.7.2"}
    found = checks.check_stack()
    assert (found.verdict, "colours nothing by a gene" in found.found) == ("WARN", True)
    have |= {"spatialdata": "0.7.3"}
    both = checks.check_stack()
    assert all(words in both.found for words in ("colours nothing by a gene", "cannot be imported beside this dask"))
    assert both.hint.endswith(found.hint)
    have |= {"spatialdata": "0.8.0", "napari-spatialdata": "0.7.3"}
    assert checks.check_stack().verdict == "PASS"
