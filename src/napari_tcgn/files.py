"""Files that are written whole or not at all, their hashes, and where what can be made again is kept."""

from __future__ import annotations

import csv
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
from typing import IO, TYPE_CHECKING, Any, Literal

from napari_tcgn import paths
from napari_tcgn.errors import OutputError, TcgnError
from napari_tcgn.memory import in_bytes, text_limit
from napari_tcgn.moves import beginning_of_temporary, is_held, move, remove_file

if TYPE_CHECKING:
    import pandas as pd

CACHE_VARIABLE = "NAPARI_TCGN_CACHE"
COPY_AGAIN = "It may be damaged or cut short: copy or download it again."
INSTALL_AGAIN = "Install what napari-tcgn needs: pip install --upgrade napari-tcgn"
GZIP = b"\x1f\x8b"  # what a packed file begins with
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a cell begins with that a spreadsheet computes
LONG_PATH = 240  # of the 260 characters that Windows takes if it is not told otherwise


def open_text(path: Path) -> IO[str]:
    """Open a text file as it comes from Excel, Windows, QuPath or GEO.

    It may be packed (gzip, told by its content), begin with a byte order mark (UTF-8 or UTF-16) and end its lines in
    any way; what is read has none of that.

    Raises
    ------
    OSError
        If it cannot be opened.
    """
    handle = open_unpacked(path)
    try:
        utf16 = handle.read(2) in (b"\xff\xfe", b"\xfe\xff")
        handle.seek(0)
    except BaseException:
        handle.close()
        raise
    return io.TextIOWrapper(handle, encoding="utf-16" if utf16 else "utf-8-sig")


class NotRegularError(OSError):
    """A pipe, device or socket stands where a file is to be read: it may never end, or never begin."""


