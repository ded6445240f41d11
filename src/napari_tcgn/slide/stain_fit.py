"""The stain of a slide's tissue as normalisation needs it: Macenko's two directions, or Reinhard's mean and spread."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SlideError
from napari_tcgn.options import StainName
from napari_tcgn.slide.density import optical_density

Reference = dict[str, Any]
Floats = NDArray[np.float64]

# RGB to the responses of the eye's cones, and their logarithms to a decorrelated space
# (Ruderman, Cronin and Chiao 1998, as given by Reinhard et al. 2001).
RGB_TO_LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
LMS_TO_LAB = np.diag([3**-0.5, 6**-0.5, 2**-0.5]) @ np.array([[1.0, 1, 1], [1, 1, -2], [1, -1, 0]])
MIN_PIXELS = 1000  # of tissue
# Macenko's directions are those that so many per cent of the pixels lie beyond, on either side.
EXTREME = 1.0
# So many per cent of the pixels have less of a stain than its "max_concentrations".
MOST = 99.0
# Largest angle between a direction and that of the same stain as Ruifrok and Johnston (2001) measured it.
MAX_DEGREES = 45.0
# Amounts stand on model cards in these units, in which white to black is 255.
DENSITY_UNIT = np.log(256) / 255
DECIMALS = 6


def fit_stain(pixels: NDArray[np.uint8], method: StainName, name: str = "slide") -> Reference:
    """Estimate the stain of tissue pixels.

    The figures are those of squidpy's `fit_stain_reference` (squidpy 1.8), whose references are on the bundled cards.

    Parameters
    ----------
    pixels : uint8 [n, 3]
        Tissue only (`Overview.tissue_pixels`).
    method : {"reinhard", "macenko"}
        Reinhard et al. (2001, IEEE Computer Graphics and Applications 21, 34): mean and spread of the colours in a
        decorrelated space. Macenko et al. (2009, IEEE ISBI, 1107): directions of the two stains in optical density, and
        the amount of each that 99 % of the pixels stay below.
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
    if len(pixels) < MIN_PIXELS:
        raise _cannot(name, f"{len(pixels)} px of tissue are found.")
    # As many as fill a picture that is about square, and in single precision below: so were the references on the cards
    # made, and a run that is repeated gives the same values as before.
    width = int(len(pixels) ** 0.5)
    chosen = pixels[: width * (len(pixels) // width)]
    found = _reinhard(chosen, name) if method == "reinhard" else _macenko(chosen, name)
    return {key: np.round(values, DECIMALS).tolist() for key, values in found.items()}


def _cannot(name: str, reason: str) -> SlideError:
    return SlideError(
        f"The stain of {name} cannot be estimated: {reason}",
        "Predict it without stain normalisation (--stain none), or check that it is an H&E slide.",
    )


def _reinhard(pixels: NDArray[np.uint8], name: str) -> dict[str, Floats]:
    """Return mean and standard deviation of the three decorrelated channels."""
    cones = np.log(pixels.astype(np.float32) @ RGB_TO_LMS.T.astype(np.float32) + 1)
    channels = cones @ LMS_TO_LAB.T.astype(np.float32)  # [n, 3]
    mu, sigma = (v.astype(np.float64) for v in (channels.mean(axis=0), channels.std(axis=0)))
    if (sigma < 10.0**-DECIMALS).any():
        raise _cannot(name, "all of its tissue has one colour.")
    return {"mu": mu, "sigma": sigma}


def _macenko(pixels: NDArray[np.uint8], name: str) -> dict[str, Floats]:
    """Return the directions of haematoxylin, eosin and the rest (columns), and how much there is of the stains."""
    density = (optical_density(pixels, add_one=True, dtype=np.float64) / DENSITY_UNIT).astype(np.float32)  # [n, RGB]
    stains = _stain_directions(density)
    rest = np.cross(stains[:, 0], stains[:, 1])
    if not np.linalg.norm(rest) > 1e-6:
        raise _cannot(name, "its colours differ in how dark they are only.")
    for stain, direction, published in zip(("haematoxylin", "eosin"), stains.T, _published(), strict=True):
        degrees = np.degrees(np.arccos(np.clip(direction @ published, -1, 1)))
        if degrees > MAX_DEGREES:
            raise _cannot(name, f"its {stain} lies {degrees:.0f} degrees off the published colour.")
    matrix = np.column_stack([stains, rest / np.linalg.norm(rest)])
    amounts = density @ np.linalg.inv(matrix).T  # [n, stains and rest]
    most = np.percentile(amounts[:, :2], MOST, axis=0)
    return {"stain_matrix": matrix, "max_concentrations": np.maximum(most, 10.0**-DECIMALS)}


def _published() -> Floats:
    """Return the directions of haematoxylin and eosin by Ruifrok and Johnston (2001), float64 [2, RGB]."""
    from skimage.color import rgb_from_hed

    vectors: Floats = rgb_from_hed[:2] / np.linalg.norm(rgb_from_hed[:2], axis=1, keepdims=True)
    return vectors


def _stain_directions(density: NDArray[np.float32]) -> Floats:
    """Return unit vectors of haematoxylin and eosin, float64 [RGB, 2].

    Pixels of two stains lie in a plane through white, between the directions of the two: the plane is that of the two
    largest singular vectors, and the directions are the outermost ones in it.
    """
    _, _, vectors = np.linalg.svd(density, full_matrices=False)
    plane = vectors[:2].T  # [RGB, 2]
    plane = plane * np.where(density.mean(axis=0) @ plane < 0, -1, 1)  # the sign of a singular vector is arbitrary
    in_plane = density @ plane + 0.0  # a white pixel lies at angle 0, not at that of -0
    angles = np.percentile(np.arctan2(in_plane[:, 1], in_plane[:, 0]), [EXTREME, 100 - EXTREME])
    ends = plane @ np.stack([np.cos(angles), np.sin(angles)])  # [RGB, 2], of length 1
    likeness = _published() @ ends  # [published, ends]
    haematoxylin = int(np.abs(likeness[0]).argmax())
    order = [haematoxylin, 1 - haematoxylin]
    signs = np.where(np.diagonal(likeness[:, order]) < 0, -1.0, 1.0)
    directions: Floats = ends[:, order] * signs
    return directions
