"""A small section whose prediction is known: discs of dark tissue, genes that follow the colours under the spots."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_tcgn.engine import Prediction, RunRecord, run as run_engine, run_to_end
from napari_tcgn.model import HeldOut, ModelCard
from napari_tcgn.options import PredictSettings
from napari_tcgn.slide import ArraySlide
from napari_tcgn.spots.source import SpotsSource
from napari_tcgn.spots.table import Spots
from support.colours import ColourPredictor

# What the conftest.py of a room takes over.
__all__ = ["make_pair", "pixels", "prediction", "predictor", "slide", "spots"]

GENES = ["ERBB2", "GNAS", "FASN", "IGKC", "ACTB", "B2M"]


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
        source=SpotsSource(kind="test", other={"files": ["C2_selection.tsv"]}),
    )


@pytest.fixture(scope="session")
def predictor() -> ColourPredictor:
    card = ModelCard(
        name="colours",
        version="1",
        architecture={"family": "test"},
        genes=GENES,
        gene_ids=[f"ENSG{i:011d}" for i in range(4)] + ["", ""],
        patch_um=77.056,
        output_scale="log10(1 + 1e4 * count / panel total)",
        metrics=HeldOut(
            pcc=[0.1, 0.31, -0.05, 0.4, None, 0.2],
            pcc_low=[0.0, 0.21, -0.1, 0.3, None, 0.1],
            pcc_high=[0.2, 0.41, 0.0, 0.5, None, 0.3],
        ),
    )
    return ColourPredictor(card, np.random.default_rng(0).uniform(0, 1.5, size=(3, len(GENES))) / 255)


@pytest.fixture
def prediction(slide: ArraySlide, spots: Spots, predictor: ColourPredictor) -> Prediction:
    return run_to_end(run_engine(slide, spots, predictor, PredictSettings(batch_size=8)))


@pytest.fixture(scope="session")
def make_pair() -> Callable[..., tuple]:
    """Make a prediction and the raw counts of its section; counts follow the prediction, and depth on top."""
    from anndata import AnnData
    from scipy.ndimage import gaussian_filter

    from napari_tcgn.expression import OUTPUT_SCALE, to_anndata

    def make(layout: str = "st", rows: int = 14, cols: int = 12, genes: int = 24, seed: int = 0, noise: float = 0.3):
        import pandas as pd

        random = np.random.default_rng(seed)
        row, col = np.mgrid[3 : 3 + rows, 5 : 5 + cols].reshape(2, -1)
        mpp, pitch, diameter = 0.5, 200.0, 100.0
        x, y = col * pitch / mpp, row * pitch / mpp
        if layout == "visium":
            keep = row % 2 == col % 2
            row, col, pitch, diameter = row[keep], col[keep], 100.0, 55.0
            x, y = col * 50 / mpp, row * 50 * np.sqrt(3) / mpp
        inside = (row + 2 * col) % 23 != 0  # an outline that no symmetry maps onto itself
        inside &= ~((row < 6) & (col > 5 + cols // 2))
        row, col, x, y = row[inside], col[inside], x[inside], y[inside]
        fields = random.normal(size=(6, 60, 60))
        fields = np.stack([gaussian_filter(f, 2.5)[row, col] for f in fields], axis=1)
        fields /= fields.std(axis=0)
        shape = fields @ random.normal(0, 0.35, (6, genes))
        names = [f"GENE{i}" for i in range(genes)]
        card = ModelCard(
            "drawn", "1", {"family": "test"}, names, 154.0, output_scale=OUTPUT_SCALE,
            gene_ids=[f"ENSG{i:011d}" for i in range(genes)], training={"sections": ["B4", "C2"]},
        )  # fmt: skip
        ids = np.array(
            [f"{c}x{r}" if layout == "st" else f"SPOT{c:03d}{r:03d}-1" for c, r in zip(col, row, strict=True)]
        )
        side = int(max(x.max(), y.max()) + 900)
        picture = np.full((300, 300, 3), 240, np.uint8)
        picture[40:220, 60:200] = random.integers(90, 200, (180, 140, 3))
        prediction = Prediction(
            values=(1.6 + shape).astype(np.float32),
            done=np.ones(len(row), bool),
            spots=Spots(ids, x, y, row, col, diameter, pitch, layout),
            card=card,
            library_id="S7",
            mpp=mpp,
            thumbnail=picture,
            thumbnail_scale=300 / side,
            record=RunRecord.read(
                {
                    "slide": {"name": "S7", "width_px": side, "height_px": side - 500},
                    "patch": {"side_px": 308},
                    "mpp": mpp,
                    "spots": {"pitch_um": pitch, "layout": layout, "source": {"file": "S7_selection.tsv"}},
                }
            ),
        )
        depth = np.exp(random.normal(3, 0.3, len(row)) + 0.3 * fields[:, 0])
        counts = random.poisson(depth[:, None] * np.exp(shape + random.normal(0, noise, shape.shape)))
        measured = AnnData(
            X=counts.astype(np.float32),
            obs=pd.DataFrame({"array_row": row, "array_col": col}, index=ids.astype(object)),
            var=pd.DataFrame({"gene_ids": card.gene_ids}, index=names),
            obsm={"spatial": np.column_stack([x, y])},
        )
        return to_anndata(prediction), measured

    return make
