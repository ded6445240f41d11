"""The scanners' own formats through openslide: NDPI, MRXS, SCN, BIF, VMS, Philips TIFF, DICOM …"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SlideError
from napari_tcgn.files import reading
from napari_tcgn.slide.mpp import PixelSize, checked_mpp, from_metadata, from_objective, positive, settled
from napari_tcgn.slide.padding import check_level, read_on_white, without_alpha

CACHE_BYTES = 64 * 2**20  # decoded tiles that openslide keeps


class VendorSlide:
    """A slide that openslide reads.

    Parameters
    ----------
    path : pathlib.Path
    mpp : float or None
        µm per pixel of level 0; None takes what the file says.

    Raises
    ------
    SlideError
        If openslide cannot read the file, or its pixels are not square.
    SettingsError
        If `mpp` is not a positive number.

    Notes
    -----
    Parts that were not scanned are transparent in openslide and white here.
    """

    def __init__(self, path: Path, mpp: float | None = None) -> None:
        import openslide

        self.path: Path | None = path
        self.name = path.stem
        given = checked_mpp(mpp)
        try:
            self._slide = openslide.OpenSlide(path)
        except (openslide.OpenSlideError, OSError) as error:
            raise SlideError(
                f"{path.name} cannot be read by openslide: {error}.",
                "Copy the file again, with its data folder where its format has one (MRXS, VMS).",
            ) from error
        try:
            self._slide.set_cache(openslide.OpenSlideCache(CACHE_BYTES))
            self.stated = _pixel_size(dict(self._slide.properties), path.name)
            size = settled(given, self.stated)
        except BaseException:
            self._slide.close()
            raise
        self.mpp, self.mpp_source, self.mpp_hint = size.mpp, size.source, size.hint
        self.level_dimensions: tuple[tuple[int, int], ...] = tuple(self._slide.level_dimensions)
        self._downsamples = tuple(self._slide.level_downsamples)
        self._reading, self._closed = 0, False
        self._turn = threading.Condition()

    def read_region(self, x: int, y: int, width: int, height: int, level: int = 0) -> NDArray[np.uint8]:
        """Read a rectangle of one level; see `Slide.read_region`.

        Raises
        ------
        SlideError
            If the slide is closed, or damaged: openslide gives up a slide at its first unreadable tile.
        """
        size = check_level(level, self.level_dimensions)
        return read_on_white(
            lambda x0, y0, x1, y1: self._read_inside(level, x0, y0, x1, y1), (x, y, width, height), size
        )

    def close(self) -> None:
        """Close the file once nobody is reading; a second call does nothing."""
        with self._turn:
            if self._closed:
                return
            self._closed = True
            # openslide frees the handle at once, under the feet of a thread that is reading.
            self._turn.wait_for(lambda: self._reading == 0)
        self._slide.close()

    def _read_inside(self, level: int, x0: int, y0: int, x1: int, y1: int) -> NDArray[np.uint8]:
        downsample = self._downsamples[level]
        corner = (round(x0 * downsample), round(y0 * downsample))
        with self._in_use(), reading(self.name, SlideError):
            image = self._slide.read_region(corner, level, (x1 - x0, y1 - y0))
        return without_alpha(np.asarray(image))

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        with self._turn:
            if self._closed:
                raise SlideError(f"Slide {self.name} is closed.", "Open it again.")
            self._reading += 1
        try:
            yield
        finally:
            with self._turn:
                self._reading -= 1
                self._turn.notify_all()


def vendor_of(path: Path) -> str | None:
    """Return openslide's name of a file's format ("hamamatsu", "mirax", "generic-tiff" …), None if it knows none."""
    import openslide

    try:
        found: str | None = openslide.OpenSlide.detect_format(path)
    except (openslide.OpenSlideError, OSError):
        return None
    return found


def _pixel_size(properties: dict[str, str], name: str) -> PixelSize:
    vendor = properties.get("openslide.vendor", "openslide")
    found = from_metadata(
        positive(properties.get("openslide.mpp-x")),
        positive(properties.get("openslide.mpp-y")),
        f"openslide.mpp-x of {vendor}",
        name,
    )
    if found.mpp is not None:
        return found
    hints = (found.hint, from_objective(positive(properties.get("openslide.objective-power")), "Objective power"))
    return PixelSize(hint=" ".join(hint for hint in hints if hint))
