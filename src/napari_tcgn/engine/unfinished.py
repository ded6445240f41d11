"""Work folders that interrupted runs have left."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_tcgn.engine.lock import lock_folder
from napari_tcgn.engine.work import SUFFIX
from napari_tcgn.errors import OutputError


@dataclass(frozen=True, slots=True)
class UnfinishedRun:
    """What a run that was interrupted has kept.

    Attributes
    ----------
    folder : pathlib.Path
    done, spots : int
        How many of its spots are predicted; 0 of 0 where that cannot be read.
    """

    folder: Path
    done: int
    spots: int


def unfinished_runs(folder: Path) -> list[UnfinishedRun]:
    """List the work folders beside results in a folder that no process is writing."""
    return [
        UnfinishedRun(path, *_progress(path))
        for path in sorted(folder.glob(f"*{SUFFIX}"))
        if path.is_dir() and not _in_use(path)
    ]


def _in_use(path: Path) -> bool:
    if not (path / "lock").is_file():
        return False
    try:
        lock_folder(path / "lock", path.name).release()
    except OutputError:
        return True
    return False


def _progress(path: Path) -> tuple[int, int]:
    import zarr

    with suppress(Exception):  # what is damaged is told of by the run that goes on with it
        group: Any = zarr.open_group(path, mode="r")
        done = np.asarray(group["done"][:], bool)
        return int(done.sum()), len(done)
    return 0, 0
