"""The example of a package with a model is installed as users do, found by its entry point, and passes its test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "napari-tcgn-example-model"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not EXAMPLE.is_dir():
        pytest.skip("the examples are not here: no checkout")
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    subprocess.run([*command, "--target", str(target), str(EXAMPLE)], check=True, capture_output=True, timeout=300)
    return target


def run(installed: Path, *arguments: str) -> str:
    path = os.pathsep.join([str(installed), *sys.path])
    found = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=300,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}, cwd=installed,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_it_is_listed_checked_and_predicts(installed, tmp_path):
    assert "redness-example 1.0: tissue not stated, 2 genes, never evaluated" in run(
        installed, "-m", "napari_tcgn", "models", "list"
    )
    told = run(installed, "-m", "napari_tcgn", "models", "check", "redness-example")
    assert "passed batches" in told
    assert "it does not say: tissue" in told
    out = tmp_path / "demo.h5ad"
    slide, spots = (
        EXAMPLE.parents[1] / "sample_data" / "section.ome.tif",
        EXAMPLE.parents[1] / "sample_data" / "section_selection.tsv",
    )
    run(installed, "-m", "napari_tcgn", "predict", str(slide), "--spots", str(spots), "--model", "redness-example",
        "--out", str(out))  # fmt: skip
    assert out.is_file()


def test_its_own_test_passes(installed):
    run(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE / "tests"))
