"""What makes two jobs the same, where their files are, and what the manifest of a cohort says of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from napari_tcgn.jobs.cohort import run_cohort
from napari_tcgn.jobs.job import Job, job_digest
from napari_tcgn.jobs.manifest import Entry, Manifest
from napari_tcgn.model import registry
from napari_tcgn.options import PredictSettings


def test_the_positions_of_a_visium_folder_decide_what_is_the_same_job(colour_model, tmp_path: Path) -> None:
    positions = tmp_path / "outs" / "spatial" / "tissue_positions.csv"
    positions.parent.mkdir(parents=True)
    positions.write_text("first")
    job = Job(tmp_path / "s.png", tmp_path / "s.h5ad", PredictSettings(model="colours"), spots=tmp_path / "outs")
    before = job_digest(job)
    (tmp_path / "outs").rename(tmp_path / "moved")
    assert job_digest(replace(job, spots=tmp_path / "moved")) == before
    (tmp_path / "moved" / "spatial" / "tissue_positions.csv").write_text("second")
    assert job_digest(replace(job, spots=tmp_path / "moved")) != before
    assert job_digest(replace(job, roi=tmp_path / "absent.geojson")) != before


def test_the_genes_decide_what_is_the_same_job(colour_model, tmp_path: Path) -> None:
    def digest(genes: str) -> str:
        return job_digest(Job(tmp_path / "s.png", tmp_path / "s.h5ad", PredictSettings(model="colours", genes=genes)))

    (tmp_path / "list.txt").write_text("RED\nBLUE\n")
    assert digest("RED,BLUE") == digest(str(tmp_path / "list.txt")) != digest("all")
    assert digest("RED") not in (digest("RED,BLUE"), digest("all"))


def test_jobs_name_their_files_so_that_a_worker_elsewhere_finds_them(
    colour_model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "day1").mkdir()
    (tmp_path / "day1" / "T1.png").write_bytes(b"a slide")
    given = Job(Path("day1/T1.png"), Path("x"), PredictSettings(model="model"), spots=Path("s"), roi=Path("r"))
    got: list[Job] = []

    def runner(todo):
        got.extend(job for _, job in todo)
        yield from ()

    list(run_cohort([given], Path("out"), runner))
    assert [got[0].slide, got[0].spots, got[0].roi] == [tmp_path / "day1/T1.png", tmp_path / "s", tmp_path / "r"]
    assert (got[0].out, got[0].settings.model) == (tmp_path / "out" / "T1.h5ad", str(tmp_path / "model"))
    (tmp_path / "colours").mkdir()  # a known name wins over a folder, as when it is loaded
    assert registry.from_anywhere("colours") == "colours"


def test_what_was_running_when_the_machine_went_down_is_waiting(tmp_path: Path) -> None:
    with Manifest(tmp_path) as manifest:
        manifest.entries["/a/x.png"] = Entry("/a/x.png", "x.h5ad", state="running")
        manifest.save()
    with Manifest(tmp_path) as manifest:
        assert manifest.entries["/a/x.png"].state == "waiting"


def test_names_that_differ_only_in_case_are_kept_apart(tmp_path: Path) -> None:
    with Manifest(tmp_path) as manifest:
        found = manifest.enter([Path("/a/T1.png"), Path("/b/t1.png"), Path("/a/T1.tif"), Path("/c/A_T1.png")])
    assert len({entry.out.casefold() for entry in found}) == 4
