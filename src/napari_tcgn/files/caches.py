"""Where what can be made again is kept, and hashes of files."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CACHE_VARIABLE = "NAPARI_TCGN_CACHE"


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


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
