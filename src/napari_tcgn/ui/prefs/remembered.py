"""What the dock remembers from one session to the next: choices, never anything of one slide."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from napari_tcgn.errors import OutputError
from napari_tcgn.files import write_text_whole
from napari_tcgn.moves import remove_file

FILE_VARIABLE = "NAPARI_TCGN_DOCK_FILE"


def remembered_file() -> Path:
    """Return where the dock's memory lies: `$NAPARI_TCGN_DOCK_FILE`, or dock.json among the user's settings."""
    if named := os.environ.get(FILE_VARIABLE):
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_config_dir("napari-tcgn", appauthor=False)) / "dock.json"


class Remembered:
    """Named JSON values in one small file.

    A file that is missing, damaged or cannot be written costs the memory and nothing else.

    Parameters
    ----------
    path : pathlib.Path, optional
        `remembered_file()` by default.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path if path is not None else remembered_file()
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
        try:
            values = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return values if isinstance(values, dict) else {}

    def _write(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_text_whole(self._path, json.dumps(self._values, indent=1), overwrite=True)
        except (OSError, OutputError):
            pass  # a read-only home: the dock works all the same
