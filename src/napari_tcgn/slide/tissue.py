"""Where the tissue is: dark against its background, in a small picture of the slide."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SettingsError
from napari_tcgn.slide.density import optical_density
from napari_tcgn.slide.pen import pen_marks

WORKING_SIDE = 1500  # px; about 4.5 µm per px on a section of 6.5 mm
_SMOOTHING = 2.0  # px; bridges nuclei and the gaps between them
_FLOOR = 0.02  # optical density below which differences are noise; keeps the logarithm finite on white glass
# Otsu always splits; outside this range it splits noise of an empty slide, or the tissue of one without background.
_THRESHOLDS = (0.08, 0.5)
_BLANK = 8  # grey levels between the darkest and the lightest colour of a picture of nothing: black, grey, white
_SEPARATION = 0.1  # optical density between the means of glass and tissue; less is the shading of an empty slide
# Smaller holes are lumens and fat, smaller islands are dust: at most this share of the picture, at most this area.
_SMALL_SHARE = 0.002
_SMALL_MM2 = 0.09


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

    def fraction(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        diameter_px: float,
        square: bool = False,
        rotation_deg: float = 0.0,
    ) -> NDArray[np.float64]:
        """Measure how much of each spot's disc, or of each bin, is tissue.

        Parameters
        ----------
        x, y : float64 [n]
            Centres in full-resolution px.
        diameter_px : float
            Of the discs, or side of the squares, in full-resolution px.
        square : bool
            Squares instead of discs (bins of Visium HD).
        rotation_deg : float
            Clockwise rotation of the squares.

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
        kernel = _kernel(diameter_px * self.scale / 2, square, math.radians(rotation_deg))
        share = fftconvolve(self.mask.astype(np.float32), kernel, mode="same")
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        result = np.zeros(len(column), np.float64)
        result[inside] = share[row[inside], column[inside]]
        return np.clip(result, 0.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class TissueDensity:
    """How dark a slide is where, from which the mask of any threshold follows at once.

    Attributes
    ----------
    density : float32 [h, w]
        Smoothed optical density (natural logarithm, mean of red and green).
    pen : bool [h, w]
        Ink of pens on the glass (`slide.pen`), never tissue.
    scale : float
        Px of `density` per full-resolution px.
    threshold : float
        The one that is chosen for this slide.
    small_px : float
        Holes and islands of fewer px are filled and dropped.
    """

    density: NDArray[np.float32]
    pen: NDArray[np.bool_]
    scale: float
    threshold: float
    small_px: float

    def mask(self, threshold: float | None = None) -> TissueMask:
        """Return the tissue at a threshold, by default the one chosen for the slide.

        Raises
        ------
        SettingsError
            If `threshold` is not a positive number.
        """
        if threshold is None:
            threshold = self.threshold
        elif not (math.isfinite(threshold) and threshold > 0):
            raise SettingsError(f"threshold must be a positive optical density, found {threshold!r}.", "Try 0.3.")
        mask = _without_small(self.density > threshold, False, self.small_px)  # holes
        if self.pen.any():
            mask &= ~self.pen
        return TissueMask(_without_small(mask, True, self.small_px), self.scale, threshold)


def measure_density(picture: NDArray[np.uint8], scale: float, mpp: float | None) -> TissueDensity:
    """Measure how dark a slide is and choose the threshold of tissue; `Overview.density` is the way for a slide.

    Tissue is what is darker than its surroundings in red and green: haematoxylin and eosin take these, whereas a
    pink or yellow haze of the glass is bright in red, so that saturation, the usual measure, would take it for tissue.
    The threshold is Otsu's on the logarithm (Otsu 1979), because pale fat and dark tumour differ more from each other
    than fat does from glass. Ink of pens is left out before.

    Parameters
    ----------
    picture : uint8 [h, w, 3]
        Of the slide, of about 1,500 px.
    scale : float
        Its px per full-resolution px.
    mpp : float or None
        µm per full-resolution px.
    """
    from scipy.ndimage import gaussian_filter

    density = optical_density(picture[..., :2], add_one=True).mean(axis=-1)  # [h, w]
    density = gaussian_filter(density, _SMOOTHING)
    pen = pen_marks(picture)
    small = _SMALL_SHARE * density.size
    if mpp is not None:
        small = min(small, _SMALL_MM2 * 1e6 * (scale / mpp) ** 2)
    blank = int(np.ptp(picture)) <= _BLANK if picture.size else True
    threshold = float(density.max(initial=_THRESHOLDS[1])) if blank else _choose_threshold(density[~pen])
    return TissueDensity(density, pen, scale, threshold, small)


def _choose_threshold(density: NDArray[np.float32]) -> float:
    from skimage.filters import threshold_otsu

    if density.size == 0:
        return _THRESHOLDS[1]
    otsu: float = threshold_otsu(np.log(density + _FLOOR))  # type: ignore[no-untyped-call]
    threshold = float(np.clip(math.exp(otsu) - _FLOOR, *_THRESHOLDS))
    dark = density > threshold
    if dark.any() and not dark.all() and density[dark].mean() - density[~dark].mean() < _SEPARATION:
        return _THRESHOLDS[1]  # one even surface: glass unless it is very dark
    return threshold


def _without_small(mask: NDArray[np.bool_], value: bool, small_px: float) -> NDArray[np.bool_]:
    """Turn over the regions of `value` that have fewer than `small_px` px."""
    from scipy.ndimage import label

    labels, _ = label(mask == value)
    small = np.bincount(labels.ravel()) < small_px
    small[0] = False  # what is not of this value
    return np.where(small[labels], not value, mask)


def _kernel(radius: float, square: bool, angle: float) -> NDArray[np.float32]:
    """Return a disc or a turned square (float32 [k, k], k odd, sum 1) whose edge px count by their covered share."""
    reach = max(0, math.ceil((radius * math.sqrt(2) if square else radius) - 0.5))
    fine = 8  # samples per px and axis
    steps = (np.arange((2 * reach + 1) * fine) + 0.5) / fine - reach - 0.5
    down, right = steps[:, None], steps[None, :]
    if square:
        along = np.abs(right * math.cos(angle) + down * math.sin(angle))
        across = np.abs(down * math.cos(angle) - right * math.sin(angle))
        inside = np.maximum(along, across) <= radius
    else:
        inside = down**2 + right**2 <= radius**2
    kernel = inside.reshape(2 * reach + 1, fine, -1, fine).mean(axis=(1, 3)).astype(np.float32)
    total = kernel.sum()
    # A spot smaller than a sample: the pixel under it.
    return kernel / total if total > 0 else np.ones((1, 1), np.float32)
