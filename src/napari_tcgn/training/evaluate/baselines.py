"""The simple models that stand in the same table as TCGN: a line through features, fitted on the training sections."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from napari_tcgn.errors import ModelError
from napari_tcgn.files import sha256_of
from napari_tcgn.hub import EncoderFiles, fetch_encoder, find_preset, is_on_hub, require_accepted
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
from napari_tcgn.training.data.patch_cache import PatchCache
from napari_tcgn.training.data.section import MeasuredSection
from napari_tcgn.training.fit.feature_cache import encoder_features
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
        encoder = self._encoder
        return replace(encoder_card(like, encoder.architecture, encoder.net, encoder.args), name=self.name)

    def extract(
        self,
        sections: Sequence[MeasuredSection],
        like: ModelCard,
        device: str = "cpu",
        cache: PatchCache | None = None,
    ) -> list[NDArray[np.float64]]:
        """Return the features of every section's spots, float64 [n, features] each; an encoder's are kept."""
        if self.scales_um:
            found = [wide_features(section, self.card(like), device) for section in sections]
            self.padded = {section.name: wide.padded for section, wide in zip(sections, found, strict=True)}
            return [wide.values for wide in found]
        if self._encoder is not None:
            return encoder_features(sections, self.card(like), device, self._encoder.net, cache)
        return section_features(sections, self.card(like), device)

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
        As it was asked for, without a commit.
    net : nn.Module
    weights : str
        In words, for the labels of tables: the file and its hash, the hub's name, or that they are random.
    sha256 : str
        Of the file; "" for weights that are not from a file.
    random : bool
    architecture : str
        As in timm.
    args : mapping
        What distinguishes it from timm's own model of that name.
    licence : str
        "" where it is not known.
    """

    name: str
    net: nn.Module
    weights: str
    sha256: str = ""
    random: bool = False
    architecture: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    licence: str = ""

    @property
    def origin(self) -> dict[str, str]:
        """Return name, weights and hash for records."""
        told = {"name": self.name, "weights": self.weights, "sha256": self.sha256}
        return told | ({"licence": self.licence} if self.licence else {})


def load_encoder(name: str, weights: Path | str | None = None, accept_licence: bool = False) -> Encoder:
    """Build an encoder.

    Parameters
    ----------
    name : str
        Of a timm model, of a known encoder (`hub.encoder_presets`; it needs weights), or of one on the hub with its
        commit (`hub.fetch_encoder`).
    weights : pathlib.Path, "hub" or None
        File with its state_dict (.safetensors, or a torch file of tensors); "hub": the published ones, or random ones
        where the hub cannot be reached; None: random ones. What it has become stands in the result.
    accept_licence : bool
        Whether the conditions of its licence are accepted.

    Raises
    ------
    ModelError, CheckpointError
        If there is no such model, or the weights are not its own.
    LicenceError, DataError
        See `hub.fetch_encoder`.
    """
    if is_on_hub(name):
        if weights is not None:
            raise ModelError(f"The encoder {name} comes with its weights.", "Leave --encoder-weights away.")
        return _from_files(fetch_encoder(name, accept_licence=accept_licence))
    preset = find_preset(name)
    if weights is not None and weights != HUB:
        file = Path(weights)
        if preset is None:
            return _from_files(EncoderFiles(name, name, {}, {}, file))
        require_accepted(f"{preset.repo}, {file.name}", preset.licence, accept_licence)
        prepare = {"input_size": (3, preset.input_px, preset.input_px), "mean": preset.mean, "std": preset.std}
        return _from_files(
            EncoderFiles(preset.name, str(preset.architecture), preset.args, prepare, file, preset.licence)
        )
    if preset is not None and preset.args:  # not one of timm's own
        raise ModelError(
            f"The encoder {preset.name} is nothing without its weights.",
            f"Name a commit of {preset.repo} ({preset.name}@COMMIT), or a file (--encoder-weights FILE).",
        )
    if weights is None:
        return Encoder(name, build_encoder(name, None), "random weights", random=True, architecture=name)
    found = hub_encoder(name)
    if found is None:
        net, said = build_encoder(name, None), "random weights, for the hub is out of reach"
        return Encoder(name, net, said, random=True, architecture=name)
    return Encoder(name, found[0], f"hub weights {found[1]}", architecture=name)


def _from_files(files: EncoderFiles) -> Encoder:
    """Build an encoder from what was fetched, or given."""
    net = build_encoder(files.architecture, read_checkpoint(files.weights), files.args, files.prepare)
    digest = sha256_of(files.weights)
    said = f"{files.weights.name}, sha256 {digest[:12]}"
    return Encoder(files.name, net, said, digest, False, files.architecture, files.args, files.licence)


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
    accept_licence: bool = False,
) -> list[Baseline]:
    """Return the baselines of every comparison, with an encoder if one is named (`load_encoder`) and other scales."""
    found = [Baseline("haematoxylin", "haematoxylin"), Baseline(LINE_METHOD, "colour-texture")]
    if encoder is not None:
        loaded = load_encoder(encoder, encoder_weights, accept_licence)
        # Part of a folder's name in the end.
        plain = re.sub(r"[^\w.-]+", "-", loaded.name)
        found.append(Baseline(f"{plain}-pca-ridge ({loaded.weights})", "encoder", loaded))
    for scales_um in scales:
        found.append(context_line(scales_um, [one.name for one in found]))
    return found
