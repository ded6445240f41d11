"""A model of another package: how red and how dark a patch is. It shows the contract, not skill."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.model import ModelCard

CARD = ModelCard(
    name="redness-example",
    version="1.0",
    architecture={"family": "example"},
    genes=["COL1A1", "CD74"],
    patch_um=100.0,
    input_px=64,
    organism="Homo sapiens",
    tissue="",  # it was made for none: what is unknown is left empty, and napari-tcgn says so
    output_scale="log10(1 + 1e4 * count / panel total)",
    licence="BSD-3-Clause",
    caveats=["An example: it was never trained, and no figure says that it predicts anything."],
)


class Redness:
    """What napari-tcgn calls for every batch of patches."""

    card = CARD

    def __init__(self, device: str) -> None:
        self.device = device

    def predict(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return float32 [B, genes] of upright RGB patches, uint8 [B, H, W, 3].

        Every patch for itself: a value may not depend on the others in the batch.
        """
        red, green, blue = (patches[..., channel].mean(axis=(1, 2), dtype=np.float64) / 255 for channel in range(3))
        pink, dark = red - green, 1 - (red + green + blue) / 3
        return np.stack([pink, dark], axis=1).astype(np.float32)


class Model:
    """What the entry point names: the card at once, the predictor when it is needed."""

    card = CARD

    @staticmethod
    def load(device: str) -> Redness:
        """Build the predictor for a device such as "cpu" or "cuda:0"."""
        return Redness(device)


MODEL = Model()
