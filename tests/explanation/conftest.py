"""A slide and models whose explanations can be told beforehand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_tcgn.model import TCGN, TCGNPredictor
from napari_tcgn.slide import ArraySlide
from napari_tcgn.spots import Spots
from support.explaining import MPP, colour_card


@pytest.fixture
def slide() -> ArraySlide:
    pixels = np.random.default_rng(0).integers(60, 200, (400, 480, 3)).astype(np.uint8)
    return ArraySlide(pixels, "section", MPP)


@pytest.fixture
def spots() -> Spots:
    x, y = (v.ravel().astype(float) for v in np.meshgrid([20, 100, 200, 300], [100, 200, 300]))
    return Spots(
        np.array([f"s{i}" for i in range(12)]), x, y, np.arange(12) // 4, np.arange(12) % 4, 20.0, 50.0, "square"
    )


@pytest.fixture(scope="session")
def tcgn() -> TCGNPredictor:
    """A TCGN with random weights whose last layers are strong enough to tell patches apart."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = TCGN(3, "tiny")
        for layer in (net.head[0], net.head[2]):
            torch.nn.init.normal_(layer.weight, std=0.1)
    return TCGNPredictor(net, colour_card(architecture={"family": "tcgn", "size": "tiny"}, input_px=224))


@pytest.fixture(scope="session")
def patch() -> np.ndarray:
    random = np.random.default_rng(1)
    return random.integers(0, 256, (16, 16, 3)).astype(np.uint8).repeat(6, axis=0).repeat(6, axis=1)  # 96 px
