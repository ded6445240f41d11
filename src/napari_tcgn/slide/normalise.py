"""A slide seen with the stain of other slides: Macenko's or Reinhard's normalisation of every region that is read.

squidpy estimates a slide's stain (`fit_stain_reference`); the change of colour that follows from two estimates is the
same for every pixel, so that it can be applied to patches one by one, whatever they show.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SlideError
from napari_tcgn.options import StainName
from napari_tcgn.slide.base import Slide
from napari_tcgn.slide.padding import check_level, read_on_white

Reference = dict[str, Any]
ColourChange = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

# RGB to the responses of the eye's cones, and their logarithms to a decorrelated space
# (Ruderman, Cronin and Chiao 1998, as given by Reinhard et al. 2001).
RGB_TO_LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
LMS_TO_LAB = np.diag([3**-0.5, 6**-0.5, 2**-0.5]) @ np.array([[1.0, 1, 1], [1, 1, -2], [1, -1, 0]])
MIN_PIXELS = 1000  # of tissue


def fit_stain(pixels: NDArray[np.uint8], method: StainName, name: str = "slide") -> Reference:
    """Estimate the stain of tissue pixels.

    Parameters
    ----------
    pixels : uint8 [n, 3]
        Tissue only (`tissue_pixels`).
    method : {"reinhard", "macenko"}
        Reinhard et al. (2001): mean and spread of the colours. Macenko et al. (2009): directions of the two stains in
        optical density, and the amount of each that 99 % of the pixels stay below.
    name : str
        Of the slide, for messages.

    Returns
    -------
    dict
        JSON-able: "mu" and "sigma", or "stain_matrix" [3, 3] (haematoxylin, eosin, rest) and "max_concentrations".

    Raises
    ------
    SlideError
        If there is too little tissue, or its colours are not those of haematoxylin and eosin.
    """
    import spatialdata as sd
    from spatialdata.models import Image2DModel, Labels2DModel
    from squidpy.experimental.im import fit_stain_reference

    hint = "Predict it without stain normalisation (--stain none), or check that it is an H&E slide."
    if len(pixels) < MIN_PIXELS:
        raise SlideError(f"The stain of {name} cannot be estimated: {len(pixels)} px of tissue are found.", hint)
    # The estimate looks at colours only, not at where they lie.
    width = int(len(pixels) ** 0.5)
    image = np.moveaxis(pixels[: width * (len(pixels) // width)].reshape(-1, width, 3), -1, 0)
    tissue = np.ones(image.shape[1:], np.int32)
    data = sd.SpatialData(
        images={"slide": Image2DModel.parse(image, dims=("c", "y", "x"), c_coords=["r", "g", "b"])},
        labels={"slide_tissue": Labels2DModel.parse(tissue, dims=("y", "x"))},
    )
    try:
        found = fit_stain_reference(data, "slide", method=method)
    except (ValueError, RuntimeError) as error:  # of which squidpy's own error of a failed fit is a kind
        reason = str(error).removeprefix("[slide] ")
        raise SlideError(f"The stain of {name} cannot be estimated: {reason}", hint) from error
    names = ("mu", "sigma") if method == "reinhard" else ("stain_matrix", "max_concentrations")
    return {key: np.round(getattr(found, key), 6).tolist() for key in names}


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
    # Optical density is -log((rgb + 1) / 256): log(rgb + 1) is its negative but for a constant.
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
