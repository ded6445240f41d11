"""Intervals of predicted values, from what models left over on sections that they had not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.model import LEVEL, PROBABILITIES, GeneIntervals, standard_deviations

Floats = NDArray[np.float32]

MIN_SECTIONS = 3  # with fewer, no interval could be tried on a section that it is not made of
MIN_SPOTS = 50  # residuals of a gene from which a tail of a hundredth is read
GENES_AT_ONCE = 500


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutSection:
    """What a model that had not seen a section predicts there, and what was measured.

    Attributes
    ----------
    predicted, measured : float32 [n, genes]
        On the model's output scale; NaN in `measured` for a gene that the section's table lacks.
    """

    predicted: Floats
    measured: Floats


def fit_intervals(sections: Mapping[str, HeldOutSection]) -> tuple[GeneIntervals, dict[str, float]] | None:
    """Return intervals of predicted values, and how well those of the other sections cover each section.

    Parameters
    ----------
    sections : mapping of str to HeldOutSection
        By name, every section that was held out, for the same genes in the same order.

    Returns
    -------
    (GeneIntervals, dict of str to float) or None
        The share of a section's spots inside their interval at the usual level (`LEVEL`), in the median gene, with
        intervals made of the residuals of all other sections. None with fewer than three sections or 50 spots.

    Notes
    -----
    The spots of a section share stain and patient with each other and not with those of the next one. With K groups
    that were held out, no level above K / (K + 1) is guaranteed, however many spots; so what is measured is told.
    """
    names = list(sections)
    if len(names) < MIN_SECTIONS or sum(len(s.predicted) for s in sections.values()) < MIN_SPOTS:
        return None
    coverage = {}
    for name in names:
        others = _fit([sections[other] for other in names if other != name])
        coverage[name] = median_coverage(others, sections[name])
    return _fit(list(sections.values())), coverage


def covered(intervals: GeneIntervals, section: HeldOutSection, level: float = LEVEL) -> NDArray[np.float64]:
    """Return the share of a section's spots inside their interval, float64 [genes]; NaN where nothing was measured."""
    low, high = intervals.bounds(section.predicted, level)
    inside = (section.measured >= low) & (section.measured <= high)
    known = ~np.isnan(section.measured) & ~np.isnan(low)
    counted = known.sum(axis=0)
    share: NDArray[np.float64] = np.where(counted > 0, (inside & known).sum(axis=0) / counted.clip(1), np.nan)
    return share


def median_coverage(intervals: GeneIntervals, section: HeldOutSection, level: float = LEVEL) -> float:
    """Return the share of a section's spots inside their interval in the median gene."""
    return float(np.nanmedian(covered(intervals, section, level)))


def _fit(sections: Sequence[HeldOutSection]) -> GeneIntervals:
    predicted = np.concatenate([s.predicted for s in sections])
    residual = np.concatenate([s.measured for s in sections]) - predicted
    parts = [
        _fit_genes(predicted[:, start : start + GENES_AT_ONCE], residual[:, start : start + GENES_AT_ONCE])
        for start in range(0, predicted.shape[1], GENES_AT_ONCE)
    ]
    return GeneIntervals(*(np.concatenate(values, axis=-1) for values in zip(*parts, strict=True)))


def _fit_genes(predicted: Floats, residual: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    known = ~np.isnan(residual)  # NaN where the gene was not measured, or a fold did not predict it
    n = known.sum(axis=0).clip(1)
    centre = (np.where(known, predicted, 0).sum(axis=0) / n).astype(np.float32)
    scale = np.sqrt((np.where(known, predicted - centre, 0) ** 2).sum(axis=0) / n).astype(np.float32)
    apart = standard_deviations(predicted, centre, scale)
    size = np.abs(residual)
    mean = np.where(known, size, 0).sum(axis=0) / n
    deviation = np.where(known, apart - np.where(known, apart, 0).sum(axis=0) / n, 0)
    along = (deviation * np.where(known, size - mean, 0)).sum(axis=0)
    varies = (deviation**2).sum(axis=0) * mean
    slope = np.where(varies > 0, along / np.where(varies > 0, varies, 1), 0).astype(np.float16).astype(np.float32)
    fitted = GeneIntervals(centre, scale, slope, np.zeros((len(PROBABILITIES), len(slope)), np.float32))
    enough = known.sum(axis=0) >= MIN_SPOTS
    standard = np.where(enough, residual / fitted.spread(predicted), 0)
    quantile = np.nanquantile if np.isnan(standard).any() else np.quantile  # the same, many times faster
    # As a conformal predictive system has it: with n residuals a new one is among n + 1 equally likely places.
    found = quantile(standard, PROBABILITIES, axis=0, method="weibull").astype(np.float32)
    return centre, scale, slope, np.where(enough, found, np.nan).astype(np.float16).astype(np.float32)
