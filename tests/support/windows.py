"""Files as Windows treats them: what is open or mapped into memory is not replaced, renamed or removed.

Used as `with open_files_are_locked():`, or for every test of a run with `pytest -p support.windows`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CAN_TELL = sys.platform == "linux"  # /proc says what this process holds
_watching = False
_hooked = False


def files_in_use() -> set[str]:
    """Return the regular files that this process has open or mapped."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:  # that of the listing itself
            continue
        if target.startswith("/") and os.path.isfile(target):
            found.add(target)
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as lines:
        found |= {line.split(maxsplit=5)[5].rstrip("\n") for line in lines if line.count("/") and len(line.split()) > 5}
    return found


def _absolute(path: Any, folder: int) -> str:
    text = os.fsdecode(path)
    if folder != -1 and not os.path.isabs(text):
        text = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), text)
    return os.path.join(os.path.realpath(os.path.dirname(os.path.abspath(text))), os.path.basename(text))


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching or event not in ("os.rename", "os.remove"):
        return
    if event == "os.rename":
        source, target, source_folder, target_folder = arguments
        touched = [_absolute(source, source_folder), _absolute(target, target_folder)]
    else:
        touched = [_absolute(*arguments)]
    for used in files_in_use():
        if any(used == path or used.startswith(f"{path}/") for path in touched):
            error = PermissionError(13, "Permission denied", used)
            error.winerror = 32  # type: ignore[attr-defined]  # ERROR_SHARING_VIOLATION
            raise error


@contextmanager
def open_files_are_locked() -> Iterator[None]:
    """Let renaming, replacing and removing of files in use fail as on Windows."""
    global _watching, _hooked
    if not CAN_TELL:
        pytest.skip("only Linux tells which files a process has open")
    if not _hooked:
        sys.addaudithook(_refuse)  # sees every way to rename or remove; it cannot be taken away again
        _hooked = True
    _watching = True
    try:
        yield
    finally:
        _watching = False


@pytest.fixture(autouse=True)
def windows_files() -> Iterator[None]:
    """The whole test with locked files."""
    with open_files_are_locked():
        yield
