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
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote

from napari_tcgn.download import CHUNK_BYTES, RemoteFile, fetch_file, open_url, unreachable
from napari_tcgn.engine import Progress
from napari_tcgn.errors import DataError
from napari_tcgn.training.data.folds import patient_of
from napari_tcgn.training.data.her2st import COUNTS, IMAGES, SPOTS


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
class CommitFile:
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
        url = source.files.format(commit=source.commit, path=quote(file.path))
        remote = RemoteFile(url, file.size, file.blob, _blob_id)
        if not remote.lies_at(target):
            for got in fetch_file(remote, target):
                yield Progress(f"fetch {target.name}", done + got, total)
        done += file.size
        written.append(target)
        yield Progress("fetch", done, total)
    return written


def _list_files(source: Source) -> list[CommitFile]:
    url = source.listing.format(commit=source.commit)
    try:
        with open_url(url, {"Accept": "application/json"}) as answer:
            content = json.load(answer)
        files = [CommitFile(e["path"], e["sha"], int(e["size"])) for e in content["tree"] if e["type"] == "blob"]
    except (URLError, OSError, HTTPException) as error:
        raise unreachable(url, error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{url} does not answer with a list of files: {error}.", "Try again later.") from error
    return [file for file in files if file.section is not None]


def _choose(files: Sequence[CommitFile], sections: Sequence[str]) -> list[CommitFile]:
    at_hand = {file.section for file in files if file.section is not None}
    chosen: set[str] = set()
    for name in sections:
        matching = {s for s in at_hand if name.upper() in (s, patient_of(s))}
        if not matching:
            raise DataError(f"The study has no section or patient {name!r}.", f"It has {', '.join(sorted(at_hand))}.")
        chosen |= matching
    return [file for file in files if not sections or file.section in chosen]


def _blob_id(path: Path) -> str:
    """Return the id that git gives a file's content."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
