"""How unlike the training patches a patch is: a distance in a space of plain features, and what it is worth.

The features are always the same few numbers of colour and texture (`features.py`), whatever the model looks at, so that
no network is needed and every kind of model can have them. Distances are to the k-th nearest training patch along
principal components of equal weight (k nearest neighbours: Sun et al. 2022, arXiv 2204.06507; for histopathology:
arXiv 2210.09909). `trust.fit_domain` makes the numbers, a file of them lies beside the weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_tcgn.errors import CheckpointError
from napari_tcgn.files import sha256_of, write_whole
from napari_tcgn.model.card import ModelCard
from napari_tcgn.model.domain import PatchDomain
from napari_tcgn.model.features import FEATURES
from napari_tcgn.model.ridge import FeatureExtractor, feature_card
from napari_tcgn.model.weights import read_tensors

Floats = NDArray[np.float64]

DOMAIN_NAME = "domain.safetensors"
DOMAIN_FEATURES = "colour-texture"
NEAREST = 5  # of the training patches, the one that the distance is to: a single odd one is no company
LEAST = 1e-4  # spreads and edges are compared by their ratio; one of these is none
# What blur, noise and another scale change by a factor.
_BY_RATIO = np.array(
    [any(word in name for word in ("spread", "edges", "roughness")) for name in FEATURES["colour-texture"]]
)


@dataclass(frozen=True, slots=True, eq=False)
class SpotDomain:
    """The training patches of a model, and how far from each other those of different sections are.

    Attributes
    ----------
    centre, scale : float32 [features]
    directions : float32 [features, components]
        To components of unit variance.
    points : float32 [patches, components]
        Training patches.
    distances : float32 [sections, quantiles]
        Of every training section from the others, growing.
    sections : tuple of str
        Their names.
    """

    centre: NDArray[np.float32]
    scale: NDArray[np.float32]
    directions: NDArray[np.float32]
    points: NDArray[np.float32]
    distances: NDArray[np.float32]
    sections: tuple[str, ...]

    def distance(self, features: NDArray[np.floating]) -> Floats:
        """Return how far features [n, features] (`FeatureExtractor`) are from the training patches, float64 [n]."""
        mine = (by_ratio(features) - self.centre) / self.scale @ self.directions  # [n, components]
        points = self.points.astype(np.float64)
        squares = (mine**2).sum(1)[:, None] + (points**2).sum(1) - 2 * mine @ points.T
        k = min(NEAREST, len(points)) - 1
        found: Floats = np.sqrt(np.maximum(np.partition(squares, k, axis=1)[:, k], 0.0))
        return found

    def p_values(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return how usual such distances are between sections, float32 [n]: small is unlike the training.

        Against every left-out training section by itself: the share of its spots that are as far from the other
        sections, (1 + those) / (1 + all); then the median over the sections.
        """
        distance, count = self.distance(features), self.distances.shape[1]
        each = [count - np.searchsorted(known, distance.astype(np.float32), side="left") for known in self.distances]
        p: NDArray[np.float32] = np.median((1.0 + np.stack(each)) / (1.0 + count), axis=0).astype(np.float32)
        return p


def by_ratio(features: NDArray[np.floating]) -> Floats:
    """Return features with the logarithm in place of those that are spreads or edges."""
    values = np.array(features, dtype=np.float64)
    ratio = np.tile(_BY_RATIO, values.shape[1] // len(_BY_RATIO))  # of every scale
    values[:, ratio] = np.log(np.maximum(values[:, ratio], LEAST))
    return values


def domain_features(card: ModelCard, device: str) -> FeatureExtractor:
    """Return what makes the features of the patches that a model is handed, at each of its scales."""
    scales = card.scales_um if len(card.scales_um) > 1 else ()
    return FeatureExtractor(feature_card(card, DOMAIN_FEATURES, scales), device)


class DomainOfPatches:
    """Tells of patches how like the training they are.

    Parameters
    ----------
    domain : SpotDomain
    extract : FeatureExtractor
        As `domain_features` makes it.
    """

    def __init__(self, domain: SpotDomain, extract: FeatureExtractor) -> None:
        self.domain, self._extract = domain, extract

    def __call__(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the p-values, float32 [B], of uint8 patches [B, H, W, 3] as the model is handed them."""
        return self.domain.p_values(self._extract(patches).cpu().numpy())


def save_domain(folder: Path, domain: SpotDomain | None, card: ModelCard) -> ModelCard:
    """Write a domain beside a model's weights, and return the card that names it; without one, that says so.

    The card itself is not written.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    from safetensors.torch import save_file

    if domain is None:
        return replace(card, domain=replace(card.domain, patches=None))
    path = Path(folder) / DOMAIN_NAME
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(getattr(domain, name)))
        for name in ("centre", "scale", "directions", "points", "distances")
    }
    tensors["points"] = tensors["points"].half()
    with write_whole(path, overwrite=True) as temporary:
        save_file(tensors, temporary)
    patches = PatchDomain(DOMAIN_NAME, sha256_of(path), list(domain.sections), len(domain.points))
    return replace(card, domain=replace(card.domain, patches=patches))


def read_domain(folder: Path, card: ModelCard) -> SpotDomain | None:
    """Read the domain that a card names; None where it names none, or the file was left behind.

    Raises
    ------
    CheckpointError
        If the file is damaged or not the one that the card names.
    """
    from safetensors import SafetensorError

    named = card.domain.patches
    if named is not None and named.file != Path(named.file).name:
        raise CheckpointError(
            f"The card of model {card.name!r} names a domain outside its folder ({named.file!r}).",
            "Keep the file beside the card, and name it alone.",
        )
    if named is None or not (path := Path(folder) / named.file).is_file():
        return None
    hint = "Restore the file that belongs to the card, or remove it: its domain is then unknown."
    if (found := sha256_of(path)) != named.sha256:
        raise CheckpointError(f"{path} has SHA-256 {found[:12]}…, its card says {named.sha256[:12]}….", hint)
    try:
        numbers = {name: _array(tensor) for name, tensor in read_tensors(path).items()}
        domain = SpotDomain(**numbers, sections=tuple(named.sections))
        domain.p_values(np.zeros((1, len(domain.centre))))  # they fit each other
    except (SafetensorError, OSError, ValueError, TypeError, IndexError) as error:
        raise CheckpointError(f"{path} holds no domain: {error}.", hint) from error
    return domain


def _array(tensor: Tensor) -> NDArray[np.float32]:
    values: NDArray[np.float32] = tensor.float().numpy()
    return values
