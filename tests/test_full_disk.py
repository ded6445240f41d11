"""A disk that is full, whatever is written: one sentence, and nothing half-written stays.

A limit to the size of a file stands for the disk: the system refuses the same calls with another number.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anndata
import numpy as np
import pytest

from napari_tcgn.cli import main
from napari_tcgn.errors import OutputError
from napari_tcgn.expression import read_prediction, write_h5ad

if sys.platform == "win32":
    pytest.skip("Windows has no limit to the size of a file", allow_module_level=True)
import resource

from napari_tcgn.sample import sample_folder

SAMPLE = sample_folder()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("full") / "result.h5ad"
    slide, spots = str(SAMPLE / "section.ome.tif"), str(SAMPLE / "section_selection.tsv")
    with pytest.raises(SystemExit) as stop:
        main(["predict", slide, "--spots", spots, "--model", "haematoxylin-her2st", "--out", str(path)])
    assert not stop.value.code
    return path


def run_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must end with a sentence; return it."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    said = capsys.readouterr()
    assert stop.value.code == 1, said.err
    assert "Traceback" not in said.err
    assert "bug" not in said.err
    return said.err.strip().splitlines()[-1]


@pytest.mark.parametrize("size", [0, 1, 700, 3_000])
@pytest.mark.parametrize("suffix", [".h5ad", ".csv", ".parquet", ".geojson", ".svg", ".png", ".pdf", ".zarr"])
@pytest.mark.parametrize("before", [True, False])
def test_export(
    result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str, size: int, before: bool
) -> None:
    out = tmp_path / f"out{suffix}"
    if before and suffix == ".zarr":
        (out / "images").mkdir(parents=True)
        (out / "zarr.json").write_text('{"attributes": {"spatialdata_attrs": {}}}')
    elif before:
        out.write_text("of before")
    with files_of_at_most(size):
        said = run_refused(["export", str(result), "--to", str(out), "--genes", "GNAS", "--overwrite"], capsys)
    assert said.startswith(f"Error: {out} cannot be written: File too large."), said
    assert [path.name for path in tmp_path.iterdir()] == ([out.name] if before else [])
    if before and suffix != ".zarr":
        assert out.read_text() == "of before"


@pytest.mark.parametrize("size", [0, 700, 5_000])
def test_predict(tmp_path: Path, capsys: pytest.CaptureFixture[str], size: int) -> None:
    slide, spots = str(SAMPLE / "section.ome.tif"), str(SAMPLE / "section_selection.tsv")
    with files_of_at_most(size):
        said = run_refused(
            ["predict", slide, "--spots", spots, "--model", "haematoxylin-her2st", "--out", str(tmp_path / "x.h5ad")],
            capsys,
        )
    assert "x.h5ad" in said
    assert "File too large" in said
    assert not (tmp_path / "x.h5ad").exists()


@pytest.mark.parametrize("command", ["explain", "explain-gene", "pseudobulk"])
@pytest.mark.parametrize("size", [0, 3_000])
def test_folders(result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, size: int) -> None:
    slide = str(SAMPLE / "section.ome.tif")
    given = {
        "explain": [slide, "--spots", str(result), "--spot", "7x7", "--gene", "GNAS", "--model", "haematoxylin-her2st"],
        "explain-gene": [str(result), slide, "--gene", "GNAS"],
        "pseudobulk": [str(result)],
    }[command]
    with files_of_at_most(size):
        said = run_refused([command, *given, "--out", str(tmp_path / "out")], capsys)
    assert "cannot be written: File too large" in said
    assert list(tmp_path.iterdir()) == []


def h5ad_parts() -> anndata.AnnData:
    adata = anndata.AnnData(np.random.default_rng(0).random((300, 40), np.float32))
    adata.obs["name"] = [f"a spot {n}" for n in range(300)]
    adata.uns["deep"] = {"a": {"b": np.arange(3_000)}}
    return adata


@pytest.mark.parametrize("size", [1, 500, 2_000, 8_000, 12_000, 20_000, 35_000, 60_000, 80_000])
def test_an_h5ad_that_ends_anywhere(tmp_path: Path, size: int, capsys: pytest.CaptureFixture[str]) -> None:
    """h5py tells of it in several ways: as the system does, as its own, and as tracebacks of what it cannot close."""
    hooks = sys.excepthook, sys.unraisablehook
    with files_of_at_most(size), pytest.raises(OutputError, match=r"x\.h5ad cannot be written: File too large"):
        write_h5ad(h5ad_parts(), tmp_path / "x.h5ad")
    assert (sys.excepthook, sys.unraisablehook) == hooks
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == ""


def test_other_faults_of_a_value_are_no_full_disk(result: Path, tmp_path: Path) -> None:
    adata = read_prediction(result)
    adata.uns["odd"] = object()
    with pytest.raises(OutputError, match="it would hold what an"):
        write_h5ad(adata, tmp_path / "x.h5ad")
