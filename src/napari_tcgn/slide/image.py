"""Plain JPEG and PNG images, such as the sections of the her2st data."""

from __future__ import annotations

import struct
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from napari_tcgn.errors import SlideError
from napari_tcgn.files import reading
from napari_tcgn.memory import require_budget
from napari_tcgn.slide import orientation
from napari_tcgn.slide.base import Slide
from napari_tcgn.slide.mpp import PixelSize, checked_mpp, from_dpi, settled
from napari_tcgn.slide.padding import check_level, not_rgb, read_on_white, require_opaque, to_pyramid, without_alpha

# Such an image is decoded whole: Pillow takes 4 bytes a pixel, the pixels as they are kept 3, and 3 more while they are
# turned or rid of their opacity.
BYTES_PER_PIXEL = 10

# Pillow's limit against decompression bombs is one value for the whole process and lower than real sections.
_pillow_limit = threading.Lock()


class ImageSlide:
    """A slide of one level behind a JPEG or PNG file, decoded at the first read and kept.

    Parameters
    ----------
    path : pathlib.Path
    mpp : float or None
        µm per pixel; None takes what the file says, if it can be a microscope's.

    Raises
    ------
    SlideError
        If the file is no JPEG or PNG, is not RGB of 8 bits, or is too large to decode whole.
    SettingsError
        If `mpp` is not a positive number.
    """

    def __init__(self, path: Path, mpp: float | None = None) -> None:
        self.path: Path | None = path
        self.name = path.stem
        self._file = path
        self._pixels: NDArray[np.uint8] | None = None
        self._tiles: Slide | None = None
        self._lock = threading.Lock()
        given = checked_mpp(mpp)
        with reading(path.name, SlideError), _open(path) as image:
            if image.mode not in ("RGB", "RGBA", "P"):
                raise not_rgb(path.name, f"pillow mode {image.mode!r} ({_mode_name(image.mode)})")
            if image.format == "PNG" and (bits := _png_bits(path)) > 8:
                raise not_rgb(path.name, f"{bits} bits a channel")
            self.orientation = _orientation(image, path)
            found = PixelSize()
            if "dpi" in image.info:
                across, down = map(float, image.info["dpi"])
                found = from_dpi(across, down, f"{image.format} resolution")
            size, pixel = orientation.turned_size(image.size, self.orientation), settled(given, found)
            self.stated = found
        self.mpp, self.mpp_source, self.mpp_hint = pixel.mpp, pixel.source, pixel.hint
        self.level_dimensions: tuple[tuple[int, int], ...] = (size,)

    def read_region(self, x: int, y: int, width: int, height: int, level: int = 0) -> NDArray[np.uint8]:
        """Read a rectangle; see `Slide.read_region`. The first call decodes the file.

        Raises
        ------
        SlideError
            If the file is truncated or corrupt.
        """
        size = check_level(level, self.level_dimensions)
        tiles = self._tiles
        if tiles is not None:
            try:
                return tiles.read_region(x, y, width, height)
            except SlideError:
                self._tiles = None  # the copy was closed or has gone; the file itself is still there
        pixels = self._decoded()
        return read_on_white(lambda x0, y0, x1, y1: pixels[y0:y1, x0:x1].copy(), (x, y, width, height), size)

    def preview(self, shrink: int) -> NDArray[np.uint8] | None:
        """Decode a JPEG at a half, a quarter or an eighth of its size, in a fraction of the time of the whole.

        Parameters
        ----------
        shrink : {2, 4, 8}

        Returns
        -------
        uint8 [ceil(height / shrink), ceil(width / shrink), 3] or None
            For pictures; None if the file is no JPEG or can be read as quickly as it is.

        Raises
        ------
        SlideError
            If the file is truncated or corrupt.
        """
        if self._pixels is not None or self._tiles is not None:
            return None
        with reading(self._file.name, SlideError), _open(self._file) as image:
            if image.format != "JPEG":
                return None
            image.draft("RGB", (image.width // shrink, image.height // shrink))
            return orientation.turned(np.asarray(image), self.orientation)

    def read_from(self, tiles: Slide) -> None:
        """Read from a tiled copy of the same pixels from now on and free the decoded ones.

        Parameters
        ----------
        tiles : Slide
            Level 0 has this image's pixels, without loss; closed with this slide.
        """
        with self._lock:
            self._tiles, self._pixels = tiles, None

    def close(self) -> None:
        """Free the decoded pixels; a later read decodes the file anew."""
        with self._lock:
            tiles, self._tiles, self._pixels = self._tiles, None, None
        if tiles is not None:
            tiles.close()

    def _decoded(self) -> NDArray[np.uint8]:
        with self._lock:
            if self._pixels is None:
                with reading(self._file.name, SlideError), _open(self._file) as image:
                    if image.mode == "P":
                        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
                    pixels = np.asarray(image)
                    require_opaque(self._file.name, pixels[..., 3:])
                    self._pixels = np.ascontiguousarray(orientation.turned(without_alpha(pixels), self.orientation))
            return self._pixels


def _open(path: Path) -> Image.Image:
    with _pillow_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(path, formats=("JPEG", "PNG"))
        except UnidentifiedImageError as error:
            raise SlideError(
                f"{path.name} is not a readable JPEG, PNG or TIFF image.",
                "Give an H&E image in one of these formats, or copy the file again if it should be one.",
            ) from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    try:
        require_budget(
            f"{path.name} must be decoded whole; it has {image.width} x {image.height} px and",
            image.width * image.height * BYTES_PER_PIXEL,
            to_pyramid(path.name),
            SlideError,
        )
    except SlideError:
        image.close()
        raise
    return image


def _png_bits(path: Path) -> int:
    """Return the bits a channel of a PNG, which Pillow shortens to 8 without a word (its header, IHDR)."""
    with path.open("rb") as file:
        return file.read(25)[24]


def _orientation(image: Image.Image, path: Path) -> int:
    """Return the orientation that the EXIF data of an image say, without decoding it."""
    found = image.info.get("exif") or (_png_exif(path) if image.format == "PNG" else b"")
    exif = Image.Exif()
    try:
        exif.load(found)
    except Exception:  # Pillow raises many kinds for it; broken EXIF data say nothing
        return orientation.UPRIGHT
    return orientation.known(exif.get(orientation.TAG))


def _png_exif(path: Path) -> bytes:
    """Return the chunk eXIf of a PNG, which may stand behind the pixels; b"" where there is none."""
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"eXIf":
                return file.read(length)
            file.seek(length + 4, 1)  # the chunk and its checksum
    return b""


def _mode_name(mode: str) -> str:
    if mode in ("CMYK", "LAB", "HSV"):
        return f"{mode} colours"
    if mode in ("1", "L", "LA"):
        return "one channel"
    return "16 or 32 bits, one channel" if mode.startswith(("I", "F")) else "not RGB"
