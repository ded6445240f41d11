"""A lock on a folder that the system gives back when its owner ends, however it ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

from napari_tcgn.errors import OutputError


class FolderLock:
    """Keeps two processes from writing into the same folder.

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

    def __init__(self, path: Path, what: str) -> None:
        try:
            self._file: IO[bytes] = path.open("ab")
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error}.", "Choose another folder.") from error
        try:
            _lock(self._file)
        except OSError as error:
            self._file.close()
            raise OutputError(
                f"Another process is writing {what} at this moment.", "Wait for it to end, or choose another --out."
            ) from error

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        self._file.close()


def _lock(file: IO[bytes]) -> None:
    """Take the lock of an open file without waiting; OSError if someone else has it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
