"""A model without weights to load, whose every prediction a test can compute again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_tcgn.model import HeldOut, ModelCard, registry


class ColourPredictor:
    """Genes as fixed mixtures of the mean colours of a patch: a real function of the pixels.

    Parameters
    ----------
    card : ModelCard
    weights : float [parts * parts * 3, genes]
        What a gene has of the red, green and blue (0 to 255) of each of `parts` x `parts` parts of a patch.
    before : callable, optional
        Called with the patches before each batch is predicted: to wait, to fail, to count.
    """

    device = "cpu"

    def __init__(
        self, card: ModelCard, weights: np.ndarray, before: Callable[[np.ndarray], None] | None = None
    ) -> None:
        self.card, self.weights, self.before = card, weights, before
        self.batches: list[int] = []  # sizes

    def predict(self, patches: np.ndarray) -> np.ndarray:
        if self.before is not None:
            self.before(patches)
        self.batches.append(len(patches))
        parts = round((len(self.weights) / 3) ** 0.5)
        part = patches.shape[1] // parts
        patches = patches[:, : part * parts, : part * parts]
        colours = patches.reshape(len(patches), parts, part, parts, part, 3).mean(axis=(2, 4))
        return (colours.reshape(len(patches), -1) @ self.weights).astype(np.float32)


class ColourModel:
    """Predicts mean colours; what another package's entry point of the group `napari_tcgn.models` loads as."""

    output_scale = "log10(1 + 1e4 * count / panel total)"
    before: Callable[[np.ndarray], None] | None = None

    @property
    def card(self) -> ModelCard:
        return ModelCard(
            name="colours",
            version="1",
            architecture={"family": "test"},
            genes=["RED", "GREEN", "BLUE"],
            patch_um=40.0,
            input_px=40,
            output_scale=self.output_scale,
            metrics=HeldOut(pcc=[0.1, 0.3, None], median_pcc=0.2),
            training={"sections": ["T1", "T2"]},
        )

    def load(self, device: str | None = None) -> object:
        # An entry point's load() gives the model, the model's load(device) the predictor.
        return self if device is None else ColourPredictor(self.card, np.eye(3), self.before)


@pytest.fixture
def colour_model(monkeypatch: pytest.MonkeyPatch) -> type[ColourModel]:
    """Make it the one model of other packages that commands find, by the name "colours"."""
    monkeypatch.setattr(registry, "_from_packages", lambda: {"colours": ColourModel()})
    return ColourModel
