"""The simple models that stand in the same table as TCGN: a line through features, fitted on the training sections."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from napari_tcgn.files import sha256_of
from napari_tcgn.model import (
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
from napari_tcgn.training.data.section import MeasuredSection
from napari_tcgn.training.fit.line import fit_line, section_features
from napari_tcgn.training.fit.wide_features import wide_features

COMPONENTS = 256  # principal components of an encoder's features (the HEST recipe)
LINE_METHOD = "colour-texture-line"
CONTEXT_METHOD = "context-line"
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
    scales_um : sequence of float
        Sides of the squares around a spot whose features they are, read from the slides; none: the sections' patches.

    Attributes
    ----------
    padded : dict of str to int
        By section, once its features are read at scales: spots whose widest square leaves the image.
    origin : dict or None
        Name of the encoder, and what its weights are, for records.
    caveats : list of str
        For the card.
    """

    def __init__(
        self, name: str, features: str, encoder: Encoder | None = None, scales_um: Sequence[float] = ()
    ) -> None:
        self.name, self.features, self._encoder, self.scales_um = name, features, encoder, tuple(scales_um)
        self.padded: dict[str, int] = {}
        self.origin = None if encoder is None else encoder.origin
        self.caveats: list[str] = []
        if encoder is not None and encoder.random:
            self.caveats.append("The encoder's weights are random: it was never trained.")

    def card(self, like: ModelCard) -> ModelCard:
        """Return the card of this kind of model for the genes, tissue and patch size of another card."""
        if self._encoder is None:
            return replace(feature_card(like, self.features, self.scales_um), name=self.name)
        return replace(encoder_card(like, self._encoder.name, self._encoder.net), name=self.name)

    def extract(
        self, sections: Sequence[MeasuredSection], like: ModelCard, device: str = "cpu"
    ) -> list[NDArray[np.float64]]:
        """Return the features of every section's spots, float64 [n, features] each."""
        if self.scales_um:
            found = [wide_features(section, self.card(like), device) for section in sections]
            self.padded = {section.name: wide.padded for section, wide in zip(sections, found, strict=True)}
            return [wide.values for wide in found]
        net = None if self._encoder is None else self._encoder.net
        return section_features(sections, self.card(like), device, net)

    def fit(self, features: Sequence[NDArray[np.float64]], sections: Sequence[MeasuredSection]) -> Line:
        """Fit the line on training sections; the ridge's strength is chosen among them only."""
        return fit_line(features, sections, COMPONENTS if self.features == "encoder" else None)

    def recipe(self, line: Line) -> dict[str, Any]:
        """Return in words what the line is through, for its card."""
        told: dict[str, Any] = {"line through": self.features}
        if self.scales_um:
            told["scales in µm"] = list(self.scales_um)
        if line.directions is not None:
            told["directions"] = len(line.directions)
        return told

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


def context_line(scales_um: Sequence[float], taken: Sequence[str] = ()) -> Baseline:
    """Return a line through colour-texture at other scales than the sections' patches.

    Parameters
    ----------
    scales_um : sequence of float
        Sides of the squares around a spot.
    taken : sequence of str
        Names that it may not have.
    """
    scales = sorted(set(scales_um))
    name = f"line-{scales[0]:g}um" if len(scales) == 1 else CONTEXT_METHOD
    if name in taken:
        name = f"{name}-{'-'.join(f'{scale:g}' for scale in scales)}"
    return Baseline(name, "colour-texture", scales_um=scales)


def default_baselines(
    encoder: str | None = None,
    encoder_weights: Path | str | None = None,
    scales: Sequence[Sequence[float]] = (),
) -> list[Baseline]:
    """Return the baselines of every comparison, with an encoder if one is named (`load_encoder`) and other scales."""
    found = [Baseline("haematoxylin", "haematoxylin"), Baseline(LINE_METHOD, "colour-texture")]
    if encoder is not None:
        loaded = load_encoder(encoder, encoder_weights)
        # Part of a folder's name in the end.
        plain = re.sub(r"[^\w.-]+", "-", encoder)
        found.append(Baseline(f"{plain}-pca-ridge ({loaded.weights})", "encoder", loaded))
    for scales_um in scales:
        found.append(context_line(scales_um, [one.name for one in found]))
    return found
