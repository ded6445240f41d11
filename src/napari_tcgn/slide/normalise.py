"""A slide seen with the stain of other slides: Macenko's or Reinhard's normalisation of every region that is read.

The change of colour that follows from two estimates of a stain (`stain_fit`) is the same for every pixel, so that it
can be applied to patches one by one, whatever they show.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.options import StainName
from napari_tcgn.slide.base import Slide
from napari_tcgn.slide.padding import check_level, read_on_white
from napari_tcgn.slide.stain_fit import LMS_TO_LAB, RGB_TO_LMS, Reference

ColourChange = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def colour_change(method: StainName, source: Reference, target: Reference) -> ColourChange:
    """Return what turns colours (uint8 [..., 3]) of one stain into those of another.

    Parameters
    ----------
    method : {"reinhard", "macenko"}
    source, target : dict
        As `fit_stain` returns them.
    """
    if method == "reinhard":
        scale = np.diag(np.array(target["sigma"]) / np.maximum(source["sigma"], 1e-6))
        # In the logarithms of the cones' responses the change is one affine map.
        back = np.linalg.inv(LMS_TO_LAB)
        slope = back @ scale @ LMS_TO_LAB
        level = back @ (np.array(target["mu"]) - scale @ np.array(source["mu"]))
        return _change(RGB_TO_LMS, slope, level)
    amount = np.array(target["max_concentrations"]) / np.array(source["max_concentrations"])
    slope = np.array(target["stain_matrix"]) @ np.diag([*amount, 1.0]) @ np.linalg.inv(source["stain_matrix"])
    # `optical_density` with one added: log(rgb + 1) is its negative but for a constant.
    white = np.log(256.0)
    return _change(np.eye(3), slope, white - slope @ np.full(3, white))


def _change(mix: NDArray[np.float64], slope: NDArray[np.float64], level: NDArray[np.float64]) -> ColourChange:
    """Return rgb -> unmix(exp(slope @ log(mix @ rgb + 1) + level) - 1), rounded to uint8."""
    mix32, unmix32 = mix.astype(np.float32).T, np.linalg.inv(mix).astype(np.float32).T
    slope32, level32 = slope.astype(np.float32).T, level.astype(np.float32)

    def change(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        logs = np.log1p(pixels.reshape(-1, 3).astype(np.float32) @ mix32)
        changed = np.expm1(logs @ slope32 + level32) @ unmix32
        result: NDArray[np.uint8] = np.clip(np.rint(changed), 0, 255).astype(np.uint8).reshape(pixels.shape)
        return result

    return change


class NormalisedSlide:
    """Another slide, with its colours changed; what lies outside the image stays white.

    Parameters
    ----------
    slide : Slide
        Stays the caller's to close.
    change : callable
        Of `colour_change`.
    """

    def __init__(self, slide: Slide, change: ColourChange) -> None:
        self._slide, self._change = slide, change
        self.name = slide.name
        self.path: Path | None = slide.path
        self.mpp: float | None = slide.mpp
        self.mpp_source = slide.mpp_source
        self.level_dimensions = slide.level_dimensions

    def read_region(self, x: int, y: int, width: int, height: int, level: int = 0) -> NDArray[np.uint8]:
        """Read a rectangle of one level; see `Slide.read_region`."""

        def read(x0: int, y0: int, x1: int, y1: int) -> NDArray[np.uint8]:
            return self._change(self._slide.read_region(x0, y0, x1 - x0, y1 - y0, level))

        return read_on_white(read, (x, y, width, height), check_level(level, self.level_dimensions))

    def close(self) -> None:
        """Do nothing: the slide belongs to whoever opened it."""
