"""Real sections: their own counts fit, those of every other section, species and panel are refused in words."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from napari_tcgn.comparison.align import align
from napari_tcgn.comparison.steps import compare
from napari_tcgn.engine import Prediction, RunRecord
from napari_tcgn.errors import DataError
from napari_tcgn.expression import OUTPUT_SCALE, read_measured, to_anndata
from napari_tcgn.model.card import ModelCard
from napari_tcgn.model.panels import read_panel
from napari_tcgn.options import CompareSettings
from napari_tcgn.spots import read_st_spots

QUICK = CompareSettings(domains=False, draws=50)
SECTIONS = ("B4", "C2", "C3", "C5")


@cache
def predicted(folder: Path, section: str):
    """A prediction at the real spots; what it predicts does not matter here."""
    spots = read_st_spots(folder / f"ST-spotfiles/{section}_selection.tsv")
    panel = read_panel("her2st_785")
    values = np.random.default_rng(0).normal(1, 0.2, (len(spots), len(panel))).astype(np.float32)
    width, height = spots.source.image_size
    return to_anndata(
        Prediction(
            values=values,
            done=np.ones(len(spots), bool),
            spots=spots,
            card=ModelCard("drawn", "1", {"family": "test"}, list(panel), 154.0, output_scale=OUTPUT_SCALE),
            library_id=section,
            mpp=0.688,
            thumbnail=np.full((100, 100, 3), 200, np.uint8),
            thumbnail_scale=100 / height,
            record=RunRecord.read(
                {
                    "slide": {"name": section, "width_px": round(width), "height_px": round(height)},
                    "patch": {"side_px": 224},
                    "mpp": 0.688,
                    "spots": {"pitch_um": 200.0, "layout": "st", "source": spots.source.to_record()},
                }
            ),
        )
    )


def measured(folder: Path, section: str, positions: bool):
    selection = folder / f"ST-spotfiles/{section}_selection.tsv" if positions else None
    return read_measured(folder / f"ST-cnts/{section}.tsv.gz", selection)


@pytest.mark.slow
@pytest.mark.parametrize("positions", [True, False], ids=["with positions", "by name alone"])
def test_counts_of_every_other_section_are_refused(real_data: Path, positions: bool) -> None:
    folder = real_data / "her2st/data"
    counts = {section: measured(folder, section, positions) for section in SECTIONS}
    for section in SECTIONS:
        own = compare(predicted(folder, section), counts[section], QUICK)
        assert own.overall.n_genes == 785
        assert own.overall.n_spots >= predicted(folder, section).n_obs - 2
        for other in SECTIONS:
            if other != section:
                with pytest.raises(DataError, match="probably of another section"):
                    compare(predicted(folder, section), counts[other], QUICK)


def test_printed_spots_give_another_section_away(real_data: Path) -> None:
    """However many names match: on every slide the spots were printed off the perfect array in its own way."""
    folder = real_data / "her2st/data"
    lenient = CompareSettings(min_matched=0.05)
    counts = {section: measured(folder, section, True) for section in SECTIONS}
    for section in SECTIONS:
        for other in SECTIONS:
            if other != section:
                with pytest.raises(DataError, match="as printed spots of two arrays do"):
                    align(predicted(folder, section), counts[other], lenient)


@pytest.mark.slow
def test_depth_alone_reaches_the_published_figures(real_data: Path) -> None:
    """The README of the data gives the median PCC of depth alone: 0.34 (B4), 0.23 (C2), 0.22 (C3), 0.21 (C5)."""
    folder = real_data / "her2st/data"
    for section, expected in (("B4", 0.34), ("C2", 0.23)):
        found = compare(predicted(folder, section), measured(folder, section, True), QUICK)
        depth = found.baselines.set_index("method").loc["measured depth (no predictor)", "median_pcc"]
        assert depth == pytest.approx(expected, abs=0.006)
        assert found.manifest.spots.distance_um == 0


def test_mouse_and_foreign_panels_are_refused(real_data: Path) -> None:
    c2 = predicted(real_data / "her2st/data", "C2")
    mouse = read_measured(real_data / "st_mouse_olfactory_bulb/MOB1.tsv")
    with pytest.raises(DataError, match=r"genes are those of Mus musculus.*the model predicts Homo sapiens"):
        compare(c2, mouse, QUICK)
    heart = read_measured(real_data / "visium_v1_tiny")
    assert heart.shape == (100, 100)
    assert heart.obsm["spatial"].shape == (100, 2)
    with pytest.raises(DataError, match=r"None of the model's 785 genes .* Ensembl ids .*--aliases"):
        compare(c2, heart, QUICK)
