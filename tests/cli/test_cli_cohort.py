"""Many slides: names, states, what is skipped and what goes on, here and on two worker processes."""

from __future__ import annotations

import csv
import json
import shutil
import socket
import sys
from pathlib import Path

import anndata
import numpy as np
import pytest
import threadpoolctl

from napari_tcgn.jobs import cluster
from napari_tcgn.jobs.manifest import Manifest


@pytest.fixture
def slides(section, tmp_path: Path) -> list[Path]:
    """Three slides, two of them of the same name, each with its spot table."""
    paths = []
    for folder, stem in (("day1", "T1"), ("day2", "T1"), ("day2", "T2")):
        (tmp_path / folder).mkdir(exist_ok=True)
        shutil.copy(section.image, tmp_path / folder / f"{stem}.png")
        shutil.copy(section.spots, tmp_path / folder / f"{stem}_selection.tsv")
        paths.append(tmp_path / folder / f"{stem}.png")
    return paths


@pytest.fixture
def cohort(run, colour_model, tmp_path: Path):
    """Predict slides into `out`; gives exit code, stdout, stderr and the manifest's rows."""

    def call(slides: list[Path], *more: object, grid: bool = True):
        where = ["--grid", "square", "--pitch-um", 100, "--diameter-um", 50, "--whole-slide"] if grid else []
        where += ["--mpp", 1 if grid else 2]
        found = run("predict", *slides, *where, "--model", "colours", "--out", tmp_path / "out", *more)
        return *found, rows(tmp_path / "out")

    return call


def rows(folder: Path) -> list[dict[str, str]]:
    path = folder / "manifest.csv"
    return list(csv.DictReader(path.open(encoding="utf-8"))) if path.exists() else []


def states(found) -> list[str]:
    return [row["state"] for row in found]


def test_every_slide_gets_a_result_of_its_own(cohort, slides, tmp_path: Path) -> None:
    code, out, err, found = cohort(slides)
    assert code == 0, err
    assert "3 slides: 3 done." in out
    assert [row["out"] for row in found] == ["day1_T1.h5ad", "day2_T1.h5ad", "T2.h5ad"]
    assert states(found) == ["done"] * 3
    assert [row["spots"] for row in found] == ["16"] * 3
    for row in found:
        assert anndata.read_h5ad(tmp_path / "out" / row["out"]).n_obs == 16
    assert not list((tmp_path / "out").glob("*.partial.zarr"))


def test_a_later_slide_of_the_same_name_overwrites_nothing(cohort, slides, tmp_path: Path) -> None:
    cohort(slides[:1])
    before = (tmp_path / "out" / "T1.h5ad").stat()
    code, _, err, found = cohort(slides[1:2])
    assert code == 0, err
    assert [row["out"] for row in found] == ["T1.h5ad", "day2_T1.h5ad"]
    assert (tmp_path / "out" / "T1.h5ad").stat().st_mtime_ns == before.st_mtime_ns


def test_what_is_finished_is_skipped(cohort, slides, tmp_path: Path) -> None:
    cohort(slides[:2])
    times = [path.stat().st_mtime_ns for path in sorted((tmp_path / "out").glob("*.h5ad"))]
    code, out, err, found = cohort(slides)
    assert code == 0, err
    assert "3 slides: 1 done, 2 skipped." in out
    assert states(found) == ["skipped", "skipped", "done"]
    assert [path.stat().st_mtime_ns for path in sorted((tmp_path / "out").glob("day*.h5ad"))] == times
    assert states(cohort(slides)[3]) == ["skipped"] * 3


def test_a_result_is_known_without_the_manifest(cohort, slides, tmp_path: Path) -> None:
    cohort(slides)
    for path in (tmp_path / "out").glob("manifest.*"):
        path.unlink()
    assert states(cohort(slides)[3]) == ["skipped"] * 3


@pytest.mark.parametrize("what", ["pixels", "grid", "batch size"])
def test_a_result_of_other_pixels_or_settings_is_not_skipped(cohort, slides, tmp_path: Path, what: str) -> None:
    from PIL import Image

    cohort(slides)
    more = []
    if what == "pixels":
        Image.fromarray(255 - np.asarray(Image.open(slides[0]))).save(slides[0])
    elif what == "grid":
        more = ["--origin-x-um", 20]
    else:
        more = ["--batch-size", 2]  # changes no number
    code, _, err, found = cohort(slides, *more)
    if what == "batch size":
        assert (code, states(found)) == (0, ["skipped"] * 3)
        return
    assert code == 1
    assert states(found)[0] == "failed"
    assert "exists already, but is not the result of this slide and these settings" in err
    code, _, err, found = cohort(slides, *more, "--overwrite")
    assert code == 0, err
    assert states(found) == ["done"] + (["skipped"] * 2 if what == "pixels" else ["done"] * 2)


