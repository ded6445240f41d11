"""TIFF files: tiled or in strips, pyramidal, OME, Aperio SVS; only the tiles that are asked for are decoded."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SlideError
from napari_tcgn.files import COPY_AGAIN, reading
from napari_tcgn.memory import require_budget
from napari_tcgn.slide.mpp import checked_mpp, settled
from napari_tcgn.slide.orientation import TAG, UPRIGHT, known
from napari_tcgn.slide.padding import WHITE, check_level, read_on_white, require_opaque, to_pyramid, without_alpha
from napari_tcgn.slide.tiff_metadata import fourth_channel, is_aperio_ycbcr, rgb_levels, tiff_pixel_size
from napari_tcgn.slide.unwritten import Unwritten, require_written

if TYPE_CHECKING:
    import tifffile

MAX_PAGES = 20_000
CACHE_BYTES = 64 * 2**20  # decoded tiles kept: patches of neighbouring spots share them


class TiffSlide:
    """A slide behind a TIFF file.

    Parameters
    ----------
    path : pathlib.Path
    mpp : float or None
        µm per pixel of level 0; None takes what the file says.

    Raises
    ------
    SlideError
        If the file is no readable TIFF or not RGB of 8 bits.
    SettingsError
        If `mpp` is not a positive number.
    """

    def __init__(self, path: Path, mpp: float | None = None) -> None:
        import tifffile

        self.path: Path | None = path
        self.name = path.name.removesuffix(path.suffix).removesuffix(".ome")
        given = checked_mpp(mpp)
        self._lock = threading.Lock()
        self._closed = False
        with reading(path.name, SlideError), ExitStack() as opened:
            self._tif = opened.enter_context(tifffile.TiffFile(path))
            self._pages = rgb_levels(self._tif, path.name)
            self.stated = tiff_pixel_size(self._tif, self._pages[0], path.name)
            size = settled(given, self.stated)
            self._fourth = [fourth_channel(page) for page in self._pages]
            largest = max(_segment_pixels(page, path.name) for page in self._pages)
            self._segment = lru_cache(maxsize=max(1, CACHE_BYTES // (largest * 3)))(self._decode_segment)
            self.level_dimensions: tuple[tuple[int, int], ...] = tuple(
                (page.imagewidth, page.imagelength) for page in self._pages
            )
            self._require_opaque()
            require_written(path.name, _unwritten(self._pages[0]), self.level_dimensions, self.read_region)
            opened.pop_all()  # it stays open
        self.mpp, self.mpp_source, self.mpp_hint = size.mpp, size.source, size.hint

    def read_region(self, x: int, y: int, width: int, height: int, level: int = 0) -> NDArray[np.uint8]:
        """Read a rectangle of one level; see `Slide.read_region`.

        Raises
        ------
        SlideError
            If the slide is closed, or a tile is corrupt or missing.
        """
        size = check_level(level, self.level_dimensions)
        return read_on_white(
            lambda x0, y0, x1, y1: self._read_inside(level, x0, y0, x1, y1), (x, y, width, height), size
        )

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            self._closed = True
            self._tif.close()
        self._segment.cache_clear()

    def _require_opaque(self) -> None:
        """Refuse a slide of no opacity anywhere, as its coarsest level shows."""
        level = len(self._pages) - 1
        page = self._pages[level]
        if self._fourth[level] == "other" or page.samplesperpixel < 4:
            return
        across, down = _grid(page)
        first = 0 if page.planarconfig == 1 else 3 * across * down  # separate planes: opacity after red, green, blue
        for index in range(first, first + across * down):
            # Of separate planes, an absent tile of opacity is read as white, which is opaque.
            if not page.databytecounts[index]:
                if first:
                    return
            elif self._decode_plane(page, index)[..., -1].any():
                return
        require_opaque(self.name, np.zeros(1, np.uint8))

    def _read_inside(self, level: int, x0: int, y0: int, x1: int, y1: int) -> NDArray[np.uint8]:
        """Put the rectangle together from the tiles (or strips) that it touches."""
        page = self._pages[level]
        height, width = _segment_shape(page)
        out = np.empty((y1 - y0, x1 - x0, 3), np.uint8)
        for row in range(y0 // height, (y1 - 1) // height + 1):
            for column in range(x0 // width, (x1 - 1) // width + 1):
                tile = self._segment(level, row, column)
                top, left = row * height, column * width
                a, b = max(y0, top), min(y1, top + tile.shape[0])
                c, d = max(x0, left), min(x1, left + tile.shape[1])
                out[a - y0 : b - y0, c - x0 : d - x0] = tile[a - top : b - top, c - left : d - left]
        return out

    def _decode_segment(self, level: int, row: int, column: int) -> NDArray[np.uint8]:
        """Decode one tile or strip, uint8 [h, w, 3]; a tile that the file leaves out is white."""
        page = self._pages[level]
        across, down = _grid(page)
        index = row * across + column
        if page.planarconfig == 1:
            return without_alpha(self._decode_plane(page, index), self._fourth[level])
        # Separate planes: all tiles of red, then of green, then of blue.
        planes = [self._decode_plane(page, index + channel * across * down) for channel in range(page.samplesperpixel)]
        return without_alpha(np.concatenate(planes, axis=-1), self._fourth[level])

    def _decode_plane(self, page: tifffile.TiffPage, index: int) -> NDArray[np.uint8]:
        with reading(f"Tile {index} of {self.name}", SlideError):
            offset, count = page.dataoffsets[index], page.databytecounts[index]
            # The file has one position; decoding, the slow part, runs in all threads at once.
            with self._lock:
                if self._closed:
                    raise SlideError(f"Slide {self.name} is closed.", "Open it again.")
                self._tif.filehandle.seek(offset)
                data = self._tif.filehandle.read(count) if count else None
            if data is not None and len(data) < count:
                raise ValueError(f"it ends after {len(data)} of {count} bytes")
            pixels, _, shape = page.decode(data, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader)
        if pixels is None:
            return np.full(shape[1:], WHITE, np.uint8)
        decoded: NDArray[np.uint8] = pixels[0]  # one focal plane
        return decoded


def _segment_shape(page: tifffile.TiffPage) -> tuple[int, int]:
    """Height and width in px of a page's tiles or strips."""
    if page.is_tiled:
        return page.tilelength, page.tilewidth
    return min(page.rowsperstrip, page.imagelength), page.imagewidth


