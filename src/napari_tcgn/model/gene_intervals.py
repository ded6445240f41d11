"""How far a measurement may lie from a prediction, gene by gene: quantiles of what held-out sections left over.

A residual is divided by a spread that grows or shrinks with the gene's own predicted value, as a normalised conformal
predictive system does (Papadopoulos et al. 2002; Vovk et al. 2018). `trust.fit_intervals` makes the numbers, a file of
them lies beside the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SettingsError

LEVEL = 0.8  # what is told where nobody asks for another
_LOWER = (0.01, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.4)
PROBABILITIES = np.array([*_LOWER, 0.5, *(1 - p for p in reversed(_LOWER))])
FARTHEST = 3.0  # standard deviations of the predictions: beyond, the spread stays as it is there
LEAST_SPREAD, MOST_SPREAD = 0.25, 4.0  # of the spread, as shares of its mean


@dataclass(frozen=True, slots=True, eq=False)
class GeneIntervals:
    """What makes an interval of a predicted value.

    Attributes
    ----------
    centre, scale : float32 [genes]
        Mean and standard deviation of the predictions of held-out sections.
    slope : float32 [genes]
        By what share the spread grows per standard deviation of the prediction.
    quantiles : float32 [probabilities, genes]
        Of the residuals (measured less predicted), divided by the spread; NaN for a gene that was not measured.
    """

    centre: NDArray[np.float32]
    scale: NDArray[np.float32]
    slope: NDArray[np.float32]
    quantiles: NDArray[np.float32]

    def spread(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the relative spread of residuals at predicted values, float32 [n, genes]."""
        apart = standard_deviations(values, self.centre, self.scale)
        found: NDArray[np.float32] = np.clip(1 + self.slope * apart, LEAST_SPREAD, MOST_SPREAD).astype(np.float32)
        return found

    def bounds(
        self, values: NDArray[np.floating], level: float = LEVEL
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the lower and upper bound of predicted values, float32 [n, genes] each; none is below 0.

        Parameters
        ----------
        values : float array [n, genes]
            On the card's output scale, on which 0 is no count.
        level : float
            Share of measurements that are to lie inside.

        Raises
        ------
        SettingsError
            If the level is not from 0.2 to 0.98.
        """
        require_level(level)
        low, high = (self._quantile(p) for p in ((1 - level) / 2, (1 + level) / 2))
        spread = self.spread(values)
        lower = np.maximum(values + spread * low, 0).astype(np.float32)
        upper = np.maximum(values + spread * high, 0).astype(np.float32)
        return lower, upper

    def select(self, rows: Sequence[int]) -> GeneIntervals:
        """Return those of some genes, by their numbers."""
        chosen = list(rows)
        return GeneIntervals(*(getattr(self, f.name)[..., chosen] for f in fields(self)))

    def _quantile(self, probability: float) -> NDArray[np.float32]:
        after = int(np.searchsorted(PROBABILITIES, probability))
        after = min(max(after, 1), len(PROBABILITIES) - 1)
        left, right = PROBABILITIES[after - 1], PROBABILITIES[after]
        share = np.float32(np.clip((probability - left) / (right - left), 0, 1))
        found: NDArray[np.float32] = self.quantiles[after - 1] * (1 - share) + self.quantiles[after] * share
        return found


def standard_deviations(
    values: NDArray[np.floating], centre: NDArray[np.float32], scale: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return how far predicted values lie from their mean, in standard deviations, at most `FARTHEST`."""
    apart: NDArray[np.float32] = np.clip((values - centre) / np.where(scale > 0, scale, 1), -FARTHEST, FARTHEST)
    return apart


def require_level(level: float) -> None:
    """Refuse a level of an interval that the quantiles do not reach.

    Raises
    ------
    SettingsError
    """
    if not 0.2 <= level <= 0.98:
        raise SettingsError(f"The level of an interval is {level:g}.", "Give a share from 0.2 to 0.98, such as 0.8.")
