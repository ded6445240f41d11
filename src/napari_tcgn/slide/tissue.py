"""Where the tissue is: dark against its background, in a small picture of the slide."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SettingsError
from napari_tcgn.slide.base import Slide
from napari_tcgn.slide.thumbnail import thumbnail

WORKING_SIDE = 1500  # px; about 4.5 µm per px on a section of 6.5 mm
_SMOOTHING = 2.0  # px; bridges nuclei and the gaps between them
_FLOOR = 0.02  # optical density below which differences are noise; keeps the logarithm finite on white glass
# Otsu always splits; outside this range it splits noise of an empty slide, or the tissue of one without background.
_THRESHOLDS = (0.08, 0.5)
_SMALL = 0.002  # share of the picture: smaller holes are lumens and fat, smaller islands are dust


@dataclass(frozen=True, slots=True, eq=False)
class TissueMask:
    """Tissue of a slide at low resolution.

    Attributes
    ----------
    mask : bool [h, w]
        True on tissue.
    scale : float
        Mask px per full-resolution px.
    threshold : float
        Optical density (natural logarithm, mean of red and green) above which a pixel counts as tissue.
    """

    mask: NDArray[np.bool_]
    scale: float
    threshold: float

    def fraction(self, x: NDArray[np.float64], y: NDArray[np.float64], diameter_px: float) -> NDArray[np.float64]:
        """Measure how much of each spot's disc is tissue.

        Parameters
        ----------
        x, y : float64 [n]
            Centres in full-resolution px.
        diameter_px : float
            Of the discs, in full-resolution px.

        Returns
        -------
        float64 [n]
            From 0 to 1; what lies outside the slide is no tissue.
        """
        from scipy.signal import fftconvolve

        height, width = self.mask.shape
        column = np.floor(np.asarray(x, np.float64) * self.scale).astype(np.int64)
        row = np.floor(np.asarray(y, np.float64) * self.scale).astype(np.int64)
        # One filter over the mask serves every spot, however many there are.
        share = fftconvolve(self.mask.astype(np.float32), _disc(diameter_px * self.scale / 2), mode="same")
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        result = np.zeros(len(column), np.float64)
        result[inside] = share[row[inside], column[inside]]
        return np.clip(result, 0.0, 1.0)


def tissue_mask(slide: Slide, threshold: float | None = None) -> TissueMask:
    """Find the tissue of a slide.

    Tissue is what is darker than its surroundings in red and green: haematoxylin and eosin take these, whereas a
    pink or yellow haze of the glass is bright in red, so that saturation, the usual measure, would take it for tissue.

    Parameters
    ----------
    slide : Slide
    threshold : float or None
        Optical density above which a pixel is tissue; None chooses it by Otsu's method on the logarithm, because
        pale fat and dark tumour differ more from each other than fat does from glass.

    Returns
    -------
    TissueMask

    Raises
    ------
    SettingsError
        If `threshold` is not a positive number.
    SlideError
        If the slide cannot be read.
    """
    from scipy.ndimage import gaussian_filter
    from skimage.filters import threshold_otsu

    if threshold is not None and not (math.isfinite(threshold) and threshold > 0):
        raise SettingsError(f"threshold must be a positive optical density, found {threshold!r}.", "Try 0.3.")
    picture, scale = thumbnail(slide, WORKING_SIDE)
    density = -np.log((picture[..., :2].astype(np.float32) + 1) / 256).mean(axis=-1)  # [h, w]
    density = gaussian_filter(density, _SMOOTHING)
    if threshold is None:
        otsu: float = threshold_otsu(np.log(density + _FLOOR))  # type: ignore[no-untyped-call]
        threshold = float(np.clip(math.exp(otsu) - _FLOOR, *_THRESHOLDS))
    return TissueMask(_tidy(density > threshold), scale, threshold)


def _tidy(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill holes and drop islands of less than `_SMALL` of the picture."""
    from scipy.ndimage import label

    for value in (False, True):
        labels, _ = label(mask == value)
        small = np.bincount(labels.ravel()) < _SMALL * mask.size
        small[0] = False  # what is not of this value
        mask = np.where(small[labels], not value, mask)
    return mask


def _disc(radius: float) -> NDArray[np.float32]:
    """Return a disc (float32 [k, k], k odd, sum 1) whose edge px count by the share of them that it covers."""
    reach = max(0, math.ceil(radius - 0.5))
    fine = 8  # samples per px and axis
    steps = (np.arange((2 * reach + 1) * fine) + 0.5) / fine - reach - 0.5
    covered = (steps[:, None] ** 2 + steps[None, :] ** 2 <= radius**2).reshape(2 * reach + 1, fine, -1, fine)
    disc = covered.mean(axis=(1, 3)).astype(np.float32)
    total = disc.sum()
    # A spot smaller than a sample: the pixel under it.
    return disc / total if total > 0 else np.ones((1, 1), np.float32)
