"""Optical density: how much light a colour has lost on its way through the tissue."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

DARKEST_OF_FEATURES = 255 / 256  # of `model.features.image_features`


def optical_density(
    rgb: ArrayLike, add_one: bool = False, darkest: float = 1.0, dtype: DTypeLike = np.float32
) -> NDArray[np.floating]:
    """Return the optical density of colours (natural logarithm).

    Parameters
    ----------
    rgb : array [..., channels]
        From 0 to 255.
    add_one : bool
        How black, whose density is infinite, is kept finite. False: -log(max(rgb, darkest) / 255), so that stain adds
        up exactly (Beer and Lambert; Ruifrok and Johnston 2001); the stain figures on model cards are of this kind.
        True: -log((rgb + 1) / 256), which keeps every two colours apart, so that a change of stain can be undone; it
        serves the normalisation of stain (Macenko et al. 2009) and tissue. They differ by at most 0.02 where a colour
        is brighter than 50 of 255.
    darkest : float
        What counts as black: 1 in the stain figures of slides, `DARKEST_OF_FEATURES` beside the features of models.
    dtype : numpy dtype

    Returns
    -------
    dtype [..., channels]
        0 for white.
    """
    values = np.asarray(rgb).astype(dtype)
    share = (values + 1) / 256 if add_one else np.maximum(values, darkest) / 255
    density: NDArray[np.floating] = -np.log(share)
    return density
