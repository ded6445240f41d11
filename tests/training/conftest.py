"""A small data set in her2st layout, written anew: expression follows how dark the tissue is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from support.her2st import write_section

MPP = 2.0
STEP = 100  # px from spot to spot: 200 µm
GENES = [f"GENE{i}" for i in range(10)]
MISSING_IN_B2 = "GENE9"


def draw_section(
    root: Path, name: str, seed: int, side: int, packed: bool = True, genes: list[str] | None = None
) -> None:
    """Write `side` x `side` spots, of which 2x2 has no counts."""
    genes = genes or GENES
    rng = np.random.default_rng(seed)
    smooth = Image.fromarray(rng.integers(60, 230, (8, 8, 3), dtype=np.uint8))
    width = STEP * (side + 1)
    image = smooth.resize((width, width), Image.Resampling.BICUBIC)
    pixels = np.asarray(image, dtype=float)
    places, counts = [], {}
    for x in range(1, side + 1):
        for y in range(1, side + 1):
            px, py = STEP * x + rng.uniform(0, 1), STEP * y + rng.uniform(0, 1)
            places.append((x, y, px, py))
            if (x, y) == (2, 2):
                continue
            patch = pixels[int(py) - 19 : int(py) + 19, int(px) - 19 : int(px) + 19]
            red, blue = patch[..., 0].mean() / 255, patch[..., 2].mean() / 255
            mean = [400 * (red if i % 2 else blue) ** 2 + 1 for i in range(len(genes))]
            # An empty spot, but not in B1: one value far from all others would swamp the correlations there.
            empty = (x, y) == (3, 3) and name != "B1"
            counts[x, y] = np.zeros(len(genes), int) if empty else rng.poisson(mean)
    counts = dict(reversed(counts.items()))  # another order than the spot table's
    write_section(root, name, image, places, counts, genes, f"{name}_HE.jpg", packed)


def write_dataset(folder: Path, side: int = 7) -> Path:
    """Write three sections with `side` x `side` spots (one of them without counts)."""
    root = folder / "data"
    root.mkdir(parents=True)
    draw_section(root, "B1", 1, side)
    draw_section(root, "B2", 2, side, genes=[g for g in GENES if g != MISSING_IN_B2])
    draw_section(root, "C1", 3, side, packed=False)
    return folder


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sections (B1, B2, C1) of 48 spots and 10 genes at 2 µm per pixel; read only."""
    return write_dataset(tmp_path_factory.mktemp("her2st"))


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with 15 spots a section, for a network that is slow on a CPU; read only."""
    return write_dataset(tmp_path_factory.mktemp("her2st_tiny"), side=4)


@pytest.fixture
def own_dataset(tmp_path: Path) -> Path:
    """The same, to be damaged."""
    return write_dataset(tmp_path / "her2st")


@pytest.fixture
def genes() -> list[str]:
    return list(GENES)


@pytest.fixture(scope="session")
def same() -> Callable[[object, object], bool]:
    """Whether two nested states are equal bit for bit."""

    def equal(a: object, b: object) -> bool:
        if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
            return torch.equal(a, b)
        if isinstance(a, dict) and isinstance(b, dict):
            return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
        if isinstance(a, list) and isinstance(b, list):
            return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
        return a == b

    return equal
