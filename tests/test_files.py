"""What is written whole: a failure at the last step leaves what was there before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from napari_tcgn.errors import OutputError
from napari_tcgn.files import write_whole_folder


def folder_with(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "mark").write_text(text)
    return path


def test_a_folder_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    target = folder_with(tmp_path / "result", "old")
    with write_whole_folder(target, overwrite=True, marks=("mark",)) as temporary:
        folder_with(temporary / "result", "new")
    assert (target / "mark").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_what_cannot_be_put_in_place_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = folder_with(tmp_path / "result", "old")
    replace = os.replace

    def fail_once(source: Path, place: Path) -> None:
        if Path(place) == target and Path(source).name == "result":
            raise OSError(28, "No space left on device")
        replace(source, place)

    monkeypatch.setattr(os, "replace", fail_once)
    with (
        pytest.raises(OutputError, match="cannot be written"),
        write_whole_folder(target, overwrite=True, marks=("mark",)) as temporary,
    ):
        folder_with(temporary / "result", "new")
    assert (target / "mark").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
