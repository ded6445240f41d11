"""Files from servers: gone on with where an earlier try ended, checked by their hash, whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from napari_tcgn.errors import DataError, OutputError
from napari_tcgn.files import put_in_place, reason_of, sha256_of
from napari_tcgn.moves import remove_file

CHUNK_BYTES = 1 << 18
TIMEOUT_SECONDS = 60
SECRET = "Authorization"
LFS_POINTER = b"version https://git-lfs"
_PAGE = (b"<!doctype html", b"<html")
_AGAIN = "Run the same command again."


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on a server, and how to tell that what comes is it.

    Attributes
    ----------
    url : str
    size : int
        In bytes; more is never taken.
    digest : str
    digest_of : callable
        Returns the digest of a file; SHA-256 by default.
    headers : mapping of str to str
        Sent to the server that `url` names, and to no other that it refers to.
    """

    url: str
    size: int
    digest: str
    digest_of: Callable[[Path], str] = sha256_of
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def lies_at(self, path: Path) -> bool:
        """Tell whether the file is there already, and whole."""
        return path.is_file() and path.stat().st_size == self.size and self.digest_of(path) == self.digest


class _Redirects(HTTPRedirectHandler):
    """Follow a server to another, as hubs keep large files elsewhere, but without the secrets and not to plain http."""

    def redirect_request(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> Any:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if new.scheme not in ("http", "https") or (old.scheme == "https" and new.scheme != "https"):
            raise URLError(f"it refers to {new.scheme}://{new.netloc}, which is not as safe")
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and (old.scheme, old.netloc) != (new.scheme, new.netloc):
            following.remove_header(SECRET)
        return following


def open_url(url: str, headers: Mapping[str, str]) -> Any:
    """Open an address to read what the server answers; `urlopen` would hand secrets on to other servers.

    Raises
    ------
    urllib.error.URLError, OSError
    """
    if urlsplit(url).scheme not in ("http", "https"):  # Python opens file:///… as well
        raise URLError("it is no address of a server")
    return build_opener(_Redirects).open(Request(url, headers=dict(headers)), timeout=TIMEOUT_SECONDS)


def fetch_file(file: RemoteFile, target: Path) -> Generator[int, None, None]:
    """Download one file; what has come of it lies beside the target as NAME.part until it is whole.

    Yields
    ------
    int
        Bytes that are there.

    Raises
    ------
    DataError
        If the server cannot be reached, breaks off, or sends something else; a part stays and is gone on with.
    OutputError
        If the target cannot be written, or there is no room for it.
    """
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        have = part.stat().st_size if part.is_file() else 0
        if have > file.size:
            part.unlink()
            have = 0
        _require_room(target, file.size - have)
        if have < file.size:
            asked = dict(file.headers) | ({"Range": f"bytes={have}-"} if have else {})
            with open_url(file.url, asked) as answer:
                # A server that does not know ranges sends the whole file again.
                resumed = have > 0 and answer.status == HTTPStatus.PARTIAL_CONTENT
                have = have if resumed else 0
                with part.open("ab" if resumed else "wb") as handle:
                    while have < file.size and (chunk := answer.read(min(CHUNK_BYTES, file.size - have))):
                        handle.write(chunk)
                        have += len(chunk)
                        yield have
    except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise unreachable(file.url, error) from error
    except OSError as error:
        raise OutputError(f"{part} cannot be written: {reason_of(error)}.", "Choose another folder.") from error
    if have < file.size and not _is_page(part):
        raise DataError(f"The connection ended after {have} of {file.size} bytes of {target.name}.", _AGAIN)
    if (found := file.digest_of(part)) != file.digest:
        what = _what_came(part, found)
        remove_file(part)
        raise DataError(f"{target.name} should have the id {file.digest[:12]}…, fetched {what}.", _AGAIN)
    put_in_place(part, target)


def unreachable(url: str, error: Exception) -> DataError:
    """Say why an address cannot be fetched, and how to go on."""
    if isinstance(error, HTTPError) and error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return DataError(
            f"{url} cannot be fetched: {error.code} {error.reason}.",
            "Ask for access on the page of its repository, then log in (hf auth login) or set HF_TOKEN.",
        )
    reason = f"{error.code} {error.reason}" if isinstance(error, HTTPError) else str(getattr(error, "reason", error))
    return DataError(
        f"{url} cannot be fetched: {reason}.",
        "Check the connection and run the same command again; what has been fetched is kept.",
    )


def _require_room(target: Path, size: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if size > free:
        raise OutputError(
            f"{target.name} needs {size / 1e6:,.0f} MB and {target.parent} has {free / 1e6:,.0f} MB left.",
            "Free space or choose another folder.",
        )


def _is_page(part: Path) -> bool:
    with part.open("rb") as handle:
        return handle.read(64).lstrip().lower().startswith(_PAGE)


def _what_came(part: Path, digest: str) -> str:
    with part.open("rb") as handle:
        pointer = handle.read(len(LFS_POINTER)) == LFS_POINTER
    if pointer:
        return "a pointer to a file kept elsewhere"
    return "a web page (of a login or proxy?)" if _is_page(part) else f"content with id {digest[:12]}…"
