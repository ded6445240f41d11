"""A stained slide and a quick model for tests of the dock, also for those that start napari as a program of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator

import numpy as np

from napari_tcgn.model import HeldOut, ModelCard
from napari_tcgn.options import PredictSettings
from support.colours import ColourPredictor

MPP = 2.0
SIDE = 600  # px: 1.2 x 1.2 mm, a third of it glass
MIXTURES = np.array([[1, 0, 0, -1], [0, 1, 0, -1], [0, 0, 1, -1]], float)


def stained(side: int = SIDE) -> np.ndarray:
    """Tissue whose red falls from left to right, with glass at the right; uint8 [side, side, 3]."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(200, 90, side)[None, :, None]
    pixels = np.broadcast_to(ramp * np.array([1.0, 0.55, 0.9]), (side, side, 3)).copy()
    pixels += rng.normal(0, 6, pixels.shape)
    pixels[:, 2 * side // 3 :] = 245
    return pixels.clip(0, 255).astype(np.uint8)


def card(**changes: object) -> ModelCard:
    values = {
        "name": "colours",
        "version": "1",
        "architecture": {"family": "colours"},
        "genes": ["RED", "GREEN", "BLUE", "DARK1"],
        "patch_um": 60.0,
        "tissue": "test tissue",
        "output_scale": "mean grey value",
        "metrics": HeldOut.from_record({"protocol": "none", "pcc": [0.1, 0.5, 0.3, None], "median_pcc": 0.3}),
        "licence": "CC0",
    }
    return ModelCard(**(values | changes))


def predictor(
    gate: threading.Event | None = None,
    error_after: int | None = None,
    before: Callable[[np.ndarray], None] | None = None,
) -> ColourPredictor:
    """Return a model of the card above.

    `gate` holds every batch after the first until it is set; `error_after` so many batches it fails; `before` is called
    with the patches of each batch.
    """

    def first(patches: np.ndarray) -> None:
        if made.batches and gate is not None:
            gate.wait(30)
        if error_after is not None and len(made.batches) >= error_after:
            raise ValueError("the weights have turned to dust")
        if before is not None:
            before(patches)

    made = ColourPredictor(card(), MIXTURES, first)
    return made


def speed_of_the_test(settings: PredictSettings, models: object) -> Generator[None, None, float]:
    """Say 80 spots/s without touching the model."""
    yield
    return 80.0
