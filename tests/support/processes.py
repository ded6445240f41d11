"""What a Python of its own needs to import the package and this folder."""

from __future__ import annotations

import os
from pathlib import Path

import napari_tcgn

TESTS = Path(__file__).resolve().parents[1]
SOURCE = Path(napari_tcgn.__file__).resolve().parents[1]


def environment(**more: object) -> dict[str, str]:
    """Return this process's variables with `support` and the package on Python's path, and with `more`."""
    path = os.pathsep.join([str(SOURCE), str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"} | {name: str(v) for name, v in more.items()}
