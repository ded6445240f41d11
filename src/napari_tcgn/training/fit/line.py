"""A line through features of the spots: a ridge of reduced rank within sections, its strength chosen among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_tcgn.errors import DataError
from napari_tcgn.model import FeatureExtractor, Line, ModelCard
from napari_tcgn.stats import median_counting_constants, pearson_per_gene
from napari_tcgn.training.data.section import MeasuredSection
from napari_tcgn.training.data.split import validation_blocks

# Strength of the ridge (features of unit variance) and rank of the line: chosen among the training sections.
ALPHAS = tuple(10.0 ** np.arange(0, 6))
RANKS = (1, 2, 3, 4, 8, None)
BATCH = 32


def section_features(
    sections: Sequence[MeasuredSection], card: ModelCard, device: str = "cpu", net: nn.Module | None = None
) -> list[NDArray[np.float64]]:
    """Return the features of every section's spots, float64 [n, features] each.

    Parameters
    ----------
    sections : sequence of MeasuredSection
    card : ModelCard
        Which features, and how patches are prepared for them.
    device : str
    net : nn.Module, optional
        The encoder whose features they are; needed where the card names one.
    """
    extract = FeatureExtractor(card, device, net)
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
    parts = _parts(sections)
    choices = [(alpha, rank) for alpha in ALPHAS for rank in RANKS]
    best: tuple[float, int | None] = (ALPHAS[len(ALPHAS) // 2], 2)  # where nothing can be left out to choose by
    if len(np.unique(np.concatenate(parts))) > 1:
        scores = np.zeros(len(choices))
        for left_out in np.unique(np.concatenate(parts)):
            inside = [part != left_out for part in parts]
            fitted = _Ridge([f[i] for f, i in zip(features, inside, strict=True)], sections, inside, components)
            for number, choice in enumerate(choices):
                scores[number] += _score(fitted.line(*choice), features, sections, [~i for i in inside])
        best = choices[int(scores.argmax())]
    if features[0].shape[1] == 1:
        best = (ALPHAS[0], None)  # its correlation is the same for every choice: no reason to shrink it
    return _Ridge(list(features), sections, [np.ones(len(f), dtype=bool) for f in features], components).line(*best)


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

    def line(self, alpha: float, rank: int | None) -> Line:
        """Return the line for a strength, confined to so many directions of expression (reduced-rank regression)."""
        shrunk = (self._size / (self._size**2 + alpha))[:, None] * self._along  # [components, genes]
        if rank is not None:
            # Directions of what is fitted: fitted values are u times (size times shrunk).
            _, _, directions = np.linalg.svd(self._size[:, None] * shrunk, full_matrices=False)
            shrunk = shrunk @ directions[:rank].T @ directions[:rank]
        slope = self._directions.T @ shrunk * self.spread  # [features, genes]

        def tensor(values: NDArray[np.float64]) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))

        return Line(tensor(self.centre), tensor(self.scale), tensor(slope), tensor(self.level))


def _score(
    line: Line,
    features: Sequence[NDArray[np.float64]],
    sections: Sequence[MeasuredSection],
    chosen: Sequence[NDArray[np.bool_]],
) -> float:
    """Return the median PCC on the chosen spots, within sections, averaged over the sections that have any."""
    found = []
    for f, section, spots in zip(features, sections, chosen, strict=True):
        if spots.sum() < 3:
            continue
        predicted = line(torch.from_numpy(f[spots]).float()).numpy()
        target = section.target[spots]
        varies = section.measured & (target.max(axis=0) > target.min(axis=0))
        found.append(median_counting_constants(pearson_per_gene(predicted, target), varies))
    return float(np.mean(found)) if found else 0.0
