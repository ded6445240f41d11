"""Patches of several scales: wide, overlapping, read once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_tcgn.engine import choose_patches, run, run_to_end
from napari_tcgn.options import PredictSettings
from napari_tcgn.slide import ArraySlide, SharedTiles
from napari_tcgn.spots import Spots


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (1200, 1500, 3), np.uint8)


@pytest.fixture
def spots(new_spots) -> Spots:
    x, y = np.meshgrid(np.arange(20.0, 1480, 80), np.arange(20.0, 1180, 80))
    return new_spots(x.ravel(), y.ravel())


@pytest.fixture
def predictor(new_predictor):
    predictor = new_predictor()
    architecture = {"family": "test", "scales_um": [40.0, 80.0]}
    predictor.card = replace(predictor.card, architecture=architecture, patch_um=80.0)
    return predictor


def test_every_piece_of_the_slide_is_read_once_however_far_patches_overlap(pixels, spots, pyramid, predictor) -> None:
    slide = pyramid([pixels])
    prediction = run_to_end(run(slide, spots, predictor, PredictSettings(batch_size=8, read_threads=2)))
    # 160 px a patch, of which 58 are needed: shrunk to a half, in tiles of 1024 px of the slide. One more for the
    # overview.
    patch = prediction.record.patch
    assert (patch.side_px, patch.level, patch.shrink, patch.level_side_px) == (160, 0, 2, 80)
    assert slide.reads <= 2 * 2 + 1 < len(spots)
    shared = SharedTiles(ArraySlide(pixels, "section", 0.5), 0, 2)
    at = [(int(x / 2) - 40, int(y / 2) - 40) for x, y in zip(spots.x, spots.y, strict=True)]
    patches = np.stack([shared.read_region(left, top, 80, 80) for left, top in at])
    np.testing.assert_allclose(prediction.values, predictor.predict(patches), atol=1e-5)
    assert (patches[0] == 255).all(axis=-1).any(), "white outside the image"


@pytest.mark.parametrize(("levels", "level", "shrink"), [((1, 2, 4), 1, 1), ((1, 4), 0, 2), ((1, 3), 0, 2)])
def test_a_level_that_is_nearly_as_coarse_as_wanted_is_taken_else_a_finer_one_is_shrunk(
    pixels, pyramid, predictor, levels, level, shrink
) -> None:
    slide = pyramid([pixels[::step, ::step] for step in levels])
    patch = choose_patches(slide, predictor.card)
    assert (patch.level, patch.shrink) == (level, shrink)