def _segment_pixels(page: tifffile.TiffPage, name: str) -> int:
    """Return how many px a tile or strip has, after making sure that one can be decoded.

    Raises
    ------
    SlideError
        If it has none, or more than memory can hold.
    """
    height, width = _segment_shape(page)
    what = "tiles" if page.is_tiled else "strips"
    if height < 1 or width < 1:
        raise SlideError(f"{name} claims {what} of {width} x {height} px.", COPY_AGAIN)
    require_budget(
        f"{name} has {what} of {width} x {height} px, each of which is decoded whole and",
        height * width * max(3, page.samplesperpixel) * 2,
        to_pyramid(name),
        SlideError,
    )
    return height * width


def _grid(page: tifffile.TiffPage) -> tuple[int, int]:
    """Return how many tiles (or strips) lie side by side, and one below the other."""
    height, width = _segment_shape(page)
    return -(-page.imagewidth // width), -(-page.imagelength // height)


def _unwritten(page: tifffile.TiffPage) -> Unwritten:
    """Return which tiles of a page were never written: their byte count is zero."""
    across, down = _grid(page)
    planes = 1 if page.planarconfig == 1 else page.samplesperpixel
    counts = np.asarray(page.databytecounts[: planes * across * down])
    if len(counts) < planes * across * down:
        raise ValueError(f"it lists {len(counts)} of {planes * across * down} tiles")
    absent = np.moveaxis(counts.reshape(planes, down, across) == 0, 0, -1)[..., :3]
    return Unwritten(np.broadcast_to(absent, (down, across, 3)), _segment_shape(page), WHITE, "tiles")


def require_few_pages(path: Path) -> None:
    """Refuse a TIFF of more pages than any slide has: every reader would go through all of them for hours.

    Raises
    ------
    SlideError
    """
    pages = 0
    with path.open("rb") as file:
        order: Literal["little", "big"] = "little" if file.read(2) == b"II" else "big"
        big = int.from_bytes(file.read(2), order) == 43
        wide, count, entry = (8, 8, 20) if big else (4, 2, 12)
        file.seek(8 if big else 4)
        while offset := int.from_bytes(file.read(wide), order):
            pages += 1
            if pages > MAX_PAGES:
                raise SlideError(
                    f"{path.name} lists over {MAX_PAGES:,} pages, more than a slide has, or a ring of them.", COPY_AGAIN
                )
            file.seek(offset)
            entries = int.from_bytes(file.read(count), order)
            file.seek(offset + count + entry * entries)


def has_aperio_ycbcr(path: Path) -> bool:
    """Tell whether a TIFF's tiles are Aperio's JPEG 2000 in YCbCr; False for what is no readable TIFF."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as tif:
            return is_aperio_ycbcr(tif)
    except Exception:  # tifffile raises many kinds for a damaged file; opening the slide names what is wrong
        return False


def tiff_orientation(path: Path) -> int:
    """Return the orientation tag of a TIFF's slide (see `orientation`), upright where there is none."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as tif:
            largest = max(tif.series, key=lambda series: series.keyframe.imagewidth * series.keyframe.imagelength)
            return known(largest.keyframe.tags.valueof(TAG, default=UPRIGHT))
    except Exception:  # as above
        return UPRIGHT
