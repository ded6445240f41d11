"""Fetch the HER2+ study from its public repository: pinned to a commit, every file checked, resumable.

A commit names its files by their git blob ids, which are hashes of their content; so the pinned commit id is all that
has to be known beforehand.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from napari_tcgn.engine import Progress
from napari_tcgn.errors import DataError, OutputError
from napari_tcgn.files import put_in_place
from napari_tcgn.moves import remove_file
from napari_tcgn.training.data.folds import patient_of
from napari_tcgn.training.data.her2st import COUNTS, IMAGES, SPOTS

CHUNK_BYTES = 1 << 18
TIMEOUT_SECONDS = 60
LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True, slots=True)
class Source:
    """A commit of a public repository.

    Attributes
    ----------
    listing, files : str
        Addresses of the list of files (GitHub's git/trees answer) and of a file; {path} stands for its path.
    commit : str
    """

    listing: str
    files: str
    commit: str


HER2ST = Source(
    listing="https://api.github.com/repos/almaan/her2st/git/trees/{commit}?recursive=1",
    files="https://raw.githubusercontent.com/almaan/her2st/{commit}/{path}",
    commit="85df7411b987a7dec3feff9718b869a7a82091ec",
)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of the commit: its path, git blob id (SHA-1) and size in bytes."""

    path: str
    blob: str
    size: int

    @property
    def section(self) -> str | None:
        """The section it belongs to, if it is one of the three kinds that training reads."""
        folder = self.path.removeprefix("data/")
        for pattern in (
            rf"{COUNTS}/(\w+)\.tsv\.gz",
            rf"{SPOTS}/(\w+)_selection\.tsv",
            rf"{IMAGES}/\w+/(\w+)/[^/]+\.jpg",
        ):
            if match := re.fullmatch(pattern, folder):
                return match[1]
        return None


def fetch_her2st(
    out: Path, sections: Sequence[str] = (), source: Source = HER2ST
) -> Generator[Progress, None, list[Path]]:
    """Download counts, spot tables and images; files that are there already and whole are left alone.

    Parameters
    ----------
    out : pathlib.Path
        Gets data/ST-cnts, data/ST-spotfiles and data/ST-imgs.
    sections : sequence of str
        Such as "C2", or a patient such as "C"; all by default.
    source : Source

    Yields
    ------
    Progress
        In bytes.

    Returns
    -------
    list of pathlib.Path

    Raises
    ------
    DataError
        If the server cannot be reached, a section does not exist, or a file is not what the commit says; what was
        fetched of it stays as FILE.part and is gone on with.
    OutputError
        If `out` cannot be written.
    """
    yield Progress("read the list of files", 0, 1)
    wanted = _choose(_list_files(source), sections)
    total, done = sum(file.size for file in wanted), 0
    written = []
    for file in wanted:
        target = out / file.path
        if not (target.is_file() and target.stat().st_size == file.size and _blob_id(target) == file.blob):
            for got in _download(source.files.format(commit=source.commit, path=quote(file.path)), target, file):
                yield Progress(f"fetch {target.name}", done + got, total)
        done += file.size
        written.append(target)
        yield Progress("fetch", done, total)
    return written


def _list_files(source: Source) -> list[RemoteFile]:
    url = source.listing.format(commit=source.commit)
    try:
        with urlopen(Request(url, headers={"Accept": "application/json"}), timeout=TIMEOUT_SECONDS) as answer:
            content = json.load(answer)
        files = [RemoteFile(e["path"], e["sha"], int(e["size"])) for e in content["tree"] if e["type"] == "blob"]
    except (URLError, OSError, HTTPException) as error:
        raise _unreachable(url, error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{url} does not answer with a list of files: {error}.", "Try again later.") from error
    return [file for file in files if file.section is not None]


def _choose(files: Sequence[RemoteFile], sections: Sequence[str]) -> list[RemoteFile]:
    at_hand = {file.section for file in files if file.section is not None}
    chosen: set[str] = set()
    for name in sections:
        matching = {s for s in at_hand if name.upper() in (s, patient_of(s))}
        if not matching:
            raise DataError(f"The study has no section or patient {name!r}.", f"It has {', '.join(sorted(at_hand))}.")
        chosen |= matching
    return [file for file in files if not sections or file.section in chosen]


def _download(url: str, target: Path, file: RemoteFile) -> Generator[int, None, None]:
    """Fetch one file beside its target, going on where an earlier try ended; yields the bytes that are there."""
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        have = part.stat().st_size if part.is_file() else 0
        if have > file.size:
            part.unlink()
            have = 0
        if have < file.size:
            request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
            with urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                # A server that does not know ranges sends the whole file again.
                resumed = have > 0 and answer.status == HTTPStatus.PARTIAL_CONTENT
                have = have if resumed else 0
                with part.open("ab" if resumed else "wb") as handle:
                    while chunk := answer.read(CHUNK_BYTES):
                        handle.write(chunk)
                        have += len(chunk)
                        yield have
    except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise _unreachable(url, error) from error
    except OSError as error:
        raise OutputError(
            f"{part} cannot be written: {error}.", "Free space or choose another folder (--out)."
        ) from error
    if have < file.size:
        raise DataError(
            f"The connection ended after {have} of {file.size} bytes of {file.path}.", "Run the same command again."
        )
    if (found := _blob_id(part)) != file.blob:
        pointer = part.read_bytes()[: len(LFS_POINTER)] == LFS_POINTER
        remove_file(part)
        what = "a pointer to a file kept elsewhere" if pointer else f"content with id {found[:12]}…"
        raise DataError(f"{file.path} should have the id {file.blob[:12]}…, fetched {what}.", "Run the command again.")
    put_in_place(part, target)


def _blob_id(path: Path) -> str:
    """Return the id that git gives a file's content."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _unreachable(url: str, error: Exception) -> DataError:
    reason = f"{error.code} {error.reason}" if isinstance(error, HTTPError) else str(getattr(error, "reason", error))
    return DataError(
        f"{url} cannot be fetched: {reason}.",
        "Check the connection and run the same command again; what has been fetched is kept.",
    )
