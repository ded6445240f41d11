"""What processes that were killed have left: temporary files and folders, told by their names."""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

from napari_tcgn.moves import NAME_BYTES, host, move, named_after, remove_file

REPLACED = "replaced"  # in the temporary folder of a folder: what stood in its place
DAY = 24 * 3600.0  # s

_OF_PROCESS = re.compile(r"\.(.+)\.([0-9a-f]{8})-([0-9]+)-[A-Za-z0-9_]{8}(\.[^/]*)?", re.DOTALL)


def find_leftovers(folder: Path, of: Path | None = None) -> list[Path]:
    """List the temporary files and folders in a folder whose process is no more.

    Parameters
    ----------
    folder : pathlib.Path
        One that is missing or cannot be listed has none.
    of : pathlib.Path, optional
        Only those of this file or folder.

    Returns
    -------
    list of pathlib.Path
        Of this machine, those of dead processes. Of another one, whose processes nobody here can see, or where the
        number was given to a new process, those to which nothing was written for a day.
    """
    beginning = "." if of is None else named_after(of)
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name = _OF_PROCESS.fullmatch(entry.name) if entry.name.startswith(beginning) else None
            if name is None or (of is not None and named_after(Path(name[1])) != beginning):
                continue
            with suppress(OSError):
                if _is_left(name[2], int(name[3]), entry.stat(follow_symlinks=False).st_mtime):
                    found.append(Path(entry.path))
    return sorted(found)


def remove_leftovers(folder: Path, of: Path | None = None) -> int:
    """Remove what `find_leftovers` lists; returns how many are gone.

    A folder that was being replaced when its process was killed, and is missing now, is put back first.
    """
    gone = 0
    for path in find_leftovers(folder, of):
        if path.is_dir() and not path.is_symlink():
            if _holds_the_only_one(path):
                continue
            shutil.rmtree(path, ignore_errors=True)
            gone += not path.exists()
        else:
            gone += remove_file(path)
    return gone


def _holds_the_only_one(temporary: Path) -> bool:
    """Put back what a killed process has taken out of its place; tell whether it still lies here."""
    name = _OF_PROCESS.fullmatch(temporary.name)
    before = temporary / REPLACED
    if name is None or not before.is_dir() or (target := temporary.with_name(name[1])).exists():
        return False
    if len(os.fsencode(name[1])) >= NAME_BYTES:  # the rest of its name is not known
        return True
    try:
        move(before, target)
    except OSError:
        return True
    return False


def _is_left(machine: str, process: int, written: float) -> bool:
    """Tell whether a temporary file belongs to nobody any more."""
    import psutil

    if machine == host():
        if not psutil.pid_exists(process):
            return True
        try:
            if psutil.Process(process).create_time() <= written:
                return False
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            return False
    return time.time() - written > DAY
