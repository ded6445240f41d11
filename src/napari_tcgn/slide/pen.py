"""Marks that a felt-tip pen left on the glass: dark like tissue, but of colours that stains do not have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GLASS_PERCENTILE = 90  # of each channel: the colour of the glass, or of the palest tissue where there is none
# Each pair: at the faded rim of a stroke, and where it is certainly ink. Measured on sections without ink the
# excess stays below 0.16 and the ratio below 1.18.
# Blue and green ink swallows red rather than green; eosin swallows green, haematoxylin both about alike
# (Ruifrok & Johnston 2001: 0.65 and 0.70 of red and green).
INK_EXCESS = (0.12, 0.25)  # optical density of red minus that of green
INK_RATIO = (1.1, 1.17)  # the one over the other
# Black ink swallows all three alike; the darkest fold of tissue still lets blue pass.
BLACK_DENSITY = (0.8, 1.2)
BLACK_SPREAD = (0.35, 0.22)  # largest minus smallest density over their mean
THINNEST = 3  # px of the working picture; strokes are wider, nuclei and pigment are not
RIM = 4  # px; how far a stroke's faded edge reaches
SMALLEST = 0.0003  # share of the picture


def pen_marks(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find marks of blue, green and black pens.

    Red and violet ink is not told from eosin, blood and haematoxylin, and not found.

    Parameters
    ----------
    picture : uint8 [h, w, 3]
        A small picture of a slide (about 4 to 20 µm per px).

    Returns
    -------
    bool [h, w]
        True on ink and its faded rim; what lies under it cannot be used.
    """
    from scipy.ndimage import gaussian_filter
    from skimage.morphology import dilation, disk, opening

    smooth = gaussian_filter(picture.astype(np.float32), (1.0, 1.0, 0.0))
    glass = np.percentile(smooth.reshape(-1, 3), GLASS_PERCENTILE, axis=0)
    density = np.maximum(np.log((glass + 1) / (smooth + 1)), 0.0)  # [h, w, 3]; above the glass
    red, green = density[..., 0], density[..., 1]
    mean = density.mean(axis=-1)
    spread = np.ptp(density, axis=-1) / np.maximum(mean, 0.05)
    coloured = _grown((red - green, INK_EXCESS), (red / np.maximum(green, 0.05), INK_RATIO))
    black = _grown((mean, BLACK_DENSITY), (spread, BLACK_SPREAD))
    ink = opening(coloured | black, disk(THINNEST))  # type: ignore[no-untyped-call]
    grown: NDArray[np.bool_] = dilation(_without_specks(ink), disk(RIM))  # type: ignore[no-untyped-call]
    return grown


def _grown(*measures: tuple[NDArray[np.float32], tuple[float, float]]) -> NDArray[np.bool_]:
    """Mark what passes every measure's rim value and touches a place that passes every certain one (hysteresis)."""
    from skimage.filters import apply_hysteresis_threshold

    # 0 where a measure is at its rim value, 1 where it is certain; the weakest one counts.
    certainty = [(values - rim) / (certain - rim) for values, (rim, certain) in measures]
    found = apply_hysteresis_threshold(np.minimum(*certainty), 0.0, 1.0)  # type: ignore[no-untyped-call]
    return np.asarray(found, dtype=bool)


def _without_specks(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy.ndimage import label

    labels, _ = label(ink)
    keep = np.bincount(labels.ravel()) >= SMALLEST * ink.size
    keep[0] = False
    return np.asarray(keep[labels], dtype=bool)
