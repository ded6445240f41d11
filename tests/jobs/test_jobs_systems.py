"""A cohort on systems that do not tell capitals apart, and folders into which they put files of their own."""

from __future__ import annotations

import ntpath
import os
from pathlib import Path

from napari_tcgn.engine import path_digest
from napari_tcgn.jobs.manifest import Manifest


def test_a_slide_named_in_another_way_is_the_same_one(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os.path, "normcase", ntpath.normcase)
    with Manifest(tmp_path / "out") as manifest:
        (entry,) = manifest.enter([Path("/Slides/A.svs")])
        entry.state = "done"
        manifest.save()
    with Manifest(tmp_path / "out") as manifest:
        (again,) = manifest.enter([Path("/slides/a.SVS")])
        assert (again.state, again.out) == ("done", "A.h5ad")
        assert len(manifest.entries) == 1


def test_names_of_results_are_taken_by_every_system(tmp_path: Path) -> None:
    with Manifest(tmp_path / "out") as manifest:
        slides = [Path("/s/a:1.svs"), Path("/s/a?1.svs"), Path("/s/aux.svs")]
        assert [entry.out for entry in manifest.enter(slides)] == ["a_1.h5ad", "s_a_1.h5ad", "_aux.h5ad"]


def test_a_folder_that_was_looked_at_is_the_same_slide(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "zarr.json").write_text("{}")
    before = path_digest(tmp_path)
    for name in (".DS_Store", "0/.DS_Store", "0/._zarr.json", "Thumbs.db"):
        (tmp_path / name).write_text("of the system")
    assert path_digest(tmp_path) == before
    (tmp_path / "0" / "c").write_text("pixels")
    assert path_digest(tmp_path) != before
