"""What the colours of a layer stand for: colour map, limits, and how the limits follow the values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from napari.utils.colormaps import ensure_colormap
from numpy.typing import NDArray

Centre = Literal["", "zero", "median"]

SEQUENTIAL = ("viridis", "cividis", "magma", "inferno", "plasma", "turbo", "gray", "gray_r")
DIVERGING = ("PiYG", "RdBu_r", "PuOr", "coolwarm")
STEPS = 1024  # colours of a map


@dataclass(frozen=True, slots=True)
class ColourScale:
    """The colour scale of one layer.

    Attributes
    ----------
    colormap : str
    low, high : float
        Values of the first and the last colour; low < high.
    automatic : bool
        Whether the limits follow the gene.
    percent : float
        Share of the values that automatic limits clip at either end, in percent.
    centre : {"", "zero", "median"}
        Value of the middle colour, to which automatic limits are symmetric; "": none.
    """

    colormap: str = "viridis"
    low: float = 0.0
    high: float = 1.0
    automatic: bool = True
    percent: float = 1.0
    centre: Centre = ""

    @property
    def limits(self) -> tuple[float, float]:
        """Values of the first and the last colour."""
        return self.low, self.high

    def fitted(self, values: Sequence[NDArray[np.float64]]) -> ColourScale:
        """Return the scale with limits that fit all values given, if they are automatic."""
        if not self.automatic:
            return self
        known = np.concatenate([v[np.isfinite(v)] for v in values]) if len(values) else np.empty(0)
        low, high = robust_limits(known, self.percent)
        if self.centre and len(known):
            middle = 0.0 if self.centre == "zero" else float(np.median(known))
            reach = max(abs(low - middle), abs(high - middle))
            low, high = middle - reach, middle + reach
        return replace(self, low=low, high=high)


def robust_limits(values: NDArray[np.float64], percent: float = 1.0) -> tuple[float, float]:
    """Return colour limits that clip `percent` of the values at either end; (0, 1) where there is none."""
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(known, (percent, 100 - percent)))
    if high - low < 1e-9 * max(1.0, abs(low)):
        return low - 0.5, low + 0.5  # a flat gene gets the middle colour
    return low, high


def colours_of(values: NDArray[np.float64], limits: tuple[float, float], colormap: str) -> NDArray[np.float32]:
    """Return the colours (float32 RGBA [n, 4]) of values [n]; NaN is transparent."""
    low, high = limits
    missing = np.isnan(values)
    steps = np.where(missing, low, values)
    steps = np.clip((steps - low) * ((STEPS - 1) / (high - low)), 0, STEPS - 1)
    colours = _steps_of(colormap)[np.rint(steps).astype(np.intp)]
    colours[missing] = 0.0
    return colours


@lru_cache(maxsize=32)
def _steps_of(colormap: str) -> NDArray[np.float32]:
    steps = ensure_colormap(colormap).map(np.linspace(0, 1, STEPS))  # type: ignore[no-untyped-call]  # napari's
    return np.asarray(steps, dtype=np.float32)
