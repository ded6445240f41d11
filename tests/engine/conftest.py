"""A slide, spots and a model small enough to check every number of a run by hand."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from napari_tcgn.model.card import ModelCard
from napari_tcgn.spots.source import SpotsSource
from napari_tcgn.spots.table import Spots
from support.colours import ColourPredictor


class PyramidSlide:
    """A pyramid of arrays that counts its reads, and can hold them.

    From the moment on when `permits` is a semaphore, a read takes one of its permits; `held` is set once a read waits.
    """

    def __init__(self, levels: list[np.ndarray], mpp: float | None = 0.5) -> None:
        self.levels, self.mpp = levels, mpp
        self.permits: threading.Semaphore | None = None
        self.held = threading.Event()
        self.name, self.path, self.mpp_source = "section", None, "given"
        self.level_dimensions = tuple((a.shape[1], a.shape[0]) for a in levels)
        self.reads = 0
        self._lock = threading.Lock()

    def read_region(self, x: int, y: int, width: int, height: int, level: int = 0) -> np.ndarray:
        if self.permits is not None and not self.permits.acquire(blocking=False):
            self.held.set()
            self.permits.acquire()
        with self._lock:
            self.reads += 1
        array = self.levels[level]
        out = np.full((height, width, 3), 255, np.uint8)
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + width, array.shape[1]), min(y + height, array.shape[0])
        if left < right and top < bottom:
            out[top - y : bottom - y, left - x : right - x] = array[top:bottom, left:right]
        return out

    def close(self) -> None:
        self.levels = []


def make_predictor(genes: int = 5, input_px: int = 32) -> ColourPredictor:
    """Return one whose genes are mixtures of the mean colours of a patch's four quarters."""
    card = ModelCard(
        name="colours",
        version="1",
        architecture={"family": "test"},
        genes=[f"GENE{i}" for i in range(genes)],
        patch_um=16.0,
        input_px=input_px,
        output_scale="mixture",
        sha256="ab" * 32,
    )
    return ColourPredictor(card, np.random.default_rng(0).normal(size=(12, genes)) / 255)


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
    return make_predictor()


@pytest.fixture
def new_spots():
    return make_spots


@pytest.fixture
def new_predictor():
    return make_predictor
