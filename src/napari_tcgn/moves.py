"""Renaming and removing files as every system allows it: Windows does neither with what is open."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import platform
import secrets
import shutil
import sys
import time
from pathlib import Path

from napari_tcgn import paths

WAITS = (0.05, 0.1, 0.2, 0.4)  # s, between tries to rename what is open elsewhere
NAME_BYTES = 180  # of the 255 that a name may have: the rest is for what tells temporary names apart
_HELD = (5, 32, 33)  # of Windows: access denied, in use, locked


def is_held(error: OSError) -> bool:
    """Tell whether Windows says that a file is open in a program, or write-protected."""
    return getattr(error, "winerror", None) in _HELD


def remove_file(path: Path) -> bool:
    """Remove a file that nobody needs any more; tells whether it is gone.

    Windows keeps one that another program, or this one, has open or mapped into memory.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def remove_folder(path: Path) -> None:
    """Remove a folder that exists, as a whole or not at all.

    Windows removes nothing that is open: of a folder with such a file the others would be gone, and what is left could
    be taken for whole. So it gets a hidden name first, which is refused while a file in it is open.

    Raises
    ------
    OSError
        If it cannot be removed.
    """
    doomed = path.with_name(f"{beginning_of_temporary(path)}{secrets.token_hex(4)}.removed")
    move(path, doomed)
    shutil.rmtree(doomed)


def move(source: Path, target: Path) -> None:
    """Rename a file or folder; a file takes the place of another.

    On Windows a virus scanner often has open for a moment what was just written, so it is tried again.

    Raises
    ------
    OSError
        If it cannot be done; nothing has changed then.
    """
    for wait in WAITS:
        try:
            os.replace(source, target)
            return
        except PermissionError as error:
            if not is_held(error):
                raise
        time.sleep(wait)
    os.replace(source, target)


def beginning_of_temporary(path: Path) -> str:
    """Return the hidden beginning of the temporary names of a file: whose they are, and of which process and machine.

    By it `files.remove_leftovers` finds what a process that was killed has left. The name is short enough for the rest.
    """
    return f"{named_after(path)}{host()}-{os.getpid()}-"


def named_after(path: Path) -> str:
    """Return how every temporary name of a file begins, whatever process made it."""
    return f".{os.fsencode(path.name)[:NAME_BYTES].decode(errors='ignore')}."


def host() -> str:
    """Return eight characters that stand for this machine: folders may be shared by several."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def exchange(one: Path, other: Path) -> bool:
    """Let two files or folders change places in one step; False where the system or its file system cannot.

    Raises
    ------
    OSError
        If one of them is missing, or may not be moved.
    """
    name, flag = {"linux": ("renameat2", 2), "darwin": ("renameatx_np", 2)}.get(sys.platform, ("", 0))
    call = getattr(ctypes.CDLL(None, use_errno=True), name, None) if name and not paths.WINDOWS else None
    if call is None:
        return False
    here = -100 if sys.platform == "linux" else -2  # AT_FDCWD
    if call(here, os.fsencode(one), here, os.fsencode(other), flag) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number))
