"""What the dock remembers from one session to the next: choices, never anything of one slide."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_warning

from napari_tcgn.errors import DataError, OutputError
from napari_tcgn.files import entries_of, plain, read_json, write_text_whole
from napari_tcgn.moves import move, remove_file

FILE_VARIABLE = "NAPARI_TCGN_DOCK_FILE"
MOST_BYTES = 2**20
DOCK = entries_of({}, plain)  # who asks for a value says of what kind it is (`Remembered.get`, `Option.is_of_kind`)


def remembered_file() -> Path:
    """Return where the dock's memory lies: `$NAPARI_TCGN_DOCK_FILE`, or dock.json among the user's settings."""
    if named := os.environ.get(FILE_VARIABLE):
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_config_dir("napari-tcgn", appauthor=False)) / "dock.json"


class Remembered:
    """Named JSON values in one small file.

    A file that is missing, damaged or cannot be written costs the memory and nothing else. A damaged one is put aside
    beside it (NAME.damaged), and told of once.

    Parameters
    ----------
    path : pathlib.Path, optional
        `remembered_file()` by default.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path if path is not None else remembered_file()
        self._told = False
        self._values = self._read()

    def get(self, name: str, kind: type, default: Any = None) -> Any:
        """Return a value if there is one of the expected type."""
        value = self._values.get(name, default)
        return value if isinstance(value, kind) else default

    def put(self, **values: Any) -> None:
        """Remember values that JSON can hold."""
        if all(self._values.get(name) == value for name, value in values.items()):
            return
        # Another dock may have written since: keep what it knows.
        self._values = self._read() | values
        self._write()

    def forget(self) -> None:
        """Forget everything."""
        self._values = {}
        remove_file(self._path)

    def _read(self) -> dict[str, Any]:
        if not os.path.lexists(self._path):
            return {}
        try:
            values: dict[str, Any] = read_json(self._path, str(self._path), DataError, "", DOCK, MOST_BYTES)
        except DataError as error:
            self._put_aside(error.problem)
            return {}
        return values

    def _put_aside(self, problem: str) -> None:
        aside = self._path.with_name(f"{self._path.name}.damaged")
        try:
            move(self._path, aside)
        except OSError:  # not ours to move: it stays, and is not read
            aside = self._path
        if not self._told:
            show_warning(f"{problem} The dock starts with its defaults; the file is now {aside}.")
        self._told = True

    def _write(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_text_whole(self._path, json.dumps(self._values, indent=1), overwrite=True)
        except (OSError, OutputError):
            pass  # a read-only home: the dock works all the same