def test_a_foreign_file_of_that_name_is_kept(cohort, slides, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "T2.h5ad").write_text("precious")
    code, _, _, found = cohort(slides)
    assert code == 1
    assert states(found) == ["done", "done", "failed"]
    assert (tmp_path / "out" / "T2.h5ad").read_text() == "precious"


def test_a_slide_that_fails_does_not_stop_the_others(cohort, slides) -> None:
    slides[1].write_bytes(b"not a picture")
    code, out, err, found = cohort(slides)
    assert code == 1
    assert "3 slides: 2 done, 1 failed." in out
    assert states(found) == ["done", "failed", "done"]
    assert found[1]["error"].startswith("T1.png ")
    last = err.strip().splitlines()[-1]
    assert last.startswith("Error: 1 of 3 slides failed. T1.png: ")
    shutil.copy(slides[0], slides[1])  # mended
    assert states(cohort(slides)[3]) == ["skipped", "done", "skipped"]


def test_an_unexpected_error_of_one_slide_is_noted_too(cohort, slides, colour_model, monkeypatch) -> None:
    import napari_tcgn.slide

    open_slide = napari_tcgn.slide.open_slide

    def fail_once(path: Path, **more: object):
        if path == slides[0]:
            raise RuntimeError("disk on fire")
        return open_slide(path, **more)

    monkeypatch.setattr(napari_tcgn.slide, "open_slide", fail_once)
    code, _, _, found = cohort(slides)
    assert (code, states(found)) == (1, ["failed", "done", "done"])
    assert found[0]["error"] == "Unexpected RuntimeError: disk on fire."


def test_stop_on_error_leaves_the_rest_waiting(cohort, slides) -> None:
    slides[1].unlink()
    code, out, _, found = cohort(slides, "--stop-on-error")
    assert code == 1
    assert states(found) == ["done", "failed", "waiting"]
    assert "1 waiting" in out


def test_ctrl_c_then_the_same_call_goes_on(cohort, slides, tmp_path: Path, colour_model, monkeypatch) -> None:
    predictor = type(colour_model().load("cpu"))
    predict, calls = predictor.predict, []

    def interrupted(self, patches: np.ndarray) -> np.ndarray:
        calls.append(len(patches))
        if len(calls) == 4:  # in the second slide
            raise KeyboardInterrupt
        return predict(self, patches)

    with monkeypatch.context() as patch:
        patch.setattr(predictor, "predict", interrupted)
        code, _, err, found = cohort(slides)
    assert code == 130
    assert "the same command goes on" in err
    assert states(found) == ["done", "waiting", "waiting"]
    assert (tmp_path / "out" / "day2_T1.h5ad.partial.zarr").is_dir()
    code, _, err, found = cohort(slides)
    assert (code, states(found)) == (0, ["skipped", "done", "done"]), err


def test_spots_of_each_slide(cohort, slides, tmp_path: Path) -> None:
    code, _, err, found = cohort(slides, "--spots", tmp_path / "{folder}" / "{stem}_selection.tsv", grid=False)
    assert code == 0, err
    assert [row["spots"] for row in found] == ["9"] * 3
    (tmp_path / "day2" / "T2_selection.tsv").unlink()
    _, _, _, found = cohort(slides, "--spots", tmp_path / "{folder}" / "{stem}_selection.tsv", grid=False)
    assert states(found) == ["skipped", "skipped", "failed"]


def test_a_table_that_changed_is_another_result(cohort, slides, tmp_path: Path) -> None:
    table = tmp_path / "day1" / "T1_selection.tsv"
    cohort(slides[:1], "--spots", table, grid=False)
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    assert states(cohort(slides[:1], "--spots", table, grid=False)[3]) == ["failed"]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--counts", "counts.tsv"], "--counts compares a single slide"),
        (["--workers", "2", "--scheduler", "tcp://x:1"], "Both --workers and --scheduler"),
        (["--workers", "0"], "workers must be at least 1"),
        (["--model", "no-such-model"], "There is no model 'no-such-model'"),
    ],
)
def test_contradictions(cohort, slides, more: list[str], sentence: str) -> None:
    grid = "--counts" not in more
    spots = [] if grid else ["--spots", "x.tsv"]
    code, _, err, found = cohort(slides, *more, *spots, grid=grid)
    assert code == 1
    assert sentence in err
    assert "done" not in states(found)


def test_one_table_for_several_slides_is_refused(cohort, slides, tmp_path: Path) -> None:
    code, _, err, _ = cohort(slides, "--spots", tmp_path / "day1" / "T1_selection.tsv", grid=False)
    assert code == 1
    assert "3 slides would get the same spots" in err


