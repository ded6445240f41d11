"""µm per pixel: when to believe what a file says of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from napari_tcgn.errors import SettingsError, SlideError

_AGAINST_FILE = "; the file says"
# A resolution tag outside this range (µm/px) is a printing default (72, 96, 300 dpi), not a microscope's.
PLAUSIBLE_UM = (0.1, 5.0)
# Metadata that names µm itself may lie further out (100x oil, an overview scan), but not anywhere.
POSSIBLE_UM = (0.02, 20.0)
CONTRADICTS = 0.05  # share by which a value given by hand may differ from the file's without a word
SQUARE = 0.01  # sides of a pixel may differ by this share: scanners calibrate both axes
UM_PER_INCH = 25_400.0
UM_PER_UNIT = {
    **dict.fromkeys(("µm", "μm", "um", "micron", "microns", "micrometer", "micrometre"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-3),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e4),
    **dict.fromkeys(("m", "meter", "metre"), 1e6),
}
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PixelSize:
    """What is known of a slide's pixel size.

    Attributes
    ----------
    mpp : float or None
        µm per pixel of level 0.
    source : str
        Where that is written, "given" or "unknown".
    hint : str
        A sentence for whoever is asked for an unknown one, or that tells what a given one contradicts; "" for none.
    """

    mpp: float | None = None
    source: str = UNKNOWN
    hint: str = ""


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


def settled(given: float | None, found: PixelSize, how: str = "given") -> PixelSize:
    """Return what was given by hand, else what was found; a contradiction between them is told.

    Parameters
    ----------
    given : float or None
        µm per pixel, already checked.
    found : PixelSize
        What the file says.
    how : str
        How it was given, for the record.
    """
    if given is None:
        return found
    if found.mpp is None or abs(given / found.mpp - 1) <= CONTRADICTS:
        return PixelSize(given, how)
    where = found.source.partition(_AGAINST_FILE)[0]
    times = max(given / found.mpp, found.mpp / given)
    more = "more" if given > found.mpp else "less"
    told = (
        f"The file says {found.mpp:g} µm per pixel ({where}), and {given:g} was given, {times:.3g} times {more}: "
        "patches are cut by what was given. Take the file's if it was mistyped."
    )
    return PixelSize(given, f"{how}{_AGAINST_FILE} {found.mpp:g} ({where})", told)


def most_specific(found: Sequence[PixelSize]) -> PixelSize:
    """Return the first known of what a file says in several places; another one that contradicts it is told."""
    known = [size for size in found if size.mpp is not None]
    if not known:
        return PixelSize(hint=" ".join(size.hint for size in found if size.hint))
    first = known[0]
    assert first.mpp is not None  # it is known
    other = next((size for size in known if size.mpp is not None and abs(size.mpp / first.mpp - 1) > CONTRADICTS), None)
    if other is None:
        return first
    told = (
        f"The file says {first.mpp:g} µm per pixel ({first.source}) and {other.mpp:g} ({other.source}): the first is "
        "taken; give the right one to settle it."
    )
    return PixelSize(first.mpp, f"{first.source}{_AGAINST_FILE} {other.mpp:g} too ({other.source})", told)


def contradicts_file(source: str) -> bool:
    """Whether a slide's `mpp_source` says that the file has another µm per pixel, too: it was given, or has two."""
    return _AGAINST_FILE in source


def from_metadata(x: float | None, y: float | None, source: str, name: str) -> PixelSize:
    """Judge a pixel size in µm that metadata state outright.

    Parameters
    ----------
    x, y : float or None
        Width and height of a pixel in µm.
    source : str
        Where they are written.
    name : str
        Of the slide, for the error.

    Returns
    -------
    PixelSize
        Unknown, with a hint, where the size cannot be a microscope's.

    Raises
    ------
    SlideError
        If the pixels are not square.
    """
    across, down = x if x is not None else y, y if y is not None else x
    if across is None or down is None:
        return PixelSize()
    if not all(math.isfinite(side) and side > 0 for side in (across, down)):
        return PixelSize()
    if abs(across / down - 1) > SQUARE:
        raise SlideError(
            f"The pixels of {name} are not square: {across:g} x {down:g} µm ({source}).",
            "Resample the image to square pixels, or correct its metadata if they are wrong.",
        )
    mpp = (across + down) / 2
    if not POSSIBLE_UM[0] <= mpp <= POSSIBLE_UM[1]:
        return PixelSize(hint=f"The file says {mpp:g} µm per pixel ({source}), which is no light microscope's.")
    return PixelSize(mpp, source)


def from_dpi(x_dpi: float, y_dpi: float, source: str) -> PixelSize:
    """Judge a resolution in dots per inch, which is a printing default more often than a microscope's."""
    if not (x_dpi > 0 and y_dpi > 0 and math.isfinite(x_dpi) and math.isfinite(y_dpi)):
        return PixelSize()
    if abs(x_dpi / y_dpi - 1) > SQUARE:
        return PixelSize(hint=f"Its {source} differs in x and y ({x_dpi:g} and {y_dpi:g} dpi).")
    mpp = UM_PER_INCH / x_dpi
    if not PLAUSIBLE_UM[0] <= mpp <= PLAUSIBLE_UM[1]:
        return PixelSize(hint=f"Its {source} of {x_dpi:g} dpi is not a microscope's.")
    return PixelSize(mpp, source)


def from_objective(power: float | None, label: str = "objective power") -> str:
    """Return the hint that an objective's power is: scanners at 20x have about 0.5 µm per pixel, at 40x 0.25."""
    if power is None or not 1 <= power <= 150:
        return ""
    return f"{label} {power:g} suggests about {10 / power:.2g} µm per pixel."


def positive(text: str | None) -> float | None:
    """Return the positive number in a text, None if it holds none."""
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None