def require_regular(path: Path) -> None:
    """Refuse what is neither a file nor a folder, also behind a link; what is not there is left to whoever opens it.

    Raises
    ------
    NotRegularError
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise NotRegularError(f"it is no file but a {'pipe' if path.is_fifo() else 'device or socket'}")


class TooLargeError(OSError):
    """A file holds, or unpacks to, more text than memory can take."""


def _too_large(size: int) -> TooLargeError:
    return TooLargeError(f"it holds {in_bytes(size)} of text or more, which is more than memory can take")


class _Unpacked(io.RawIOBase):
    """What a packed file holds, up to a limit: a few bytes can unpack to any number."""

    def __init__(self, packed: gzip.GzipFile, limit: int | None) -> None:
        self._packed, self._limit = packed, limit

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._packed.readinto(buffer)
        if self._limit is not None and self._packed.tell() > self._limit:
            raise _too_large(self._packed.tell())
        return found

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._packed.seek(offset, whence)

    def tell(self) -> int:
        return self._packed.tell()

    def close(self) -> None:
        self._packed.close()
        super().close()


def open_unpacked(path: Path) -> IO[bytes]:
    """Open a file to read its bytes, unpacked where it is packed (gzip, told by its content).

    Raises
    ------
    OSError
        If it cannot be opened.
    """
    require_regular(path)
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
    limit = text_limit()
    if limit is not None and path.stat().st_size > limit:
        raise _too_large(path.stat().st_size)
    if not packed:
        return path.open("rb")
    return io.BufferedReader(_Unpacked(gzip.open(path, "rb"), limit))


def open_table(path: Path) -> IO[str]:
    """Open a table as text (`open_text`) behind the line "sep=;" that tells Excel what separates its cells.

    Raises
    ------
    OSError
        If it cannot be opened.
    """
    file = open_text(path)
    try:
        if not file.readline(16).strip().strip('"').lower().startswith("sep="):
            file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def cells_of(line: str) -> tuple[list[str], str]:
    """Return the cells of a line of a table, without quotes and spaces around them, and what separates them.

    That is a tab where there is one, whatever the file is called, else a comma, or ";" where there are more of it:
    spreadsheets of countries with a decimal comma write it into what they call CSV.
    """
    separator = "\t" if "\t" in line else ";" if line.count(";") > line.count(",") else ","
    cells = next(csv.reader([line.rstrip("\r\n")], delimiter=separator, skipinitialspace=True), [])
    return [cell.strip() for cell in cells], separator


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
    except (TcgnError, Warning):  # a warning that is to be an error is no fault of the file
        raise
    except MemoryError as cause:
        raise error(
            f"{what} needs more memory than there is.",
            "Close other programs, or give a smaller file.",
        ) from cause
    except NotRegularError as cause:
        raise error(f"{what} cannot be read: {cause}.", "Copy what it gives into a file, and name that.") from cause
    except TooLargeError as cause:
        raise error(
            f"{what} cannot be read: {cause}.", "Check that it is what its name says; else give a smaller one."
        ) from cause
    except ImportError as cause:  # the file may be as it should be
        raise error(f"{what} cannot be read here: {reason_of(cause)}.", INSTALL_AGAIN) from cause
    except Exception as cause:
        raise error(f"{what} cannot be read{f' as {kind}' if kind else ''}: {reason_of(cause)}.", hint) from cause


def reason_of(error: BaseException) -> str:
    """Return what an error says, in one line: with its kind where the words alone would say nothing, and the place.

    anndata tells the place in notes beside the message.
    """
    if isinstance(error, OSError) and error.errno:
        # HDF5 wraps what the system said in several lines of its own; Windows tells more of what is held.
        said = error.strerror or str(error) if is_held(error) else os.strerror(error.errno)
        return said.rstrip(".")
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
        Sections (once per size of patch, and per encoder) or slides.
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
            raise _refused(path, error) from error


def require_no_input(targets: Iterable[Path], inputs: Iterable[Path | None]) -> None:
    """Refuse to write over what is read, whether or not overwriting is allowed: also through links and other spellings.

    Raises
    ------
    OutputError
        If a target is one of the inputs, or lies in one that is a folder.
    """
    given = [path for path in inputs if path is not None and path.exists()]
    for target in targets:
        for path in given:
            same = target.exists() and target.samefile(path)
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
        handle, name = tempfile.mkstemp(prefix=beginning_of_temporary(path), suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise _refused(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; a result is as readable as any other file of the user.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        move(temporary, path)
    except OSError as error:
        raise _refused(path, error) from error
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


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose names a spreadsheet takes for text: what begins like a formula gets an apostrophe before it.

    Spreadsheets compute cells of a CSV that begin with =, +, - or @, and a formula can open files and addresses.

    Parameters
    ----------
    table : pandas.DataFrame
        Names stand in its columns, its index and its columns of text; numbers are left as they are.
    """

    def plain(name: object) -> object:
        return f"'{name}" if isinstance(name, str) and name.startswith(_FORMULA) else name

    safe = table.rename(columns=plain, index=plain)
    for number, kind in enumerate(table.dtypes):
        if getattr(kind, "kind", "") == "O":  # of objects, texts and categories
            safe.isetitem(number, [plain(value) for value in table.iloc[:, number]])
    return safe


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
        temporary = Path(tempfile.mkdtemp(prefix=beginning_of_temporary(path), dir=path.parent))
    except OSError as error:
        raise _refused(path, error) from error
    try:
        yield temporary
        replaced = temporary / "replaced"
        if path.exists():
            move(path, replaced)
        try:
            move(temporary / path.name, path)
        except OSError:
            if replaced.exists():
                move(replaced, path)  # what was there before stays
            raise
    except OSError as error:
        raise _refused(path, error) from error
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
        raise _refused(target, error) from error


def _refused(path: Path, error: OSError) -> OutputError:
    """Say why a file or folder cannot be written, and how to go on."""
    hint = "Free space or choose another folder."
    if is_held(error):
        hint = "Close the programs that have it open (or take away its write protection), or choose another name."
    elif paths.WINDOWS and len(str(path.absolute())) > LONG_PATH:
        hint = f"Its path has {len(str(path.absolute()))} characters, which Windows may refuse: choose a shorter one."
    return OutputError(f"{path} cannot be written: {reason_of(error)}.", hint)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
