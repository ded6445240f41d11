"""A lock on a folder that the system gives back when its owner ends, however it ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_tcgn.errors import OutputError

if TYPE_CHECKING:
    from filelock import BaseFileLock


def lock_folder(path: Path, what: str) -> BaseFileLock:
    """Keep other processes from writing into a folder, until `release` is called.

    Parameters
    ----------
    path : pathlib.Path
        Lock file; it stays when the lock is given back, because removing it would race with the next owner.
    what : str
        What is locked, for the message.

    Raises
    ------
    OutputError
        If another process holds it, or the file cannot be made.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, thread_local=False)  # whichever thread ends a run gives it back
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise OutputError(
            f"Another process is writing {what} at this moment.", "Wait for it to end, or choose another --out."
        ) from error
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error}.", "Choose another folder.") from error
    return lock
