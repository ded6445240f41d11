"""Names of files that every system takes, and files that a system puts into folders by itself."""

from __future__ import annotations

import os
import re
from pathlib import Path

WINDOWS = os.name == "nt"

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
# Devices, also with any suffix: "aux.csv" is the device aux.
_DEVICES = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    f"{port}{n}" for port in ("com", "lpt") for n in "123456789¹²³"
}
_OF_SYSTEM = {".ds_store", "thumbs.db", "desktop.ini", "icon\r"}


def portable_name(text: str) -> str:
    """Return a text as the name of a file or folder that Windows, macOS and Linux take.

    Parameters
    ----------
    text : str
        Such as the name of a slide or a section, which may hold anything.

    Returns
    -------
    str
        With "_" for every character that one of them forbids.
    """
    name = _FORBIDDEN.sub("_", text).rstrip(" .")
    return f"_{name}" if not name or _is_device(name) else name


def fault_on_windows(name: str) -> str:
    """Say why Windows takes no file of this name; "" where it does."""
    if found := _FORBIDDEN.search(name):
        return f"it holds {found[0]!r}"
    if name.rstrip(" .") != name:
        return "it ends in a dot or a space"
    return "it is the name of a device" if _is_device(name) else ""


def is_of_system(name: str) -> bool:
    """Tell whether a system puts a file of this name beside others: .DS_Store, ._NAME, Thumbs.db, desktop.ini."""
    return name.startswith("._") or name.lower() in _OF_SYSTEM


def same_path(path: str | Path) -> str:
    """Return a text that is the same for all ways to write a path: on Windows case and kind of slash do not matter."""
    return os.path.normcase(path)


def _is_device(name: str) -> bool:
    return name.partition(".")[0].rstrip(" ").lower() in _DEVICES
