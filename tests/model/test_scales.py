"""Models that look at several squares around a spot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_tcgn.errors import CheckpointError, ModelError
from napari_tcgn.model import FeatureExtractor, Line, ModelCard, feature_card, load_model, ridge_state, save_model
from napari_tcgn.model.scales import scale_crops

SCALES = (112.0, 250.0, 700.0)
GENES = ["A", "B", "C", "D"]


def card_of(*scales: float) -> ModelCard:
    like = ModelCard("context", "1", {"family": "ridge"}, GENES, patch_um=154.0)
    return feature_card(like, "colour-texture", scales)


def test_the_patch_is_the_widest_scale_and_has_the_px_that_the_smallest_needs() -> None:
    card = card_of(700, 112, 250)
    assert (card.scales_um, card.patch_um, card.detail_px) == (SCALES, 700.0, 630)
    assert ModelCard.from_json(card.to_json()) == card
    coarse = replace(card, domain=replace(card.domain, mpp=(2.0, 2.0)))
    assert [coarse.scale_px(scale) for scale in SCALES] == [56, 112, 112]
    assert coarse.detail_px == 315
    assert card_of().scales_um == (154.0,)


@pytest.mark.parametrize("scales", [[250, 112, 700], [112, 250], [112, 112, 700], [0, 700], []])
def test_scales_that_make_no_sense_are_refused(scales: list[float]) -> None:
    with pytest.raises(ModelError, match="its scales are"):
        replace(card_of(*SCALES), architecture={"family": "ridge", "scales_um": scales})


@pytest.mark.parametrize("side", [700, 701, 1400])
def test_every_crop_is_the_square_of_its_scale_around_the_spot(side: int) -> None:
    rings = np.full((1, side, side, 3), 30, np.uint8)
    for value, scale in ((90, 250), (200, 112)):
        n = round(side * scale / 700)
        start = side // 2 - n // 2
        rings[:, start : start + n, start : start + n] = value
    crops = scale_crops(torch.from_numpy(rings), card_of(*SCALES))
    assert [tuple(crop.shape) for crop in crops] == [(1, 3, 112, 112)] * 3
    assert (crops[0] * 255 == 200).all()
    inner = (112 / 250) ** 2
    assert float(crops[1].mean() * 255) == pytest.approx(90 + 110 * inner, abs=1)
    outer = (250 / 700) ** 2
    assert float(crops[2].mean() * 255) == pytest.approx(30 + outer * (60 + 110 * inner), abs=1)


def test_the_features_of_a_scale_are_those_of_its_crop_alone() -> None:
    patches = np.random.default_rng(0).integers(0, 255, (3, 700, 700, 3), np.uint8)
    together = FeatureExtractor(card_of(*SCALES), "cpu")(patches)
    assert together.shape == (3, 90)
    for number, scale in enumerate((112, 250, 700)):
        start = 350 - scale // 2
        crop = patches[:, start : start + scale, start : start + scale]
        alone = FeatureExtractor(card_of(scale), "cpu")(crop)
        torch.testing.assert_close(together[:, 30 * number : 30 * number + 30], alone)


def test_a_line_through_directions_is_kept_as_two_tables_and_predicts_as_one(tmp_path) -> None:
    rng = torch.Generator().manual_seed(0)
    slope, directions = torch.randn(90, 2, generator=rng), torch.randn(2, 4, generator=rng)
    thin = Line(torch.zeros(90), torch.ones(90), slope, torch.ones(4), directions)
    wide = Line(torch.zeros(90), torch.ones(90), slope @ directions, torch.ones(4))
    save_model(tmp_path, ridge_state(thin), card_of(*SCALES))
    patches = np.random.default_rng(1).integers(0, 255, (2, 700, 700, 3), np.uint8)
    features = FeatureExtractor(card_of(*SCALES), "cpu")(patches)
    predicted = load_model(tmp_path).predict(patches)
    np.testing.assert_allclose(predicted, wide(features.clone()).numpy(), rtol=2e-3, atol=2e-3)  # halves on disk
    save_model(tmp_path, ridge_state(replace(thin, directions=directions[:, :3])), card_of(*SCALES))
    with pytest.raises(CheckpointError, match="are for 3 genes and 90 features, its card names 4 genes"):
        load_model(tmp_path)
