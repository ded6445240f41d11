"""A line through features of the spots: a ridge of reduced rank within sections, its strength chosen among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from napari_tcgn.errors import DataError
from napari_tcgn.model import FeatureExtractor, Line, ModelCard
from napari_tcgn.stats import median_pcc
from napari_tcgn.training.data.section import MeasuredSection
from napari_tcgn.training.data.split import validation_blocks

# Strength of the ridge (features of unit variance) and rank of the line: chosen among the training sections.
ALPHAS = tuple(10.0 ** np.arange(0, 6))
RANKS = (1, 2, 3, 4, 8, 16, None)
BATCH = 32
TINY = 1e-18  # share of the largest variance of a prediction below which another is constant


def section_features(
    sections: Sequence[MeasuredSection], card: ModelCard, device: str = "cpu"
) -> list[NDArray[np.float64]]:
    """Return the features of every section's spots, float64 [n, features] each.

    Parameters
    ----------
    sections : sequence of MeasuredSection
    card : ModelCard
        Which features, and how patches are prepared for them.
    device : str
    """
    return features_of(FeatureExtractor(card, device), sections)


def features_of(extract: FeatureExtractor, sections: Sequence[MeasuredSection]) -> list[NDArray[np.float64]]:
    """Return what an extractor makes of every section's patches, float64 [n, features] each."""
    return [
        torch.cat([extract(s.patches[i : i + BATCH]).cpu() for i in range(0, len(s), BATCH)]).double().numpy()
        for s in sections
    ]


def fit_line(
    features: Sequence[NDArray[np.float64]], sections: Sequence[MeasuredSection], components: int | None = None
) -> Line:
    """Fit expression on features within sections: what differs between whole sections is not learnt.

    A ridge of reduced rank (Izenman 1975), every gene scaled to unit variance.

    Parameters
    ----------
    features : sequence of float64 [n, features]
        One table per training section.
    sections : sequence of MeasuredSection
    components : int, optional
        Fit on so many principal components.

    Raises
    ------
    DataError
        If there are fewer than three spots.
    """
    if sum(map(len, features)) < 3:
        raise DataError("A line cannot be fitted on fewer than three spots.", "Add training sections.")
    choice = choose_strength(features, sections, components)
    whole = [np.ones(len(f), dtype=bool) for f in features]
    return _Ridge(list(features), sections, whole, components).line(choice.alpha, choice.rank)


@dataclass(frozen=True, slots=True)
class Strength:
    """Strength and rank of a ridge, and the median PCC that they had on what was left out of the fit; NaN: nothing."""

    alpha: float
    rank: int | None
    score: float


