"""µm per pixel: what a file says of it, and when to believe the file."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from napari_tcgn.errors import SettingsError

if TYPE_CHECKING:
    import tifffile

# A resolution tag outside this range (µm/px) is a printing default (72, 96, 300 dpi), not a microscope's.
PLAUSIBLE_UM = (0.1, 5.0)
UM_PER_INCH = 25_400.0
UNKNOWN = "unknown"

_UM_PER_UNIT = {"µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6}


def checked_mpp(mpp: float | None) -> float | None:
    """Return a µm per pixel that was given by hand.

    Raises
    ------
    SettingsError
        If it is not a positive number.
    """
    if mpp is None:
        return None
    if not (math.isfinite(mpp) and mpp > 0):
        raise SettingsError(
            f"mpp must be a positive number of µm per pixel, found {mpp!r}.",
            "Give the side of a pixel in µm, for instance 0.688.",
        )
    return float(mpp)


def mpp_from_dpi(x_dpi: float, y_dpi: float) -> float | None:
    """Return the µm per pixel of a resolution, or None where it cannot be a microscope's."""
    if not (x_dpi > 0 and y_dpi > 0 and abs(x_dpi / y_dpi - 1) < 0.01):
        return None
    mpp = UM_PER_INCH / x_dpi
    return mpp if PLAUSIBLE_UM[0] <= mpp <= PLAUSIBLE_UM[1] else None


def tiff_mpp(tif: tifffile.TiffFile, page: tifffile.TiffPage) -> tuple[float | None, str]:
    """Return µm per pixel of level 0 of a TIFF and where it is written, most specific first."""
    candidates = (
        (_ome_mpp(tif), "OME PhysicalSizeX"),
        (_aperio_mpp(page.description) if tif.is_svs else None, "Aperio MPP"),
        (_imagej_mpp(tif, page), "ImageJ unit"),
        (_resolution_mpp(page), "TIFF resolution tag"),
    )
    return next(((mpp, source) for mpp, source in candidates if mpp is not None), (None, UNKNOWN))


def _positive(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def _ome_mpp(tif: tifffile.TiffFile) -> float | None:
    from xml.etree import ElementTree

    if not tif.is_ome or tif.ome_metadata is None:
        return None
    try:
        root = ElementTree.fromstring(tif.ome_metadata)
    except ElementTree.ParseError:
        return None
    # The first Pixels element belongs to the first image, the slide itself.
    pixels = next((element for element in root.iter() if element.tag.rpartition("}")[2] == "Pixels"), None)
    size = _positive(pixels.get("PhysicalSizeX")) if pixels is not None else None
    unit = _UM_PER_UNIT.get(pixels.get("PhysicalSizeXUnit", "µm")) if pixels is not None else None
    return size * unit if size is not None and unit is not None else None


def _aperio_mpp(description: str) -> float | None:
    found = re.search(r"\bMPP\s*=\s*([0-9.eE+-]+)", description)
    return _positive(found.group(1)) if found else None


def _imagej_mpp(tif: tifffile.TiffFile, page: tifffile.TiffPage) -> float | None:
    unit = (tif.imagej_metadata or {}).get("unit")
    um = _UM_PER_UNIT.get(str(unit).replace("\\u00B5", "µ"))
    per_unit = page.get_resolution()[0]  # px per ImageJ unit
    return um / per_unit if um is not None and per_unit > 0 and 282 in page.tags else None


def _resolution_mpp(page: tifffile.TiffPage) -> float | None:
    # Unit 2 is the inch, 3 the centimetre; 1 means "no unit" and says nothing about size.
    if page.tags.valueof(296, default=2) not in (2, 3) or 282 not in page.tags or 283 not in page.tags:
        return None
    return mpp_from_dpi(*page.get_resolution("INCH"))
