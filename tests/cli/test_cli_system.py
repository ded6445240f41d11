"""Failures of the system are sentences with the right exit code: closed and full outputs, permissions, long names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_tcgn.model import BUNDLED, left_out, list_models

LONG = "x" * 300
POSIX = pytest.mark.skipif(os.name == "nt", reason="of systems with such files")


def in_shell(tail: str) -> subprocess.CompletedProcess[str]:
    command = f'"{sys.executable}" -m napari_tcgn {tail}'
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)


@POSIX
@pytest.mark.parametrize(
    ("tail", "code"),
    [
        ("models list >&-", 0),
        ("models list --nope 2>&-", 2),
        ("models list --nope >&- 2>&-", 2),
        ("models info no-such-model 2>&-", 1),
        ("models list <&-", 0),
        ("models list > /dev/full", 1),
        ("models info no-such-model 2> /dev/full", 1),
        ('models list | head -1; exit "${PIPESTATUS[1]}"', 0),
    ],
)
def test_closed_and_full_outputs(tail: str, code: int) -> None:
    found = in_shell(tail)
    assert found.returncode == code, found.stderr
    assert "Traceback" not in found.stderr
    assert "bug" not in found.stderr
    if "/dev/full" in tail and "2>" not in tail:
        assert "No space left on device" in found.stderr


def commands(long: str, tmp_path: Path) -> dict[str, list[str]]:
    sample = Path(__file__).parents[2] / "sample_data"
    slide, spots = str(sample / "section.ome.tif"), str(sample / "section_selection.tsv")
    model = ["--model", "haematoxylin-her2st"]
    out = str(tmp_path / "x.h5ad")
    return {
        "slide": ["predict", f"{long}.tif", "--spots", spots, "--out", out],
        "spots": ["predict", slide, "--spots", f"{long}.tsv", "--out", out],
        "model": ["predict", slide, "--spots", spots, "--model", long, "--out", out],
        "out": ["predict", slide, "--spots", spots, *model, "--out", f"{long}.h5ad"],
        "export of": ["export", f"{long}.h5ad", "--to", str(tmp_path / "x.csv")],
        "export to": ["export", str(sample / "section.h5ad"), "--to", f"{long}.csv"],
        "export to a folder": ["export", str(sample / "section.h5ad"), "--to", f"{long}.zarr"],
        "export into": ["export", str(sample / "section.h5ad"), "--to", f"{long}/x.csv"],
        "counts": ["compare", str(sample / "section.h5ad"), f"{long}.h5ad", "--out", str(tmp_path / "o")],
        "compare to": ["compare", str(sample / "section.h5ad"), str(sample / "section.h5ad"), "--out", long],
        "explain to": ["explain", slide, "--spots", spots, "--spot", "7x7", "--gene", "GNAS", *model, "--out", long],
        "pseudobulk": ["pseudobulk", long, "--out", str(tmp_path / "o")],
        "train on": ["train", "--data", long, "--fold", "0", "--out", str(tmp_path / "o")],
        "train to": ["train", "--data", "sample", "--fold", "0", "--out", long],
        "info": ["models", "info", long],
        "cache": ["data", "cache", "--folder", long],
        "demo": ["demo", "--out", long],
    }


@pytest.mark.parametrize("name", commands("", Path()))
def test_a_name_that_is_too_long(
    tmp_path: Path, run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, error = run(*commands(LONG, tmp_path)[name])
    assert code in (1, 2)
    assert "bug" not in error
    assert len(error.strip().splitlines()[-1]) < 1_000
    assert list(tmp_path.iterdir()) == []


def forbid(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """Let the system refuse to look into folders, as it does for others than root."""
    for name in ("stat", "listdir", "scandir", "open", "mkdir", "lstat"):
        before = getattr(os, name)

        def refuse(path=".", *given, before=before, **named):
            if not isinstance(path, int) and any(str(os.fspath(path)).startswith(str(folder)) for folder in folders):
                raise PermissionError(13, "Permission denied", str(path))
            return before(path, *given, **named)

        monkeypatch.setattr(os, name, refuse)


def test_a_home_that_nobody_may_look_into(
    tmp_path: Path, run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "NAPARI_TCGN_CACHE"):
        monkeypatch.setenv(name, str(home))
    forbid(monkeypatch, home)
    code, out, error = run("models", "list")
    assert code == 0
    assert "haematoxylin-her2st" in out
    assert "Permission denied" in error
    code, out, error = run("data", "cache")
    assert "bug" not in error
    sample = Path(__file__).parents[2] / "sample_data"
    spots = sample / "section_selection.tsv"
    code, _, error = run(
        "predict", sample / "section.ome.tif", "--spots", spots, "--model", "haematoxylin-her2st", "--out",
        tmp_path / "x.h5ad",
    )  # fmt: skip
    assert code == 0, error
    assert (tmp_path / "x.h5ad").is_file()


def test_an_unreadable_model_among_good_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    own = tmp_path / "napari-tcgn" / "models"
    for name in ("a", "b", "c"):
        shutil.copytree(BUNDLED / "haematoxylin-her2st", own / name)
    text = (own / "a" / "card.json").read_text(encoding="utf-8").replace('"haematoxylin-her2st"', '"mine"', 1)
    (own / "a" / "card.json").write_text(text, encoding="utf-8")
    (own / "b" / "card.json").write_bytes(b"\xff\xfe")
    (own / "file").touch()
    (own / "empty").mkdir()
    forbid(monkeypatch, own / "c")
    assert "mine" in [card.name for card in list_models()]
    said = [str(one) for one in left_out()]
    assert len(said) == 2
    assert any(f"{own / 'c'} is left out: it cannot be read: Permission denied" in one for one in said)
