"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_tcgn.errors import OutputError
from napari_tcgn.files.leftovers import REPLACED, remove_leftovers
from napari_tcgn.files.targets import check_target, make_folder, refused
from napari_tcgn.moves import beginning_of_temporary, exchange, move, remove_file

SUFFIX_LENGTH = 20  # of a temporary name: writers tell the format by it


@contextmanager
def write_whole(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` when the block ends without an error.

    Raises
    ------
    OutputError
        If `path` may not or cannot be written.
    """
    path = Path(path)
    check_target(path, overwrite)
    try:
        remove_leftovers(path.parent, of=path)
        suffix = path.suffix if len(path.suffix) <= SUFFIX_LENGTH else ""
        handle, name = tempfile.mkstemp(prefix=beginning_of_temporary(path), suffix=suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise refused(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; a result is as readable as any other file of the user.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        move(temporary, path)
    except OSError as error:
        raise refused(path, error) from error
    finally:
        remove_file(temporary)  # whatever went wrong is told, not that its file cannot be removed


def write_text_whole(path: Path, text: str, overwrite: bool = False) -> None:
    """Write a text as UTF-8, with its line ends as they are: on every system the same bytes.

    Raises
    ------
    OutputError
        As `write_whole`.
    """
    with write_whole(path, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


@contextmanager
def write_whole_folder(path: Path, overwrite: bool = False, marks: tuple[str, ...] = ()) -> Iterator[Path]:
    """Give a temporary folder beside `path`; what the block makes there as `path.name` takes the place of `path`.

    Parameters
    ----------
    path : pathlib.Path
        The folder to be written.
    overwrite : bool
        Whether an existing one may be replaced.
    marks : tuple of str
        Only a folder that holds one of these files is replaced: no other is of the kind that is written.

    Raises
    ------
    OutputError
        If `path` may not or cannot be written.
    """
    path = Path(path)
    if path.is_dir():
        if not overwrite:
            raise OutputError(f"{path} exists already.", "Choose another name or allow overwriting (--overwrite).")
        if not any((path / mark).is_file() for mark in marks):
            raise OutputError(f"The folder {path} holds something else and is not replaced.", "Choose another name.")
        check_target(path.parent / f".{path.name}.new", overwrite=True)
    else:
        check_target(path, overwrite)
    try:
        remove_leftovers(path.parent, of=path)
        temporary = Path(tempfile.mkdtemp(prefix=beginning_of_temporary(path), dir=path.parent))
    except OSError as error:
        raise refused(path, error) from error
    try:
        yield temporary
        _put_folder(temporary / path.name, path, temporary / REPLACED)
    except OSError as error:
        raise refused(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def put_in_place(source: Path, target: Path) -> None:
    """Let a file take the place of another, or of none.

    Raises
    ------
    OutputError
        If it cannot; the other one stays.
    """
    try:
        move(source, target)
    except OSError as error:
        raise refused(target, error) from error


def _put_folder(new: Path, path: Path, aside: Path) -> None:
    """Let a folder take the place of another, or of none; at every moment there is the old one or the new one.

    Where the two cannot change places in one step (Windows, some network folders), the old one lies aside for a moment;
    `remove_leftovers` puts it back if a kill comes just then.
    """
    if not path.exists():
        move(new, path)
        return
    if exchange(new, path):
        return
    move(path, aside)
    try:
        move(new, path)
    except BaseException:
        move(aside, path)  # what was there before stays
        raise


@contextmanager
def write_together(folder: Path) -> Iterator[Path]:
    """Give a temporary folder; the files that the block writes there get into `folder` when it ends without an error.

    So a disk that is full in the middle leaves none of them. `folder` is made where it is missing, and taken away again
    where nothing got into it. Whether files in it may be replaced is `check_folder`'s to say.

    Raises
    ------
    OutputError
        If something cannot be written; it names the file as it would have been.
    """
    made = not folder.exists()
    make_folder(folder)
    named = folder.resolve()
    try:
        remove_leftovers(folder, of=named)
        temporary = Path(tempfile.mkdtemp(prefix=beginning_of_temporary(named), dir=folder))
    except OSError as error:
        raise refused(folder, error) from error
    try:
        yield temporary
        for file in sorted(temporary.iterdir()):
            put_in_place(file, folder / file.name)
    except OutputError as error:
        raise OutputError(error.problem.replace(str(temporary), str(folder)), error.hint) from error
    except OSError as error:
        raise refused(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if made:
            with suppress(OSError):  # it holds what was written
                folder.rmdir()
