"""Where a TIFF says its µm per pixel, and which of its pages are levels of the slide."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from napari_tcgn.errors import SlideError
from napari_tcgn.slide.mpp import (
    UM_PER_UNIT,
    PixelSize,
    from_dpi,
    from_metadata,
    from_objective,
    most_specific,
    positive,
)
from napari_tcgn.slide.padding import FourthChannel, not_rgb, same_proportions

if TYPE_CHECKING:
    import tifffile

APERIO_YCBCR = 33003  # JPEG 2000 whose components are YCbCr though nothing in the stream says so
JPEG_CODECS = (7,)  # turn YCbCr into RGB themselves


def tiff_pixel_size(tif: tifffile.TiffFile, page: tifffile.TiffPage, name: str) -> PixelSize:
    """Return the pixel size of level 0 of a TIFF, from where it is written most specifically; contradictions are told.

    Parameters
    ----------
    tif : tifffile.TiffFile
    page : tifffile.TiffPage
        Of level 0.
    name : str
        Of the slide, for the error.

    Raises
    ------
    SlideError
        If the pixels are not square.
    """
    aperio = page.description if tif.is_svs else ""
    mpp = positive(_aperio(aperio, "MPP"))
    found = [
        _ome(tif, page, name),
        from_metadata(mpp, mpp, "Aperio MPP", name),
        _imagej(tif, page, name),
        _resolution(page),
    ]
    return most_specific([PixelSize(hint=from_objective(positive(_aperio(aperio, "AppMag")), "AppMag")), *found])


def rgb_levels(tif: tifffile.TiffFile, name: str) -> list[tifffile.TiffPage]:
    """Return the pages of the slide's levels, finest first.

    The largest RGB series is the slide; labels, thumbnails and macro images are series of their own, and a page whose
    proportions are not those of the slide is no level of it, whatever its tags say.

    Raises
    ------
    SlideError
        If there is no image, or none is RGB of 8 bits.
    """
    refused = []
    usable = []
    for series in tif.series:
        problem = _not_rgb(series)
        if problem:
            refused.append(problem)
        else:
            usable.append(series)
    if not refused and not usable:
        raise SlideError(f"{name} is not a readable TIFF: it holds no image.", "Copy or download the file again.")
    if not usable:
        raise not_rgb(name, refused[0])
    largest = max(usable, key=lambda series: series.keyframe.imagewidth * series.keyframe.imagelength)
    pages = [level.pages[0] for level in largest.levels]
    levels = [page.aspage() for page in pages if page is not None]
    if not levels or any(page.parent is not tif for page in levels):
        raise SlideError(
            f"The pixels of {name} lie in other files: it is one part of an OME-TIFF of several.",
            "Save the slide as one OME-TIFF (for instance with bfconvert or QuPath).",
        )
    if not any(levels[0].databytecounts):
        raise SlideError(
            f"{name} is damaged: none of its {len(levels[0].databytecounts)} tiles was ever written.",
            "Write it again: the program that made it has not come to its end.",
        )
    return [
        page
        for page in levels
        if page.imagewidth
        and page.imagelength
        and any(page.databytecounts)
        and same_proportions(_size(page), _size(levels[0]))
    ]


def fourth_channel(page: tifffile.TiffPage) -> FourthChannel:
    """Tell what a page's fourth channel is, by its tag ExtraSamples: only what is called opacity is taken for it."""
    extra = page.extrasamples or (0,)
    return {1: "premultiplied", 2: "alpha"}.get(int(extra[0]), "other")  # type: ignore[return-value]


def is_aperio_ycbcr(tif: tifffile.TiffFile) -> bool:
    """Tell whether the tiles are Aperio's JPEG 2000 in YCbCr, which only openslide turns into RGB."""
    return int(tif.pages[0].compression) == APERIO_YCBCR


def _not_rgb(series: tifffile.TiffPageSeries) -> str:
    """Say why a series is not RGB of 8 bits, "" if it is."""
    page = series.keyframe
    if page.photometric == 3:
        return f"a palette of colours ({page.bitspersample} bits)"
    if 0 in series.shape or series.axes not in ("YXS", "SYX") or page.samplesperpixel not in (3, 4):
        return f"axes {series.axes} of size {'x'.join(map(str, series.shape))}, {page.bitspersample} bits"
    # Photometric 2 is RGB; 6 is YCbCr.
    colour = page.photometric == 2 or (page.photometric == 6 and page.compression in JPEG_CODECS)
    if series.dtype != np.uint8 or not colour or page.compression == APERIO_YCBCR:
        photometric = getattr(page.photometric, "name", "?")
        return f"{page.bitspersample} bits, photometric {photometric}, compression {int(page.compression)}"
    return ""


def _size(page: tifffile.TiffPage) -> tuple[int, int]:
    return page.imagewidth, page.imagelength


def _ome(tif: tifffile.TiffFile, page: tifffile.TiffPage, name: str) -> PixelSize:
    from xml.etree import ElementTree

    if not tif.is_ome or tif.ome_metadata is None:
        return PixelSize()
    try:
        root = ElementTree.fromstring(tif.ome_metadata)
    except ElementTree.ParseError:
        return PixelSize()
    size = (str(page.imagewidth), str(page.imagelength))
    tags = [element for element in root.iter() if element.tag.rpartition("}")[2] in ("Pixels", "Objective")]
    # A file may hold a macro image too: the element of the slide is the one of its size.
    pixels = next((e for e in tags if (e.get("SizeX"), e.get("SizeY")) == size), None)
    if pixels is None:
        return PixelSize()
    sides: list[float | None] = []
    for axis in "XY":
        side = positive(pixels.get(f"PhysicalSize{axis}"))
        um = UM_PER_UNIT.get(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        sides.append(None if side is None or um is None else side * um)
    found = from_metadata(sides[0], sides[1], "OME PhysicalSizeX", name)
    if found.mpp is not None:
        return found
    power = next((positive(e.get("NominalMagnification")) for e in tags if e.get("NominalMagnification")), None)
    hints = (found.hint, from_objective(power, "Objective magnification"))
    return PixelSize(hint=" ".join(hint for hint in hints if hint))


def _aperio(description: str, key: str) -> str | None:
    found = re.search(rf"\b{key}\s*=\s*([0-9.eE+-]+)", description)
    return found.group(1) if found else None


def _imagej(tif: tifffile.TiffFile, page: tifffile.TiffPage, name: str) -> PixelSize:
    unit = (tif.imagej_metadata or {}).get("unit")
    um = UM_PER_UNIT.get(str(unit).replace("\\u00B5", "µ"))
    across, down = page.get_resolution()  # px per ImageJ unit
    if um is None or across <= 0 or down <= 0 or 282 not in page.tags:
        return PixelSize()
    return from_metadata(um / across, um / down, "ImageJ unit", name)


def _resolution(page: tifffile.TiffPage) -> PixelSize:
    # Unit 2 is the inch, 3 the centimetre; 1 means "no unit" and says nothing about size.
    if page.tags.valueof(296, default=2) not in (2, 3) or 282 not in page.tags or 283 not in page.tags:
        return PixelSize()
    return from_dpi(*page.get_resolution("INCH"), "TIFF resolution tag")
