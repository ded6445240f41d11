"""The state of every slide of a cohort, in two files that are always whole: manifest.csv and manifest.json."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Literal

from napari_tcgn.engine import lock_folder
from napari_tcgn.errors import OutputError
from napari_tcgn.files import entries_of, list_of, make_folder, matches, object_of, read_json, write_text_whole
from napari_tcgn.paths import portable_name, same_path

State = Literal["waiting", "running", "done", "failed", "skipped"]
COLUMNS = ("slide", "state", "spots", "seconds", "error", "out")  # of the CSV, for people
NAME, LOCK = "manifest", ".napari-tcgn.lock"


@dataclass(slots=True)
class Entry:
    """One slide.

    Attributes
    ----------
    slide : str
        Its path.
    out : str
        File name of the result in the cohort's folder.
    state : {"waiting", "running", "done", "failed", "skipped"}
        "skipped": finished in an earlier call.
    spots : int or None
    seconds : float or None
        That the prediction took.
    error : str
        Why it failed, as a sentence.
    warnings : list of str
        What sets the slide apart from the model's training sections.
    slide_sha256 : str
        Of the slide that a finished result comes from.
    slide_bytes, slide_mtime_ns : int
        The slide's size and time: while they stay, its hash is not computed again.
    """

    slide: str
    out: str
    state: State = "waiting"
    spots: int | None = None
    seconds: float | None = None
    error: str = ""
    warnings: list[str] = field(default_factory=list)
    slide_sha256: str = ""
    slide_bytes: int = -1
    slide_mtime_ns: int = -1


_OUT = matches(r"[^/\\\x00]+\.h5ad", "the name of an .h5ad without a folder")
MANIFEST = entries_of({"slides": list_of(object_of(Entry, out=_OUT))}, needed=("slides",))


class Manifest:
    """The entries of a cohort's folder by slide; use as a context manager, which keeps other processes out.

    Parameters
    ----------
    folder : pathlib.Path
        Made if it is missing.

    Raises
    ------
    OutputError
        If the folder cannot be made or written, another process is using it, or its manifest is broken.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, Entry] = {}

    def __enter__(self) -> Manifest:
        make_folder(self.folder)
        self._lock = lock_folder(self.folder / LOCK, f"into {self.folder}")
        try:
            self.entries = self._read()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def _read(self) -> dict[str, Entry]:
        path = self.folder / f"{NAME}.json"
        if not path.exists():
            return {}
        what, hint = f"The manifest of a cohort {path}", "Restore it, or choose another --out."
        raw = read_json(path, what, OutputError, hint, MANIFEST)
        known = {f.name for f in fields(Entry)}
        entries = [Entry(**{key: value for key, value in one.items() if key in known}) for one in raw["slides"]]
        for entry in entries:
            if entry.state == "running":  # its process is gone, or the folder would be locked
                entry.state = "waiting"
        return {same_path(entry.slide): entry for entry in entries}

    def save(self) -> None:
        """Write both files, each whole or not at all.

        Raises
        ------
        OutputError
            If they cannot be written.
        """
        entries = list(self.entries.values())
        slides = [asdict(entry) for entry in entries]
        text = json.dumps({"slides": slides}, indent=1, ensure_ascii=False) + "\n"
        write_text_whole(self.folder / f"{NAME}.json", text, overwrite=True)
        table = io.StringIO(newline="")
        writer = csv.writer(table)
        writer.writerow(COLUMNS)
        writer.writerows([getattr(entry, column) for column in COLUMNS] for entry in entries)
        write_text_whole(self.folder / f"{NAME}.csv", table.getvalue(), overwrite=True)

    def enter(self, slides: Sequence[Path]) -> list[Entry]:
        """Return the entries of slides; new ones get names that no other slide of the folder has."""
        paths = [same_path(slide) for slide in slides]
        taken = {entry.out.casefold() for entry in self.entries.values()}
        stems = Counter(slide.stem.casefold() for slide in set(slides))
        for slide, path in zip(slides, paths, strict=True):
            if path not in self.entries:
                out = _free_name(slide, taken, plain=stems[slide.stem.casefold()] == 1)
                taken.add(out.casefold())
                self.entries[path] = Entry(str(slide), out)
        return [self.entries[path] for path in paths]


def _free_name(slide: Path, taken: set[str], plain: bool) -> str:
    """Return "C2.h5ad", or with as many folders in front as tell it from the others: "day1_C2.h5ad"."""
    parts = [part for part in slide.parent.parts if part != slide.anchor]
    for count in range(0 if plain else 1, len(parts) + 1):
        name = portable_name("_".join([*parts[len(parts) - count :], slide.stem]) + ".h5ad")
        if name.casefold() not in taken:
            return name
    number = 2
    while f"{slide.stem}_{number}.h5ad".casefold() in taken:
        number += 1
    return f"{slide.stem}_{number}.h5ad"
