"""A model of colours whose explanation can be told beforehand."""

from __future__ import annotations

import numpy as np

from napari_tcgn.model import ModelCard
from support.colours import ColourPredictor

PARTS, PATCH_UM, MPP = 4, 40.0, 0.5  # patches of 80 px in 4 x 4 parts
GENES = ["RED", "GREEN", "ERBB2"]


def colour_card(**more: object) -> ModelCard:
    given = {"architecture": {"family": "test"}, "patch_um": PATCH_UM, "input_px": 80, "output_scale": "grey levels"}
    return ModelCard("colours", "1", genes=GENES, **(given | more))


def colour_predictor(place: tuple[int, int] = (1, 2), weight: float = 0.01, **more: object) -> ColourPredictor:
    """RED is the red of one part of the patch, GREEN its negative; ERBB2 is always 0."""
    weights = np.zeros((PARTS, PARTS, 3, 3))
    weights[*place, 0, 0], weights[*place, 0, 1] = weight, -weight
    return ColourPredictor(colour_card(), weights.reshape(-1, 3), **more)
