"""The simple models that stand in the same table as TCGN: a line through features, fitted on the training sections."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_tcgn.errors import DataError
from napari_tcgn.files import sha256_of
from napari_tcgn.model import (
    FeatureExtractor,
    Line,
    ModelCard,
    build_encoder,
    encoder_card,
    feature_card,
    hub_encoder,
    read_checkpoint,
    ridge_state,
    save_model,
)
from napari_tcgn.stats import median_counting_constants, pearson_per_gene
from napari_tcgn.training.data.section import SectionData
from napari_tcgn.training.data.split import validation_blocks

# Strength of the ridge (features of unit variance) and rank of the line: chosen among the training sections.
ALPHAS = tuple(10.0 ** np.arange(0, 6))
RANKS = (1, 2, 3, 4, 8, None)
COMPONENTS = 256  # principal components of an encoder's features (the HEST recipe)
BATCH = 32
LINE_METHOD = "colour-texture-line"
HUB = "hub"


class Baseline:
    """A kind of simple model: its features, and how it is fitted.

    Parameters
    ----------
    name : str
        As in tables and on cards.
    features : {"haematoxylin", "colour-texture", "encoder"}
    encoder : Encoder, optional
        For "encoder".

    Attributes
    ----------
    origin : dict or None
        Name of the encoder, and what its weights are, for records.
    caveats : list of str
        For the card.
    """

    def __init__(self, name: str, features: str, encoder: Encoder | None = None) -> None:
        self.name, self.features, self._encoder = name, features, encoder
        self.origin = None if encoder is None else encoder.origin
        self.caveats: list[str] = []
        if encoder is not None and encoder.random:
            self.caveats.append("The encoder's weights are random: it was never trained.")

    def card(self, like: ModelCard) -> ModelCard:
        """Return the card of this kind of model for the genes, tissue and patch size of another card."""
        if self._encoder is None:
            return replace(feature_card(like, self.features), name=self.name)
        return replace(encoder_card(like, self._encoder.name, self._encoder.net), name=self.name)

    def extract(
        self, sections: Sequence[SectionData], like: ModelCard, device: str = "cpu"
    ) -> list[NDArray[np.float64]]:
        """Return the features of every section's spots, float64 [n, features] each."""
        net = None if self._encoder is None else self._encoder.net
        extract = FeatureExtractor(self.card(like), device, net)
        return [
            torch.cat([extract(s.patches[i : i + BATCH]).cpu() for i in range(0, len(s), BATCH)]).double().numpy()
            for s in sections
        ]

    def fit(self, features: Sequence[NDArray[np.float64]], sections: Sequence[SectionData]) -> Line:
        """Fit the line on training sections; the ridge's strength is chosen among them only."""
        return fit_line(features, sections, COMPONENTS if self.features == "encoder" else None)

    def save(self, folder: Path, line: Line, card: ModelCard) -> ModelCard:
        """Write the model as a folder that `load_model` reads."""
        return save_model(folder, ridge_state(line, None if self._encoder is None else self._encoder.net), card)


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """A frozen timm model and where its weights come from.

    Attributes
    ----------
    name : str
        As in timm.
    net : nn.Module
    weights : str
        In words, for the labels of tables: the file and its hash, the hub's name, or that they are random.
    sha256 : str
        Of the file; "" for weights that are not from a file.
    random : bool
    """

    name: str
    net: nn.Module
    weights: str
    sha256: str = ""
    random: bool = False

    @property
    def origin(self) -> dict[str, str]:
        """Return name, weights and hash for records."""
        return {"name": self.name, "weights": self.weights, "sha256": self.sha256}


def load_encoder(name: str, weights: Path | str | None = None) -> Encoder:
    """Build an encoder.

    Parameters
    ----------
    name : str
        Of a timm model.
    weights : pathlib.Path, "hub" or None
        File with its state_dict (.safetensors, or a torch file of tensors); "hub": the published ones, or random ones
        where the hub cannot be reached; None: random ones. What it has become stands in the result.

    Raises
    ------
    ModelError, CheckpointError
        If there is no such model, or the weights are not its own.
    """
    if weights is None:
        return Encoder(name, build_encoder(name, None), "random weights", random=True)
    if weights == HUB:
        found = hub_encoder(name)
        if found is None:
            return Encoder(name, build_encoder(name, None), "random weights, for the hub is out of reach", random=True)
        return Encoder(name, found[0], f"hub weights {found[1]}")
    file = Path(weights)
    net, digest = build_encoder(name, read_checkpoint(file)), sha256_of(file)
    return Encoder(name, net, f"{file.name}, sha256 {digest[:12]}", digest)


def default_baselines(encoder: str | None = None, encoder_weights: Path | str | None = None) -> list[Baseline]:
    """Return the baselines of every comparison, with an encoder if one is named (see `load_encoder`)."""
    found = [Baseline("haematoxylin", "haematoxylin"), Baseline(LINE_METHOD, "colour-texture")]
    if encoder is not None:
        loaded = load_encoder(encoder, encoder_weights)
        # Part of a folder's name in the end.
        plain = re.sub(r"[^\w.-]+", "-", encoder)
        found.append(Baseline(f"{plain}-pca-ridge ({loaded.weights})", "encoder", loaded))
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
    return [validation_blocks(only.spots.lattice, 0.5, 0, only.section.name).astype(np.intp)]


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