def choose_strength(
    features: Sequence[NDArray[np.float64]], sections: Sequence[MeasuredSection], components: int | None = None
) -> Strength:
    """Choose strength and rank of a line among the training sections, each of which is left out in turn.

    Parameters are those of `fit_line`.
    """
    if features[0].shape[1] == 1:
        return Strength(ALPHAS[0], None, np.nan)  # its correlation is the same for every choice: no reason to shrink it
    parts = _parts(sections)
    numbers = np.unique(np.concatenate(parts))
    if len(numbers) < 2:
        return Strength(ALPHAS[len(ALPHAS) // 2], 2, np.nan)  # where nothing can be left out to choose by
    choices = [(alpha, rank) for alpha in ALPHAS for rank in RANKS]
    scores = np.zeros(len(choices))
    for left_out in numbers:
        inside = [part != left_out for part in parts]
        fitted = _Ridge([f[i] for f, i in zip(features, inside, strict=True)], sections, inside, components)
        scores += _scores(fitted, choices, features, sections, [~i for i in inside])
    best = int(scores.argmax())
    return Strength(*choices[best], float(scores[best] / len(numbers)))


def _parts(sections: Sequence[MeasuredSection]) -> list[NDArray[np.intp]]:
    """Number the parts that are left out in turn: the sections, or halves (by blocks) of a single one."""
    if len(sections) > 1:
        return [np.full(len(section), number) for number, section in enumerate(sections)]
    only = sections[0]
    return [validation_blocks(only.spots.lattice, 0.5, 0, only.name).astype(np.intp)]


class _Ridge:
    """Sums of a ridge regression within sections, from which a line for any strength follows.

    By hand, because one decomposition serves every strength and rank; scikit-learn's Ridge and PCA would make one each.
    """

    def __init__(
        self,
        features: list[NDArray[np.float64]],
        sections: Sequence[MeasuredSection],
        inside: Sequence[NDArray[np.bool_]],
        components: int | None,
    ) -> None:
        chosen = [
            (f, s.target[i].astype(np.float64), s.measured)
            for f, s, i in zip(features, sections, inside, strict=True)
            if len(f)
        ]
        everything = np.concatenate([f for f, _, _ in chosen])
        self.centre = everything.mean(axis=0)
        x = np.concatenate([f - f.mean(axis=0) for f, _, _ in chosen])  # within sections
        scale = x.std(axis=0)
        self.scale = np.where(scale > 0, scale, 1.0)
        x = x / self.scale
        y = np.concatenate([np.where(m, t - t.mean(axis=0), 0.0) for _, t, m in chosen])
        spread = y.std(axis=0)
        self.spread = np.where(spread > 1e-6, spread, 1.0)
        known = np.stack([m for _, _, m in chosen])
        means = np.stack([t.mean(axis=0) for _, t, _ in chosen])
        self.level = np.where(known, means, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        u, size, directions = np.linalg.svd(x, full_matrices=False)
        kept = components or len(size)
        self._size, self._directions, self._along = size[:kept], directions[:kept], (u.T @ (y / self.spread))[:kept]

    def factors(self, alpha: float, rank: int | None) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Return slopes on the components for genes of unit variance, confined to directions (reduced-rank regression).

        Returns
        -------
        slope : float64 [components, k], or [components, genes] without a rank
        directions : float64 [k, genes] or None
        """
        shrunk = (self._size / (self._size**2 + alpha))[:, None] * self._along  # [components, genes]
        if rank is None or rank >= min(shrunk.shape):
            return shrunk, None
        # Directions of what is fitted: fitted values are u times (size times shrunk). Its smaller square suffices.
        fitted = self._size[:, None] * shrunk
        _, vectors = np.linalg.eigh(fitted @ fitted.T)  # growing
        directions = np.linalg.qr((vectors[:, ::-1][:, :rank].T @ fitted).T)[0].T
        return shrunk @ directions.T, directions

    def components_of(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return features [n, features] on the components, float64 [n, components]."""
        found: NDArray[np.float64] = (features - self.centre) / self.scale @ self._directions.T
        return found

    def line(self, alpha: float, rank: int | None) -> Line:
        """Return the line for a strength, confined to so many directions of expression."""
        slope, directions = self.factors(alpha, rank)
        slope = self._directions.T @ slope  # [features, genes or k]
        if directions is None:
            slope = slope * self.spread
        else:
            # Of the same size: each is kept in half precision.
            directions = directions * self.spread
            size = np.sqrt(np.linalg.norm(directions, axis=1) / np.maximum(np.linalg.norm(slope, axis=0), 1e-300))
            slope, directions = slope * size, directions / size[:, None]

        def tensor(values: NDArray[np.float64]) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))

        last = None if directions is None else tensor(directions)
        return Line(tensor(self.centre), tensor(self.scale), tensor(slope), tensor(self.level), last)


def _scores(
    ridge: _Ridge,
    choices: Sequence[tuple[float, int | None]],
    features: Sequence[NDArray[np.float64]],
    sections: Sequence[MeasuredSection],
    chosen: Sequence[NDArray[np.bool_]],
) -> NDArray[np.float64]:
    """Return, per choice, the median PCC on the chosen spots, within sections, averaged over the sections with any.

    From sums of products of components and genes, made once: nothing of size [spots, genes] is made per choice.
    """
    found = []
    for f, section, spots in zip(features, sections, chosen, strict=True):
        if spots.sum() < 3:
            continue
        target = section.target[spots].astype(np.float64)
        varies = section.measured & (target.max(axis=0) > target.min(axis=0))
        y = target[:, varies] - target[:, varies].mean(axis=0)
        y = y / np.linalg.norm(y, axis=0)
        x = ridge.components_of(f[spots])
        x = x - x.mean(axis=0)
        products, squares = x.T @ y, x.T @ x
        medians = []
        for choice in choices:
            slope, directions = ridge.factors(*choice)
            # With directions, all of it happens in their few dimensions.
            last = slope[:, varies] if directions is None else directions[:, varies]
            along = products if directions is None else slope.T @ products
            within = squares if directions is None else slope.T @ squares @ slope
            power = (last * (within @ last)).sum(axis=0)
            level = power > TINY * max(power.max(initial=0.0), 1e-300)
            pcc = np.where(level, (last * along).sum(axis=0) / np.sqrt(np.where(level, power, 1.0)), 0.0)
            medians.append(median_pcc(pcc))  # a constant prediction counts as 0
        found.append(medians)
    return np.mean(found, axis=0) if found else np.zeros(len(choices))
