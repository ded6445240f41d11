"""The index of models that can be fetched: reviewed, each pinned to a commit and to the hashes of its files.

It comes with the program; another one is a JSON file of the same form, by its path or address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from napari_tcgn.download import open_url, unreachable
from napari_tcgn.errors import DataError, ModelError
from napari_tcgn.files import (
    Check,
    entries_of,
    list_of,
    matches,
    number,
    one_of,
    or_null,
    parse_json,
    reading,
    require_regular,
    text,
)

BUNDLED_INDEX = Path(__file__).with_name("index.json")
VERSION = 1
HINT = "Get the index again, or correct it."
MAX_BYTES = 16 * 2**20
_COMMIT, _SHA256 = r"[0-9a-f]{40}", r"[0-9a-f]{64}"

_FILE: dict[str, Check] = {
    "name": matches(r"[\w][\w.-]{0,200}", "a file name without a folder"),
    "bytes": number(1, 1e12, whole=True),
    "sha256": matches(_SHA256, "64 hexadecimal digits"),
}
_MODEL: dict[str, Check] = {
    "name": matches(r"[\w][\w. -]{0,199}", "a name of letters, digits, '.', '-' and '_'"),
    "version": text(0, 200),
    "repo": matches(r"\w[\w.-]*/\w[\w.-]*", "ORGANISATION/NAME"),
    "commit": matches(_COMMIT, "the 40 digits of a commit (a branch or tag may move)"),
    "files": list_of(entries_of(_FILE), 2, 32),
    "organism": text(0, 200),
    "tissue": text(0, 500),
    "genes": number(1, 1e6, whole=True),
    "licence": text(1, 1000),
    "median_pcc": or_null(number(-1, 1)),
    "protocol": text(),
}
_INDEX: dict[str, Check] = {"version": one_of(VERSION), "models": list_of(entries_of(_MODEL), 0, 10_000)}


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of a model: its name, size in bytes, and SHA-256."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """What the index says of a model.

    Attributes
    ----------
    name, version : str
        As on its card.
    repo, commit : str
        ORGANISATION/NAME on the hub, and the commit that was reviewed.
    files : tuple of FileEntry
    organism, tissue : str
    genes : int
    licence : str
    median_pcc : float or None
        Held-out median PCC over the genes; None: never evaluated.
    protocol : str
        How it was computed.
    """

    name: str
    version: str
    repo: str
    commit: str
    files: tuple[FileEntry, ...]
    organism: str
    tissue: str
    genes: int
    licence: str
    median_pcc: float | None
    protocol: str

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.bytes for file in self.files)

    def matches(self, word: str) -> bool:
        """Tell whether a word, in any case, stands in what is said of it."""
        said = " ".join((self.name, self.organism, self.tissue, self.repo, self.licence, self.protocol))
        return word.casefold() in said.casefold()

    def to_record(self) -> dict[str, Any]:
        """Return it as it stands in an index."""
        return asdict(self) | {"files": [asdict(file) for file in self.files]}

    @classmethod
    def from_record(cls, record: Mapping[str, Any], source: str) -> ModelEntry:
        """Read a single entry, as `models pack` writes it and a fetched model's folder keeps it.

        Raises
        ------
        ModelError
            Naming what is wrong with it.
        """
        _require(entries_of(_MODEL)(record), source)
        every = [(fields(cls), record), *((fields(FileEntry), one) for one in record.get("files", []))]
        for wanted, entry in every:
            missing = sorted({f.name for f in wanted} - set(entry))
            if missing:
                raise ModelError(f"{source} lacks {', '.join(missing)}.", "Get the index again, or correct it.")
        files = tuple(FileEntry(**{f.name: one[f.name] for f in fields(FileEntry)}) for one in record["files"])
        return cls(**{f.name: record[f.name] for f in fields(cls)} | {"files": files})


def read_index(source: str | Path | None = None) -> list[ModelEntry]:
    """Read an index of models.

    Parameters
    ----------
    source : str or pathlib.Path, optional
        A file, or an address that begins with http; by default the one that comes with the program, which opens no
        connection.

    Raises
    ------
    ModelError
        If it cannot be read, or is no index.
    DataError
        If its server cannot be reached.
    """
    named = str(source or BUNDLED_INDEX)
    content = _fetched(named) if named.startswith(("http://", "https://")) else _read(Path(named))
    raw = parse_json(content, f"The index {named}", ModelError, HINT, entries_of(_INDEX))
    found = [ModelEntry.from_record(one, f"The index {named}") for one in raw.get("models", [])]
    twice = sorted({one.name for one in found if sum(other.name == one.name for other in found) > 1})
    if twice:
        raise ModelError(f"The index {named} names {twice} twice.", "Correct it.")
    return found


def find_entry(name: str, index: Sequence[ModelEntry]) -> ModelEntry:
    """Return the entry of a model.

    Raises
    ------
    ModelError
        If the index has none of this name.
    """
    for entry in index:
        if entry.name == name:
            return entry
    there = f"It has {', '.join(entry.name for entry in index)}." if index else "It lists none yet."
    raise ModelError(f"The index has no model {name!r}.", f"{there} Another index can be named (--index).")


def _require(wrong: str | None, source: str) -> None:
    if wrong is not None:
        raise ModelError(f"{source}: {wrong}.", HINT)


def _read(path: Path) -> str:
    with reading(f"The index {path}", ModelError, "Check the path."):
        require_regular(path)
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(
                f"The index {path} has {path.stat().st_size:,} bytes.", "Check that it is an index of models."
            )
        return path.read_text(encoding="utf-8-sig")


def _fetched(url: str) -> str:
    try:
        with open_url(url, {"Accept": "application/json"}) as answer:
            content = answer.read(MAX_BYTES + 1)
    except OSError as error:
        raise unreachable(url, error) from error
    if len(content) > MAX_BYTES:
        raise DataError(f"{url} sends more than {MAX_BYTES:,} bytes.", "Check that it is an index of models.")
    return str(content.decode(errors="replace"))
