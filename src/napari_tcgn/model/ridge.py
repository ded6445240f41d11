"""Linear models on features of a patch, through the same contract as TCGN: simple, quick, and hard to beat."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_tcgn.errors import CheckpointError, ModelError
from napari_tcgn.model.card import DomainOf, ModelCard
from napari_tcgn.model.features import FEATURE_PX, FEATURES, image_features
from napari_tcgn.model.gene_intervals import GeneIntervals
from napari_tcgn.model.prepare import prepare_patches
from napari_tcgn.model.scales import scale_crops
from napari_tcgn.model.timm_import import import_timm

ENCODER = "encoder."  # begins the names of an encoder's weights
# Arguments of timm's models that a card or a repository may name.
_SIZES = (
    "img_size", "patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio", "init_values", "reg_tokens",
    "class_token", "no_embed_class", "dynamic_img_size", "qkv_bias", "pre_norm", "fc_norm",
)  # fmt: skip
_LAYERS = {"mlp_layer": ("SwiGLUPacked",), "act_layer": ("silu", "gelu")}
MOST_SIZE = 10_000  # of any of them: a network of such a size is none
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")  # of a timm model: neither "hf-hub:…" nor a folder nor an address


@dataclass(frozen=True, slots=True)
class Line:
    """Expression as a linear function of features: (features - centre) / scale @ slope (@ directions) + level.

    Attributes
    ----------
    centre, scale : float32 [features]
    slope : float32 [features, genes], or [features, k] where there are directions
    level : float32 [genes]
    directions : float32 [k, genes] or None
        The k directions of expression that the line is confined to: two thin tables instead of a wide one.
    """

    centre: Tensor
    scale: Tensor
    slope: Tensor
    level: Tensor
    directions: Tensor | None = None

    def __call__(self, features: Tensor) -> Tensor:
        """Return the expression [B, genes] of features [B, features]."""
        scores = (features - self.centre) / self.scale @ self.slope
        return (scores if self.directions is None else scores @ self.directions) + self.level

    def state(self) -> dict[str, Tensor]:
        """Return the numbers as a state_dict."""
        numbers = {"centre": self.centre, "scale": self.scale, "slope": self.slope, "level": self.level}
        return numbers if self.directions is None else {**numbers, "directions": self.directions}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], device: str = "cpu") -> Line:
        """Return the line whose numbers stand in a state_dict, in float32 on a device.

        Raises
        ------
        KeyError
            If one of them is missing.
        """
        names = ("centre", "scale", "slope", "level", *(("directions",) if "directions" in state else ()))
        return cls(**{name: state[name].to(device).float() for name in names})


def feature_card(like: ModelCard, features: str, scales_um: Sequence[float] = ()) -> ModelCard:
    """Return the card of a line through simple features, for the genes, tissue and patch of another card.

    Parameters
    ----------
    like : ModelCard
    features : {"haematoxylin", "colour-texture"}
    scales_um : sequence of float
        Sides of the squares around a spot, in place of that card's patch; the features are those of all of them.
    """
    architecture: dict[str, Any] = {"family": "ridge", "features": features}
    patch_um = like.patch_um
    if scales_um:
        scales = sorted(float(scale) for scale in scales_um)
        patch_um, architecture = scales[-1], architecture | {"scales_um": scales}
    return replace(
        like, architecture=architecture, patch_um=patch_um, input_px=FEATURE_PX, mean=[0.0] * 3, std=[1.0] * 3
    )


class FeatureExtractor:
    """Turn uint8 patches into features on a device.

    Parameters
    ----------
    card : ModelCard
        Its architecture names the features: {"family": "ridge", "features": "haematoxylin" | "colour-texture"}, or
        {"family": "ridge", "features": "encoder", "encoder": name of a timm model}; with "scales_um", the features of
        every scale, the smallest first.
    device : str
    encoder : nn.Module, optional
        For "encoder".

    Raises
    ------
    ModelError
        If the card names other features.
    """

    def __init__(self, card: ModelCard, device: str, encoder: nn.Module | None = None) -> None:
        self.card, self.device = card, device
        self.which = str(card.architecture.get("features"))
        if self.which not in FEATURES and self.which != "encoder":
            raise ModelError(
                f"Model {card.name!r} wants features {self.which!r}.", f"Known: {', '.join([*FEATURES, 'encoder'])}."
            )
        self.encoder = None if encoder is None else encoder.to(device).eval().requires_grad_(False)

    def __call__(self, patches: NDArray[np.uint8]) -> Tensor:
        """Return float32 [B, features] of uint8 patches [B, H, W, 3]."""
        batch = torch.from_numpy(np.ascontiguousarray(patches)).to(self.device)
        with torch.inference_mode():
            if "scales_um" in self.card.architecture:
                return torch.cat([image_features(images, self.which) for images in scale_crops(batch, self.card)], 1)
            images = prepare_patches(batch, self.card)
            found: Tensor = image_features(images, self.which) if self.encoder is None else self.encoder(images)
        return found


class RidgePredictor:
    """Predict expression with a line through features (see `Predictor`)."""

    domain_of: DomainOf | None = None
    intervals: GeneIntervals | None = None
    domain_of_features: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None  # where they are the line's

    def __init__(self, extract: FeatureExtractor, line: Line, card: ModelCard | None = None) -> None:
        self.card, self.device = card or extract.card, extract.device
        self._extract = extract
        self._line = Line.from_state(line.state(), extract.device)

    @property
    def slope(self) -> Tensor:
        """How the values depend on the scaled features: float32 [features, genes]."""
        line = self._line
        return line.slope if line.directions is None else line.slope @ line.directions

    def select(self, rows: Sequence[int]) -> RidgePredictor:
        """Return the same line for some of its genes, by their numbers."""
        line, chosen = self._line, list(rows)
        level = line.level[chosen]
        if line.directions is None:
            some = replace(line, slope=line.slope[:, chosen], level=level)
        else:
            some = replace(line, directions=line.directions[:, chosen], level=level)
        predictor = RidgePredictor(self._extract, some, self.card.select(chosen))
        predictor.domain_of, predictor.domain_of_features = self.domain_of, self.domain_of_features
        return predictor

    def sees_features_of(self, other: FeatureExtractor) -> bool:
        """Whether the line is through the same features of the same squares as another extractor makes."""
        own = self._extract
        return (own.which, own.card.scales_um) == (other.which, other.card.scales_um)

    def predict_with_domain(self, patches: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return what `predict` and `domain_of` do, from features that are made once where both go by the same."""
        features = self._extract(patches).clone()
        values: NDArray[np.float32] = self._line(features).cpu().numpy()
        if self.domain_of_features is not None:
            return values, self.domain_of_features(features.cpu().numpy())
        return values, None if self.domain_of is None else self.domain_of(patches)

    def predict(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict uint8 patches [B, H, W, 3] as float32 [B, genes] on the card's output scale."""
        values: NDArray[np.float32] = self._line(self._extract(patches).clone()).cpu().numpy()
        return values


def check_encoder_args(args: Mapping[str, Any]) -> None:
    """Refuse arguments of an encoder that are not plain sizes, switches, or names of layers that are known.

    Raises
    ------
    ModelError
    """
    for name, value in args.items():
        known = name in _SIZES and isinstance(value, bool | int | float) and abs(value) < MOST_SIZE
        if not known and not (name in _LAYERS and isinstance(value, str) and value in _LAYERS[name]):
            raise ModelError(
                f"The encoder's argument {name!r} is {value!r}, which is not known here.",
                f"Known are {', '.join([*_SIZES, *_LAYERS])}; numbers below {MOST_SIZE:,} and names of layers.",
            )


def build_encoder(
    name: str,
    state: dict[str, Tensor] | None,
    args: Mapping[str, Any] | None = None,
    prepare: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Return a timm model without its classifier; random weights where none are given.

    Nothing is fetched: a name that leads timm to a hub, a folder or an address is refused. Weights are compared with
    the model's shapes before memory is taken for it.

    Parameters
    ----------
    name : str
        Of a timm model.
    state : dict of str to Tensor, or None
    args : mapping, optional
        What distinguishes it from timm's own model of that name (`check_encoder_args`).
    prepare : mapping, optional
        `input_size`, `mean` and `std` where they are not timm's own.

    Raises
    ------
    ModelError
        If timm has no such model, or an argument is not known.
    CheckpointError
        If the weights are not those of the model, or not finite.
    """
    timm = import_timm()
    if not isinstance(name, str) or not _PLAIN_NAME.fullmatch(name):
        raise ModelError(
            f"{name!r} is no plain name of a timm model: it could lead to a hub, a folder or an address.",
            "Name one of timm.list_models().",
        )

    given = _encoder_args(args or {})

    def build() -> nn.Module:
        made: nn.Module = timm.create_model(
            name, pretrained=False, num_classes=0, pretrained_cfg_overlay=dict(prepare or {}), **given
        )
        return made

    if not timm.is_model(name.partition(".")[0]):
        raise ModelError(f"timm has no model {name!r}.", "Name one of timm.list_models().")
    if state is not None:
        with (
            suppress(NotImplementedError, RuntimeError),
            torch.device("meta"),
        ):  # a few models do not build without numbers
            _require_fitting(name, build().state_dict(), state)  # shapes without memory
    try:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            encoder = build()
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise ModelError(
            f"timm cannot build {name!r} with {dict(args or {})}: {error}.", "Name one of timm.list_models()."
        ) from error
    if state is not None:
        own = encoder.state_dict()
        _require_fitting(name, own, state)
        encoder.load_state_dict({key: state[key] for key in own})
    return encoder


def _encoder_args(args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with layers in place of their names."""
    check_encoder_args(args)
    import_timm()
    from timm.layers.mlp import SwiGLUPacked

    layers = {"SwiGLUPacked": SwiGLUPacked, "silu": nn.SiLU, "gelu": nn.GELU}
    return {name: layers[value] if name in _LAYERS else value for name, value in args.items()}


def _require_fitting(name: str, own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    missing = sorted(set(own) - set(state))
    other = sorted(key for key in own if key in state and own[key].shape != state[key].shape)
    if missing or other:
        raise CheckpointError(
            f"The weights do not fit the encoder {name!r}: {len(missing)} entries are missing (first {missing[:1]}), "
            f"{len(other)} have another shape (first {other[:1]}).",
            "Give the weights of this timm model.",
        )
    if not all(torch.isfinite(state[key]).all() for key in own if state[key].is_floating_point()):
        raise CheckpointError(
            f"The weights for the encoder {name!r} hold values that are not finite.", "Use another checkpoint."
        )


def hub_encoder(name: str) -> tuple[nn.Module, str] | None:
    """Return a timm model with its published weights and their name; None where the hub cannot be reached.

    Raises
    ------
    ModelError
        If timm has no such model, or the hub no weights of it.
    """
    timm = import_timm()
    build_encoder(name, None)  # a wrong name is no matter of the hub
    try:
        encoder: nn.Module = timm.create_model(name, pretrained=True, num_classes=0)
    except OSError:  # what the hub's client raises without a connection, and sockets do
        return None
    except RuntimeError as error:
        raise ModelError(
            f"The hub has no weights of {name!r}: {error}.", "Give a file (--encoder-weights FILE)."
        ) from error
    settings: dict[str, Any] = getattr(encoder, "pretrained_cfg", {})
    return encoder, ".".join(str(settings[key]) for key in ("architecture", "tag") if settings.get(key)) or name


def encoder_card(like: ModelCard, name: str, encoder: nn.Module, args: Mapping[str, Any] | None = None) -> ModelCard:
    """Return the card of a line through an encoder's features: patches are prepared as the encoder was trained."""
    import_timm()
    from timm.data.config import resolve_model_data_config

    wants = resolve_model_data_config(encoder)
    return replace(
        like,
        architecture={"family": "ridge", "features": "encoder", "encoder": name}
        | ({"encoder_args": dict(args)} if args else {}),
        input_px=int(wants["input_size"][-1]),
        mean=[float(v) for v in wants["mean"]],
        std=[float(v) for v in wants["std"]],
    )


def from_state(card: ModelCard, state: dict[str, Tensor], device: str) -> RidgePredictor:
    """Build the predictor of a model folder from its weights.

    Raises
    ------
    CheckpointError
        If entries are missing or do not fit the card.
    """
    names = {"centre", "scale", "slope", "level"}
    if not names <= set(state):
        raise CheckpointError(
            f"The weights of model {card.name!r} lack {sorted(names - set(state))}.",
            "Use the weights that belong to the card.",
        )
    line = Line.from_state(state)
    last = line.slope if line.directions is None else line.directions  # [features or k, genes]
    inner = len(line.centre) if line.directions is None else line.slope.shape[1]
    genes = len(card.genes)
    if len(line.slope) != len(line.centre) or last.shape != (inner, genes) or line.level.shape != (genes,):
        raise CheckpointError(
            f"The weights of model {card.name!r} are for {last.shape[1]} genes and "
            f"{line.slope.shape[0]} features, "
            f"its card names {len(card.genes)} genes.",
            "Use the card that belongs to these weights.",
        )
    features = str(card.architecture.get("features"))
    if features in FEATURES and len(line.centre) != (wanted := len(FEATURES[features]) * len(card.scales_um)):
        raise CheckpointError(
            f"The weights of model {card.name!r} are for {len(line.centre)} features; its card says {features} of "
            f"{len(card.scales_um)} squares, which are {wanted}.",
            "Use the card that belongs to these weights.",
        )
    encoder = None
    if features == "encoder":
        weights = {k.removeprefix(ENCODER): v.float() for k, v in state.items() if k.startswith(ENCODER)}
        encoder = build_encoder(
            str(card.architecture.get("encoder")), weights, card.architecture.get("encoder_args", {})
        )
    return RidgePredictor(FeatureExtractor(card, device, encoder), line)


def ridge_state(line: Line, encoder: nn.Module | None = None) -> dict[str, Any]:
    """Return the state_dict that `from_state` reads."""
    weights = {} if encoder is None else {f"{ENCODER}{k}": v for k, v in encoder.state_dict().items()}
    return {**line.state(), **weights}
