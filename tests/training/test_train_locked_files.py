"""A training where, as on Windows, no file is replaced or removed that is open or mapped into memory."""

from __future__ import annotations

import gzip
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from napari_tcgn.errors import DataError, SettingsError
from napari_tcgn.model import read_checkpoint
from napari_tcgn.training.data.cut import unpacked
from napari_tcgn.training.data.own_sections import read_manifest
from napari_tcgn.training.fit.group import join_group
from napari_tcgn.training.fit.run_folder import RunFolder
from support.runs import FAST, finish, start, stop_after_an_epoch
from support.windows import files_in_use, open_files_are_locked


def test_a_run_is_stopped_resumed_and_ended(dataset, tmp_path, genes) -> None:
    settings = replace(FAST, epochs=2)
    with open_files_are_locked():
        stop_after_an_epoch(start(dataset, tmp_path / "run", genes, settings, cache=tmp_path / "cache"))
        told, result = finish(start(dataset, tmp_path / "run", genes, settings, cache=tmp_path / "cache", resume=True))
        assert (result.model_folder / "card.json").is_file()
        # Again, with the model of before in memory, as a notebook has it.
        weights = read_checkpoint(result.model_folder / "model.safetensors")
        finish(start(dataset, tmp_path / "run", genes, settings, cache=tmp_path / "cache", resume=True))
    assert told
    assert weights


def test_weights_in_memory_hold_no_file(dataset, tmp_path, genes) -> None:
    with open_files_are_locked():
        _, result = finish(start(dataset, tmp_path / "run", genes, replace(FAST, epochs=1)))
        kept = read_checkpoint(result.model_folder / "model.safetensors")
        best = RunFolder(result.out).best_weights(result.best_epoch)
        assert not {path for path in files_in_use() if path.startswith(str(tmp_path))}
    assert kept
    assert best


def fail_with_the_copy_open(image: Path, stack: ExitStack) -> None:
    with unpacked(image) as copy:
        raise ValueError(stack.enter_context(copy.open("rb")).read().decode())


def test_an_unpacked_image_that_is_still_open_is_no_error_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "image.png.gz").write_bytes(gzip.compress(b"no image"))
    with open_files_are_locked(), ExitStack() as stack, pytest.raises(ValueError, match="no image"):
        fail_with_the_copy_open(tmp_path / "image.png.gz", stack)


def test_looking_into_a_new_folder_does_not_make_it_a_used_one(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").write_text("of the Finder")
    RunFolder(tmp_path).check(resume=False)


def test_sections_whose_runs_would_share_a_folder(tmp_path: Path) -> None:
    for names in (("a1", "A1"), ("a:1", "a_1")):
        rows = "".join(f"{name},P{i},image.png,counts.tsv\n" for i, name in enumerate(names))
        (tmp_path / "sections.csv").write_text("section,patient,image,counts\n" + rows)
        with pytest.raises(DataError, match=r"names section .* twice") as caught:
            read_manifest(tmp_path)
        assert "capitals" in caught.value.hint


def test_processes_that_cannot_share_their_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.distributed, "is_nccl_available", lambda: False)
    with pytest.raises(SettingsError, match="NCCL"):
        join_group("cuda", 32)
    with pytest.raises(SettingsError, match="Apple GPU"):
        join_group("mps", 32)
