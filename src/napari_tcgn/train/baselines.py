"""The simple models that stand in the same table as TCGN: a line through features, fitted on the training sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from napari_tcgn.errors import DataError
from napari_tcgn.expression import pearson_per_gene
from napari_tcgn.expression.statistics import median_counting_constants
from napari_tcgn.model.card import ModelCard
from napari_tcgn.model.ridge import FeatureExtractor, Line, build_encoder, feature_card, ridge_state
from napari_tcgn.model.weights import read_checkpoint, save_model
from napari_tcgn.train.section import SectionData
from napari_tcgn.train.split import validation_blocks

if TYPE_CHECKING:
    from torch import nn

# Strength of the ridge (features of unit variance) and rank of the line: chosen among the training sections.
ALPHAS = tuple(10.0 ** np.arange(0, 6))
RANKS = (1, 2, 3, 4, 8, None)
COMPONENTS = 256  # principal components of an encoder's features (the HEST recipe)
BATCH = 32
LINE_METHOD = "colour-texture-line"


class Baseline:
    """A kind of simple model: its features, and how it is fitted.

    Parameters
    ----------
    name : str
        As in tables and on cards.
    features : {"haematoxylin", "colour-texture", "encoder"}
    encoder : str, optional
        Name of a timm model.
    encoder_weights : pathlib.Path, optional
        Its state_dict; random weights without it, and the name says so.
    """

    def __init__(
        self, name: str, features: str, encoder: str | None = None, encoder_weights: Path | None = None
    ) -> None:
        self.name, self.features, self.encoder = name, features, encoder
        self._net: nn.Module | None = None
        if encoder is not None:
            state = None if encoder_weights is None else read_checkpoint(encoder_weights)
            self._net = build_encoder(encoder, state)

    def card(self, like: ModelCard) -> ModelCard:
        """Return the card of this kind of model for the genes, tissue and patch size of another card."""
        if self.encoder is None:
            return replace(feature_card(like, self.features), name=self.name)
        architecture = {"family": "ridge", "features": self.features, "encoder": self.encoder}
        return replace(like, name=self.name, architecture=architecture)

    def extract(self, sections: Sequence[SectionData], like: ModelCard) -> list[NDArray[np.float64]]:
        """Return the features of every section's spots, float64 [n, features] each."""
        extract = FeatureExtractor(self.card(like), "cpu", self._net)
        return [
            torch.cat([extract(s.patches[i : i + BATCH]) for i in range(0, len(s), BATCH)]).double().numpy()
            for s in sections
        ]

    def fit(self, features: Sequence[NDArray[np.float64]], sections: Sequence[SectionData]) -> Line:
        """Fit the line on training sections; the ridge's strength is chosen among them only."""
        return fit_line(features, sections, COMPONENTS if self.features == "encoder" else None)

    def save(self, folder: Path, line: Line, card: ModelCard) -> ModelCard:
        """Write the model as a folder that `load_model` reads."""
        return save_model(folder, ridge_state(line, self._net), card)


def default_baselines(encoder: str | None = None, encoder_weights: Path | None = None) -> list[Baseline]:
    """Return the baselines of every comparison, with an encoder if one is named."""
    found = [Baseline("haematoxylin", "haematoxylin"), Baseline(LINE_METHOD, "colour-texture")]
    if encoder is not None:
        weights = "random weights" if encoder_weights is None else encoder_weights.name
        found.append(Baseline(f"{encoder}-pca-ridge ({weights})", "encoder", encoder, encoder_weights))
    return found


def fit_line(
    features: Sequence[NDArray[np.float64]], sections: Sequence[SectionData], components: int | None = None
) -> Line:
    """Fit expression on features within sections: what differs between whole sections is not learnt.

    A ridge of reduced rank (Izenman 1975), every gene scaled to unit variance.

    Parameters
    ----------
    features : sequence of float64 [n, features]
        One table per training section.
    sections : sequence of SectionData
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


def _parts(sections: Sequence[SectionData]) -> list[NDArray[np.intp]]:
    """Number the parts that are left out in turn: the sections, or halves (by blocks) of a single one."""
    if len(sections) > 1:
        return [np.full(len(section), number) for number, section in enumerate(sections)]
    only = sections[0]
    return [validation_blocks(only.spots.array_row, only.spots.array_col, 0.5, 0, only.section.name).astype(np.intp)]


class _Ridge:
    """Sums of a ridge regression within sections, from which a line for any strength follows."""

    def __init__(
        self,
        features: list[NDArray[np.float64]],
        sections: Sequence[SectionData],
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
    sections: Sequence[SectionData],
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
