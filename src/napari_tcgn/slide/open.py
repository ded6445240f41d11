"""The one way to open a slide: what is in a file decides which reader takes it, not what the file is called."""

from __future__ import annotations

from pathlib import Path

from napari_tcgn.errors import SlideError
from napari_tcgn.files import NotRegularError, reading, require_regular
from napari_tcgn.slide.base import Slide
from napari_tcgn.slide.image import ImageSlide
from napari_tcgn.slide.ome_zarr import OmeZarrSlide, is_zarr
from napari_tcgn.slide.orientation import UPRIGHT, TurnedSlide
from napari_tcgn.slide.padding import require_possible_size
from napari_tcgn.slide.tiff import TiffSlide, has_aperio_ycbcr, require_few_pages, tiff_orientation
from napari_tcgn.slide.vendor import VendorSlide, vendor_of

# First bytes of TIFF and BigTIFF in either byte order.
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_IMAGE_STARTS = (b"\xff\xd8\xff", b"\x89PNG")
# Formats of openslide that tifffile reads as well and faster; the others need the vendor's rules (stitched tiles,
# several scan areas, focal planes), which openslide knows.
_PLAIN_TIFF = (None, "aperio", "generic-tiff")
# Formats whose named file is only an index or a preview: without the rest of it, it is not the slide.
_INDEX_FILES = (".mrxs", ".vms", ".vmu")


def open_slide(path: str | Path, mpp: float | None = None) -> Slide:
    """Open a slide; its kind is told by its content, not by its name.

    Parameters
    ----------
    path : str or pathlib.Path
        TIFF (tiled, pyramidal, OME, Aperio SVS), OME-Zarr folder, NDPI, MRXS, SCN, BIF, VMS and what else openslide
        reads, JPEG, PNG; RGB of 8 bits.
    mpp : float or None
        µm per pixel of the full resolution; wins over what the file says.

    Returns
    -------
    Slide
        Its pixels are read when they are asked for.

    Raises
    ------
    SlideError
        If the file is missing, unreadable, not an RGB image of 8 bits, or has pixels that are not square.
    SettingsError
        If `mpp` is not a positive number.
    """
    path = Path(path)
    with reading(path.name, SlideError):
        slide = _open(path, mpp)
    try:
        require_possible_size(path.name, slide.level_dimensions[0])
    except SlideError:
        slide.close()
        raise
    return slide


def _open(path: Path, mpp: float | None) -> Slide:
    start = _first_bytes(path)
    if start is None:
        return OmeZarrSlide(path, mpp)
    if start[:4] in _TIFF_STARTS:
        slide, orientation = _open_tiff(path, mpp), tiff_orientation(path)
        return slide if orientation == UPRIGHT else TurnedSlide(slide, orientation)
    index = path.suffix.lower() in _INDEX_FILES
    if start.startswith(_IMAGE_STARTS) and not index:  # openslide knows such a file only as the preview of an .mrxs
        return ImageSlide(path, mpp)
    if vendor_of(path) is not None:
        return VendorSlide(path, mpp)
    if index:
        raise SlideError(
            f"{path.name} is there, but not the data that belong to it.",
            f"Keep the folder or files that the scanner wrote with it ({path.stem}…) beside it.",
        )
    raise SlideError(
        f"{path.name} is not a readable slide: neither TIFF, OME-Zarr, JPEG, PNG nor a format of openslide.",
        "Convert it to OME-TIFF (for instance with QuPath or bfconvert), or copy the file again if it should be one.",
    )


def _first_bytes(path: Path) -> bytes | None:
    """Return the first bytes of a file, None for an OME-Zarr folder; every other thing is an error."""
    try:
        if path.is_dir():
            if is_zarr(path):
                return None
            raise SlideError(f"{path} is a folder, not an image.", "Name the H&E image in it.")
        require_regular(path)
        with path.open("rb") as handle:
            start = handle.read(16)
    except NotRegularError:
        raise
    except FileNotFoundError as error:
        raise SlideError(f"The image {path} does not exist.", "Check its name and folder.") from error
    except (OSError, ValueError) as error:  # a path may be too long, or hold a zero byte
        reason = getattr(error, "strerror", None) or error
        raise SlideError(f"{path} cannot be read: {reason}.", "Check the file, its path and permissions.") from error
    if not start:
        raise SlideError(f"{path.name} is empty.", "Copy or download it again.")
    return start


def _open_tiff(path: Path, mpp: float | None) -> Slide:
    require_few_pages(path)
    if vendor_of(path) not in _PLAIN_TIFF or has_aperio_ycbcr(path):
        return VendorSlide(path, mpp)
    return TiffSlide(path, mpp)
