"""The one way to open a slide file."""

from __future__ import annotations

from pathlib import Path

from napari_tcgn.errors import SlideError
from napari_tcgn.slide.base import Slide
from napari_tcgn.slide.image import ImageSlide
from napari_tcgn.slide.tiff import TiffSlide

# First bytes of TIFF and BigTIFF in either byte order.
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def open_slide(path: str | Path, mpp: float | None = None) -> Slide:
    """Open a slide; its kind is told by its first bytes, not by its name.

    Parameters
    ----------
    path : str or pathlib.Path
        JPEG, PNG, or TIFF (tiled, pyramidal, OME, Aperio SVS); RGB of 8 bits.
    mpp : float or None
        µm per pixel of the full resolution; wins over what the file says.

    Returns
    -------
    Slide
        Its pixels are read when they are asked for.

    Raises
    ------
    SlideError
        If the file is missing, unreadable, or not an RGB image of 8 bits.
    SettingsError
        If `mpp` is not a positive number.
    """
    path = Path(path)
    if path.is_dir():
        raise SlideError(f"{path} is a folder, not an image.", "Name the H&E image in it.")
    if not path.exists():
        raise SlideError(f"The image {path} does not exist.", "Check its name and folder.")
    try:
        with path.open("rb") as handle:
            start = handle.read(4)
    except OSError as error:
        raise SlideError(f"{path} cannot be read: {error.strerror}.", "Check the file and its permissions.") from error
    if not start:
        raise SlideError(f"{path.name} is empty.", "Copy or download it again.")
    return TiffSlide(path, mpp) if start in _TIFF_STARTS else ImageSlide(path, mpp)