def test_several_slides_do_not_go_into_one_file(run, slides, tmp_path: Path) -> None:
    code, _, err = run("predict", *slides, "--mpp", 1, "--grid", "st", "--out", tmp_path / "all.h5ad")
    assert code == 1
    assert "3 slides cannot go into one file all.h5ad" in err


def test_options_of_a_cohort_do_nothing_to_one_file(run, slides, tmp_path: Path) -> None:
    code, _, err = run("predict", slides[0], "--mpp", 1, "--grid", "st", "--out", tmp_path / "a.h5ad", "--workers", 2)
    assert code == 1
    assert "are for several slides" in err


def test_a_slide_named_twice(cohort, slides) -> None:
    code, _, err, _ = cohort([slides[0], slides[0]])
    assert code == 1
    assert "given twice" in err


def test_two_calls_do_not_share_a_folder(cohort, slides, tmp_path: Path) -> None:
    with Manifest(tmp_path / "out"):
        code, _, err, _ = cohort(slides)
    assert code == 1
    assert "Another process is writing into" in err


def test_a_broken_manifest_is_not_overwritten(cohort, slides, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text("mine")
    code, _, err, _ = cohort(slides)
    assert code == 1
    assert "manifest.json is not JSON" in err
    assert (tmp_path / "out" / "manifest.json").read_text() == "mine"


def test_json_of_a_cohort(cohort, slides) -> None:
    code, out, err, _ = cohort(slides, "--json")
    assert code == 0, err
    assert [one["state"] for one in json.loads(out)] == ["done"] * 3


def test_one_slide_into_a_folder(cohort, slides) -> None:
    assert [row["out"] for row in cohort(slides[2:])[3]] == ["T2.h5ad"]


def test_without_distributed(cohort, slides, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err, _ = cohort(slides, "--workers", 2)
    assert code == 1
    assert 'pip install "napari-tcgn[cluster]"' in err


def test_a_scheduler_that_does_not_answer(cohort, slides, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1.0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    code, _, err, _ = cohort(slides, "--scheduler", address)
    assert code == 1
    assert f"No dask scheduler answers at {address}" in err.strip().splitlines()[-1]


def test_an_address_that_is_none(cohort, slides, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1.0)
    code, _, err, _ = cohort(slides, "--scheduler", "nonsense://x")
    assert code == 1
    assert "No dask scheduler answers at nonsense://x" in err


@pytest.fixture
def hesd(sections: Path, tmp_path: Path) -> list[Path]:
    """Three slides for a bundled model, which other processes find too; the last one is broken."""
    paths = [sections / "ST-imgs/C/C2/HE.png", sections / "ST-imgs/C/C3/HE.png", tmp_path / "broken.png"]
    paths[2].write_bytes(b"not a picture")
    return paths


@pytest.mark.slow
def test_two_workers_do_as_one_process_does(
    run, hesd: list[Path], sections: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ["--mpp", 2, "--spots", sections / "ST-spotfiles/{folder}_selection.tsv", "--model"]
    more += ["haematoxylin-her2st", "--device", "cpu"]
    # One thread here and there: a product of matrices adds in another order on two.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with threadpoolctl.threadpool_limits(1):
        assert run("predict", *hesd, *more, "--out", tmp_path / "here")[0] == 1
    code, out, err = run("predict", *hesd, *more, "--out", tmp_path / "there", "--workers", 2)
    assert code == 1
    assert "3 slides: 2 done, 1 failed." in out
    assert "[1/3] HE.png: 25 spots in" in err
    here, there = rows(tmp_path / "here"), rows(tmp_path / "there")
    for a, b in zip(here, there, strict=True):
        assert {**a, "seconds": ""} == {**b, "seconds": ""}
    for row in here[:2]:
        first, second = (anndata.read_h5ad(tmp_path / name / row["out"]) for name in ("here", "there"))
        assert first.X.tobytes() == second.X.tobytes()
        assert list(first.obs_names) == list(second.obs_names)
    code, out, _ = run("predict", *hesd[:2], *more, "--out", tmp_path / "there", "--workers", 2)
    assert (code, "2 slides: 2 skipped." in out) == (0, True)


@pytest.mark.slow
def test_a_scheduler_with_two_workers(run, hesd: list[Path], sections: Path, tmp_path: Path) -> None:
    from distributed import LocalCluster

    more = ["--mpp", 2, "--spots", sections / "ST-spotfiles/{folder}_selection.tsv", "--model"]
    more += ["haematoxylin-her2st", "--device", "cpu", "--out", tmp_path / "out"]
    with LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None, memory_limit=0) as there:
        code, out, err = run("predict", *hesd[:2], *more, "--scheduler", there.scheduler_address)
    assert code == 0, err
    assert "2 slides: 2 done." in out
    assert [anndata.read_h5ad(path).n_obs for path in (tmp_path / "out").glob("*.h5ad")] == [25, 25]
