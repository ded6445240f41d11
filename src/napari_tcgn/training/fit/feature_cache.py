"""An encoder's features of a section on disk: made once for these patches, this encoder and this preparation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from napari_tcgn.model import FeatureExtractor, ModelCard
from napari_tcgn.training.data.patch_cache import PatchCache
from napari_tcgn.training.data.section import MeasuredSection
from napari_tcgn.training.fit.line import features_of

FORMAT = "napari-tcgn features 1"


def encoder_features(
    sections: Sequence[MeasuredSection], card: ModelCard, device: str, net: nn.Module, cache: PatchCache | None
) -> list[NDArray[np.float64]]:
    """Return an encoder's features of every section's spots, float64 [n, features]; kept ones are read.

    Parameters
    ----------
    sections : sequence of MeasuredSection
    card : ModelCard
        Names the encoder, and how patches are prepared for it.
    device : str
    net : nn.Module
    cache : PatchCache or None
    """
    extract = FeatureExtractor(card, device, net)
    if cache is None:
        return features_of(extract, sections)
    weights, width, found = _digest(net), 0, []
    for section in sections:
        key = feature_key(section, card, weights)
        width = width or extract(section.patches[:1]).shape[1]
        features = cache.find(key, (len(section), width), np.float32)
        if features is None:
            made = features_of(extract, [section])[0].astype(np.float32)
            features = cache.keep(key, made, {"section": section.name, "encoder": card.architecture.get("encoder")})
        found.append(np.asarray(features, dtype=np.float64))
    return found


def feature_key(section: MeasuredSection, card: ModelCard, weights: str) -> str:
    """Return what changes with anything that the features come from: patches, encoder, preparation."""
    told = [FORMAT, weights, card.architecture, card.input_px, card.mean, card.std, card.orientation, card.patch_um]
    digest = hashlib.sha256(json.dumps([*told, list(section.patches.shape)], sort_keys=True).encode())
    digest.update(np.ascontiguousarray(section.patches).tobytes())
    return digest.hexdigest()


def _digest(net: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(net.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
