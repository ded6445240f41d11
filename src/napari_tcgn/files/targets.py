"""Where results go: what cannot be written there, or would be lost by it, is refused before any work is done."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from napari_tcgn import paths
from napari_tcgn.errors import OutputError
from napari_tcgn.files.untrusted import reason_of
from napari_tcgn.moves import is_held, move

LONG_PATH = 240  # of the 260 characters that Windows takes if it is not told otherwise


def check_target(path: Path, overwrite: bool = False) -> None:
    """Refuse a target that cannot be written, before any work is done for it.

    Raises
    ------
    OutputError
        If `path` exists and may not be replaced, is a folder, or its folder is missing or read-only.
    """
    try:
        _check_target(path, overwrite)
    except OSError as error:  # a name that is too long, a folder that nobody may look into
        raise refused(path, error) from error


def _check_target(path: Path, overwrite: bool) -> None:
    if paths.WINDOWS and (fault := paths.fault_on_windows(path.name)):
        raise OutputError(f"Windows takes no file called {path.name}: {fault}.", "Choose another name.")
    if path.is_dir():
        raise OutputError(f"{path} is a folder.", "Name a file in it.")
    if path.is_symlink() and not path.exists():
        raise OutputError(f"{path} is a link to {os.readlink(path)}, which does not exist.", "Choose another name.")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is no file but a device, pipe or socket.", "Choose another name.")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already.", "Choose another name or allow overwriting (--overwrite).")
    if not path.parent.is_dir():
        raise OutputError(f"The folder {path.parent} does not exist.", "Create it or choose another one.")
    _require_writable(path.parent)
    if path.exists():
        try:
            move(path, path)  # changes nothing; Windows refuses where another program has the file open
        except PermissionError as error:
            raise refused(path, error) from error


def require_no_input(targets: Iterable[Path], inputs: Iterable[Path | None]) -> None:
    """Refuse to write over what is read, whether or not overwriting is allowed: also through links and other spellings.

    Raises
    ------
    OutputError
        If a target is one of the inputs, or lies in one that is a folder.
    """
    given = [path for path in inputs if path is not None and os.path.exists(path)]
    for target in targets:
        for path in given:
            same = os.path.exists(target) and target.samefile(path)
            inside = path.is_dir() and target.resolve().is_relative_to(path.resolve())
            if same or inside:
                raise OutputError(
                    f"{target} {'is' if same else 'lies in'} {path}, which is read: it would be lost.",
                    "Choose another name.",
                )


def _require_writable(folder: Path) -> None:
    """Refuse a folder that no file can be made in; `os.access` of Windows knows nothing of its permissions."""
    writable = os.access(folder, os.W_OK)
    if writable and paths.WINDOWS:
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError:
            writable = False
    if not writable:
        raise OutputError(f"The folder {folder} cannot be written to.", "Choose another one.")


def check_folder(folder: Path, names: Iterable[str] = (), overwrite: bool = False) -> None:
    """Refuse a folder that files of these names cannot be written into, before any work is done for them.

    The folder itself may be missing: `make_folder` makes it, with those above it.

    Raises
    ------
    OutputError
        If the folder is a file or cannot be made, or one of the files cannot be written (`check_target`).
    """
    try:
        _check_folder(folder, names, overwrite)
    except OSError as error:
        raise refused(folder, error) from error


def _check_folder(folder: Path, names: Iterable[str], overwrite: bool) -> None:
    if folder.is_dir():
        for name in names:
            check_target(folder / name, overwrite)
        return
    above = next((path for path in (folder, *folder.absolute().parents) if path.exists()), None)
    if above is None:  # a drive of Windows
        raise OutputError(f"There is no {folder.absolute().anchor} here.", "Choose another folder.")
    if not above.is_dir():
        raise OutputError(f"{above} is a file, not a folder.", "Choose another folder.")
    _require_writable(above)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where they are missing.

    Raises
    ------
    OutputError
    """
    if paths.WINDOWS and not folder.is_dir() and (fault := paths.fault_on_windows(folder.name)):
        raise OutputError(f"Windows takes no folder called {folder.name}: {fault}.", "Choose another name.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {reason_of(error)}.", "Choose another one.") from error


def refused(path: Path, error: OSError) -> OutputError:
    """Say why a file or folder cannot be written, and how to go on."""
    hint = "Free space or choose another folder."
    if error.errno == errno.ENAMETOOLONG:
        hint = "Choose a shorter name."
    if is_held(error):
        hint = "Close the programs that have it open (or take away its write protection), or choose another name."
    elif paths.WINDOWS and len(str(path.absolute())) > LONG_PATH:
        hint = f"Its path has {len(str(path.absolute()))} characters, which Windows may refuse: choose a shorter one."
    return OutputError(f"{path} cannot be written: {reason_of(error)}.", hint)
