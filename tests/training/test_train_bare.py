"""Training and scoring need neither the packages of results nor those of slides that are no plain images."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import importlib.abc, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        return None

sys.meta_path.insert(0, Absent())
from napari_tcgn.cli import main
main(sys.argv[1:])
"""
# Not in an image with PyTorch and the plain scientific packages (benchmarks/gpu/README.md).
ABSENT = {"anndata", "scanpy", "squidpy", "spatialdata", "dask", "zarr", "imagecodecs", "openslide", "napari", "qtpy"}


def test_a_cross_validation_without_them(tmp_path: Path) -> None:
    arguments = ["cross-validate", "--only-lines", "--data", "sample", "--config", "few-sections", "--no-cache"]
    command = [sys.executable, "-c", SCRIPT.format(names=ABSENT), *arguments, "--out", str(tmp_path / "cv")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "colour-texture-line" in (tmp_path / "cv" / "summary.csv").read_text(encoding="utf-8")
