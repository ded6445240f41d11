"""The slide of a run, as the run record tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(slots=True)
class SlideRecord:
    """The slide: name, file name without its folder, size of the file and of the image, SHA-256 where it is known.

    `orientation` is what its file says of the stored pixels, where they are not upright; they are read upright.
    """

    name: str = ""
    file: str | None = None
    bytes: int | None = None
    width_px: int = 0
    height_px: int = 0
    sha256: str | None = None
    orientation: str | None = None

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> SlideRecord:
        """Return what a run record tells of its slide, as far as it goes."""
        names = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in record.items() if name in names})
