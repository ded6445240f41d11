"""Fixtures shared by all tests."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Two threads in all: test machines are small and shared.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")

# Patches that commands keep on disk do not go to the user's own cache.
os.environ["NAPARI_TCGN_CACHE"] = tempfile.mkdtemp(prefix="napari-tcgn-cache-")
atexit.register(shutil.rmtree, os.environ["NAPARI_TCGN_CACHE"], ignore_errors=True)

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _dask_as_it_was() -> Iterator[None]:
    """Name the test that leaves another scheduler for all dask work of the process, not those that fail after it."""
    before = _scheduler_of_dask()
    yield
    assert _scheduler_of_dask() == before, "this test has left another scheduler in dask's configuration"


def _scheduler_of_dask() -> object:
    dask = sys.modules.get("dask")
    return None if dask is None else dask.config.get("scheduler", None)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with the real sections (her2st/, wsi_svs/ …); skips where they are absent."""
    folder = Path(os.environ.get("NAPARI_TCGN_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "her2st").is_dir():
        pytest.skip(f"real data not found at {folder}; set NAPARI_TCGN_DATA to the folder that holds her2st/")
    return folder
