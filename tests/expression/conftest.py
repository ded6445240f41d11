"""A small section whose prediction is known: discs of dark tissue, genes that follow the colours under the spots."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from napari_tcgn.model.card import ModelCard
from napari_tcgn.predict import Prediction, run_to_end
from napari_tcgn.predict import run as run_engine
from napari_tcgn.settings import PredictSettings
from napari_tcgn.slide import ArraySlide
from napari_tcgn.spots.table import Spots

GENES = ["ERBB2", "GNAS", "FASN", "IGKC", "ACTB", "B2M"]


class ColourPredictor:
    """Genes as fixed mixtures of a patch's mean colour: a real function of the pixels."""

    def __init__(self) -> None:
        self.card = ModelCard(
            name="colours",
            version="1",
            architecture={"family": "test"},
            genes=GENES,
            gene_ids=[f"ENSG{i:011d}" for i in range(4)] + ["", ""],
            patch_um=77.056,
            output_scale="log10(1 + 1e4 * count / panel total)",
            metrics={
                "pcc": [0.1, 0.31, -0.05, 0.4, None, 0.2],
                "pcc_low": [0.0, 0.21, -0.1, 0.3, None, 0.1],
                "pcc_high": [0.2, 0.41, 0.0, 0.5, None, 0.3],
            },
        )
        self.device = "cpu"
        self.weights = np.random.default_rng(0).uniform(0, 1.5, size=(3, len(GENES)))

    def predict(self, patches: np.ndarray) -> np.ndarray:
        return (patches.mean(axis=(1, 2)) / 255 @ self.weights).astype(np.float32)


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    """1600 x 1200 px of pale stroma with darker nests, smooth enough to have spatial structure."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(5)
    field = gaussian_filter(rng.normal(size=(1200, 1600)), 250)
    field = (field - field.min()) / np.ptp(field)  # 0 .. 1
    pale, dark = np.array([236, 200, 222.0]), np.array([120, 60, 150.0])
    noise = rng.normal(0, 8, (1200, 1600, 1))
    return np.clip(pale + field[..., None] * (dark - pale) + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def slide(pixels: np.ndarray) -> ArraySlide:
    return ArraySlide(pixels, "C2", mpp=0.688)


@pytest.fixture(scope="session")
def spots() -> Spots:
    """7 x 5 legacy ST spots 100 µm wide, 150 µm apart; the first column's patches leave the slide."""
    col, row = (a.ravel() for a in np.meshgrid(np.arange(7), np.arange(5)))
    return Spots(
        ids=np.array([f"{c}x{r}" for c, r in zip(col, row, strict=True)]),
        x=40.5 + 218.0 * col,
        y=100.25 + 218.0 * row,
        array_row=row,
        array_col=col,
        diameter_um=100.0,
        pitch_um=150.0,
        layout="st",
        in_tissue=col != 3,
        tissue_fraction=np.where(col == 2, np.nan, 0.5 + 0.01 * row),
        source={"kind": "test", "files": ["C2_selection.tsv"]},
    )


@pytest.fixture(scope="session")
def predictor() -> ColourPredictor:
    return ColourPredictor()


@pytest.fixture
def prediction(slide: ArraySlide, spots: Spots, predictor: ColourPredictor) -> Prediction:
    return run_to_end(run_engine(slide, spots, predictor, PredictSettings(batch_size=8)))


@pytest.fixture(scope="session")
def golden() -> ModuleType:
    path = Path(__file__).parents[1] / "reference" / "golden.py"
    spec = importlib.util.spec_from_file_location("golden_formulas", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def golden_values() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parents[1] / "reference" / "golden_pipeline.npz") as file:
        return dict(file)
