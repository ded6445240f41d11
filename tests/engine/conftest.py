"""A slide, spots and a model small enough to check every number of a run by hand."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from napari_tcgn.model.card import ModelCard
from napari_tcgn.spots.source import SpotsSource
from napari_tcgn.spots.table import Spots


class PyramidSlide:
    """A pyramid of arrays that counts its reads and can be slow."""

    def __init__(self, levels: list[np.ndarray], mpp: float | None = 0.5, delay: float = 0.0) -> None:
        self.levels, self.mpp, self.delay = levels, mpp, delay
        self.name, self.path, self.mpp_source = "section", None, "given"
        self.level_dimensions = tuple((a.shape[1], a.shape[0]) for a in levels)
        self.reads = 0
        self._lock = threading.Lock()

    def read_region(self, x: int, y: int, width: int, height: int, level: int = 0) -> np.ndarray:
        with self._lock:
            self.reads += 1
        time.sleep(self.delay)
        array = self.levels[level]
        out = np.full((height, width, 3), 255, np.uint8)
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + width, array.shape[1]), min(y + height, array.shape[0])
        if left < right and top < bottom:
            out[top - y : bottom - y, left - x : right - x] = array[top:bottom, left:right]
        return out

    def close(self) -> None:
        self.levels = []


class ColourPredictor:
    """Genes as fixed mixtures of the mean colours of a patch's four quarters: a real function of the pixels."""

    def __init__(self, genes: int = 5, input_px: int = 32) -> None:
        self.card = ModelCard(
            name="colours",
            version="1",
            architecture={"family": "test"},
            genes=[f"GENE{i}" for i in range(genes)],
            patch_um=16.0,
            input_px=input_px,
            output_scale="mixture",
            sha256="ab" * 32,
        )
        self.device = "cpu"
        self.weights = np.random.default_rng(0).normal(size=(12, genes))
        self.batches: list[int] = []

    def predict(self, patches: np.ndarray) -> np.ndarray:
        self.batches.append(len(patches))
        b, n = len(patches), patches.shape[1] // 2 * 2
        quarters = patches[:, :n, :n].reshape(b, 2, n // 2, 2, n // 2, 3).mean(axis=(2, 4))  # [B, 2, 2, 3]
        return (quarters.reshape(b, 12) / 255 @ self.weights).astype(np.float32)


def make_spots(x: np.ndarray, y: np.ndarray, **more: object) -> Spots:
    n = len(x)
    return Spots(
        ids=np.array([f"s{i}" for i in range(n)]),
        x=x,
        y=y,
        array_row=np.arange(n) // 7,
        array_col=np.arange(n) % 7,
        diameter_um=20.0,
        pitch_um=40.0,
        layout="square",
        source=SpotsSource(kind="test"),
        **more,
    )


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (240, 320, 3)).astype(np.uint8)


@pytest.fixture
def slide(pixels: np.ndarray) -> PyramidSlide:
    return PyramidSlide([pixels])


@pytest.fixture
def pyramid(pixels: np.ndarray):
    return lambda levels, **more: PyramidSlide(levels, **more)


@pytest.fixture
def spots() -> Spots:
    """37 spots in no order; some so near the edge that their patch leaves the slide."""
    rng = np.random.default_rng(2)
    return make_spots(rng.uniform(0, 320, 37), rng.uniform(0, 240, 37))


@pytest.fixture
def predictor() -> ColourPredictor:
    return ColourPredictor()


@pytest.fixture
def new_spots():
    return make_spots


@pytest.fixture
def new_predictor():
    return ColourPredictor


@pytest.fixture(scope="session")
def reference() -> Path:
    return Path(__file__).parents[1] / "reference"
