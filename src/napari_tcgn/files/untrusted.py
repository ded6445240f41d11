"""Reading what others have written: whatever it holds, an error names it, and no file takes all memory."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from napari_tcgn.errors import TcgnError
from napari_tcgn.memory import in_bytes, text_limit
from napari_tcgn.moves import is_held

COPY_AGAIN = "It may be damaged or cut short: copy or download it again."
INSTALL_AGAIN = "Install what napari-tcgn needs: pip install --upgrade napari-tcgn"
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
