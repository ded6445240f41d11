"""What every kind of slide shares: white outside the image, RGB of 8 bits, no transparency."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SlideError
from napari_tcgn.files import COPY_AGAIN

WHITE = 255
MAX_SIDE = 2**24  # px: 4 m at 0.25 µm; what a damaged header may claim would be read for ever

FourthChannel = Literal["alpha", "premultiplied", "other"]


def to_pyramid(name: str) -> str:
    """Return how to make a tiled pyramid of an image."""
    return f"Convert it to a tiled pyramid: vips tiffsave {name} tiled.tif --tile --pyramid --compression jpeg"


def read_on_white(
    read: Callable[[int, int, int, int], NDArray[np.uint8]],
    box: tuple[int, int, int, int],
    size: tuple[int, int],
) -> NDArray[np.uint8]:
    """Read the part of a rectangle that lies inside an image and lay it on white.

    Parameters
    ----------
    read : callable (x0, y0, x1, y1) -> uint8 [y1 - y0, x1 - x0, 3]
        Reads a rectangle that lies wholly inside; not called when nothing does.
    box : (x, y, width, height)
        What was asked for, in px; may lie outside.
    size : (width, height)
        Of the image in px.

    Returns
    -------
    uint8 [height, width, 3]

    Raises
    ------
    SlideError
        If the rectangle is empty.
    """
    x, y, width, height = box
    if width < 1 or height < 1:
        raise SlideError(f"A region of {width} x {height} px was asked for.", "Ask for at least one pixel.")
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + width, size[0]), min(y + height, size[1])
    inside = x0 < x1 and y0 < y1
    if inside and (x1 - x0, y1 - y0) == (width, height):
        return np.ascontiguousarray(read(x0, y0, x1, y1))
    padded = np.full((height, width, 3), WHITE, dtype=np.uint8)
    if inside:
        padded[y0 - y : y1 - y, x0 - x : x1 - x] = read(x0, y0, x1, y1)
    return padded


def check_level(level: int, level_dimensions: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the size of a level, or say that there is none.

    Raises
    ------
    SlideError
        If the slide has no such level.
    """
    if not 0 <= level < len(level_dimensions):
        raise SlideError(
            f"Level {level} was asked for; the slide has levels 0 to {len(level_dimensions) - 1}.",
            "Ask for one of these.",
        )
    return level_dimensions[level]


def without_alpha(pixels: NDArray[np.uint8], meaning: FourthChannel = "alpha") -> NDArray[np.uint8]:
    """Lay RGBA pixels (uint8 [h, w, 4]) on white; RGB pixels are returned as they are.

    Parameters
    ----------
    pixels : uint8 [h, w, 3 or 4]
    meaning : {"alpha", "premultiplied", "other"}
        What the fourth channel is: opacity, with which the colours are multiplied already or not, or something that is
        no part of the picture (infrared, padding), which is left out.
    """
    if pixels.shape[-1] == 3:
        return pixels
    rgb, alpha = pixels[..., :3], pixels[..., 3:]
    if meaning == "other" or (alpha == WHITE).all():
        return rgb
    if meaning == "premultiplied":
        # A colour above its opacity is rounding, or no premultiplied one at all: never brighter than white.
        laid: NDArray[np.uint8] = np.minimum(rgb.astype(np.uint16) + (WHITE - alpha), WHITE).astype(np.uint8)
        return laid
    weight = alpha.astype(np.uint16)
    mixed: NDArray[np.uint8] = ((rgb * weight + WHITE * (WHITE - weight) + 127) // WHITE).astype(np.uint8)
    return mixed


def require_possible_size(name: str, size: tuple[int, int]) -> None:
    """Refuse an image of a size (width, height) that no slide has.

    Raises
    ------
    SlideError
    """
    if max(size) > MAX_SIDE:
        raise SlideError(f"{name} claims to have {size[0]} x {size[1]} px, which no slide has.", COPY_AGAIN)


def require_opaque(name: str, alpha: NDArray[np.uint8]) -> None:
    """Refuse an image whose opacity, uint8 of any shape, is zero everywhere: it would be blank.

    Raises
    ------
    SlideError
    """
    if alpha.size and not alpha.any():
        raise SlideError(
            f"{name} is transparent everywhere: its fourth channel, the opacity, is zero in every pixel.",
            "Save it without that channel, as RGB (for instance with QuPath or Fiji).",
        )


def require_opacity(name: str, read: Callable[[int, int], NDArray[np.uint8]], height: int, step: int) -> None:
    """Refuse an image whose opacity is zero everywhere, reading no more of it than up to the first that is not.

    Parameters
    ----------
    name : str
    read : callable (y0, y1) -> uint8 [y1 - y0, width]
        Reads the opacity of some rows.
    height : int
        Of the image in px.
    step : int
        Rows that are read at a time.

    Raises
    ------
    SlideError
    """
    if not any(read(y, min(y + step, height)).any() for y in range(0, height, step)):
        require_opaque(name, np.zeros(1, np.uint8))


def not_rgb(name: str, found: str, hint: str = "") -> SlideError:
    """Return the error for an image that is not RGB of 8 bits; `found` says what it is, `hint` what helps this one."""
    return SlideError(
        f"{name} is not an RGB image of 8 bits: found {found}.",
        hint or "Give an H&E image in colour, converted to 8-bit RGB (for instance with QuPath or Fiji).",
    )


def same_proportions(size: tuple[int, int], full: tuple[int, int]) -> bool:
    """Tell whether an image of a size (width, height) can be a coarser level of one of the full size.

    Writers round up or down, and some pad; one px of either side is forgiven.
    """
    width, height = full[0] / size[0], full[1] / size[1]
    slack = max(1 / size[0], 1 / size[1])
    return abs(width / height - 1) <= max(0.01, 2 * slack)
