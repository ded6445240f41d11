"""Files that are written whole or not at all, their hashes, and where what can be made again is kept."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

from napari_tcgn.errors import OutputError, TcgnError

CACHE_VARIABLE = "NAPARI_TCGN_CACHE"
COPY_AGAIN = "It may be damaged or cut short: copy or download it again."
GZIP = b"\x1f\x8b"  # what a packed file begins with


def open_text(path: Path) -> IO[str]:
    """Open a text file as it comes from Excel, Windows, QuPath or GEO.

    It may be packed (gzip, told by its content), begin with a byte order mark (UTF-8 or UTF-16) and end its lines in
    any way; what is read has none of that.

    Raises
    ------
    OSError
        If it cannot be opened.
    """
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
    handle = cast("IO[bytes]", gzip.open(path, "rb") if packed else path.open("rb"))  # noqa: SIM115  # handed on
    try:
        utf16 = handle.read(2) in (b"\xff\xfe", b"\xfe\xff")
        handle.seek(0)
    except BaseException:
        handle.close()
        raise
    return io.TextIOWrapper(handle, encoding="utf-16" if utf16 else "utf-8-sig")


def separator_of(line: str, usual: str) -> str:
    """Return what separates the cells of a line: `usual`, or ";" where there are more of it.

    Spreadsheets of countries with a decimal comma write ";" into what they call CSV.
    """
    return ";" if line.count(";") > line.count(usual) else usual


@contextmanager
def reading(what: str, error: type[TcgnError], hint: str = COPY_AGAIN, kind: str = "") -> Iterator[None]:
    """Say which file it was when a library fails on what a user gave, whatever the library raises.

    Parameters
    ----------
    what : str
        The file as the user knows it, or the part of it that is read.
    error : type of TcgnError
        What is raised instead; it carries the library's own error as its cause.
    hint : str
        How to go on.
    kind : str
        What it should be.

    Raises
    ------
    TcgnError
        Of the given type; one that is raised inside passes as it is.
    """
    try:
        yield
    except TcgnError:
        raise
    except MemoryError as cause:
        raise error(
            f"{what} needs more memory than there is.",
            "Close other programs, or give a smaller file.",
        ) from cause
    except Exception as cause:
        raise error(f"{what} cannot be read{f' as {kind}' if kind else ''}: {reason_of(cause)}.", hint) from cause


def reason_of(error: BaseException) -> str:
    """Return what an error says, in one line: with its kind where the words alone would say nothing, and the place.

    anndata tells the place in notes beside the message.
    """
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)  # HDF5 wraps it in several lines of its own
    words = next(iter(str(error).strip().splitlines()), "").rstrip(".")
    if not words or not isinstance(error, OSError | ValueError):
        words = f"{type(error).__name__}: {words}".rstrip(": ")
    return " ".join([words, *(f"({note.strip()})" for note in getattr(error, "__notes__", []))])


@dataclass(frozen=True, slots=True)
class CacheSize:
    """What a cache holds.

    Attributes
    ----------
    entries : int
        Sections (once per size of patch) or slides.
    bytes : int
    """

    entries: int
    bytes: int


def cache_folder(kind: Literal["patches", "pyramids"]) -> Path:
    """Return the folder of one kind of cache: in $NAPARI_TCGN_CACHE, else in the user's cache folder."""
    from platformdirs import user_cache_path

    named = os.environ.get(CACHE_VARIABLE)
    return (Path(named) if named else user_cache_path("napari-tcgn", appauthor=False)) / kind


def check_target(path: Path, overwrite: bool = False) -> None:
    """Refuse a target that cannot be written, before any work is done for it.

    Raises
    ------
    OutputError
        If `path` exists and may not be replaced, is a folder, or its folder is missing or read-only.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder.", "Name a file in it.")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already.", "Choose another name or allow overwriting (--overwrite).")
    if not path.parent.is_dir():
        raise OutputError(f"The folder {path.parent} does not exist.", "Create it or choose another one.")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"The folder {path.parent} cannot be written to.", "Choose another one.")


def check_folder(folder: Path, names: Iterable[str] = (), overwrite: bool = False) -> None:
    """Refuse a folder that files of these names cannot be written into, before any work is done for them.

    The folder itself may be missing: `make_folder` makes it, with those above it.

    Raises
    ------
    OutputError
        If the folder is a file or cannot be made, or one of the files cannot be written (`check_target`).
    """
    if folder.is_dir():
        for name in names:
            check_target(folder / name, overwrite)
        return
    above = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not above.is_dir():
        raise OutputError(f"{above} is a file, not a folder.", "Choose another folder.")
    if not os.access(above, os.W_OK):
        raise OutputError(f"The folder {above} cannot be written to.", "Choose another one.")


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where they are missing.

    Raises
    ------
    OutputError
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {reason_of(error)}.", "Choose another one.") from error


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
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {reason_of(error)}.", "Choose another folder.") from error
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; a result is as readable as any other file of the user.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {reason_of(error)}.", "Free space or choose another folder."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


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
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {reason_of(error)}.", "Choose another folder.") from error
    try:
        yield temporary
        replaced = temporary / "replaced"
        if path.exists():
            os.replace(path, replaced)
        try:
            os.replace(temporary / path.name, path)
        except OSError:
            if replaced.exists():
                os.replace(replaced, path)  # what was there before stays
            raise
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {reason_of(error)}.", "Free space or choose another folder."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
