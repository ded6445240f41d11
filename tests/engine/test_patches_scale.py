"""The same tissue at another µm per pixel gives nearly the same input to the network and the same prediction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from napari_tcgn.engine import choose_level, cut_patch, patch_side_px
from napari_tcgn.model import ModelCard, TrainingDomain
from napari_tcgn.model.prepare import prepare_patches
from napari_tcgn.slide import ArraySlide, open_slide

FINE, COARSE = 0.25, 0.6875  # µm per px, 2.75 apart


def card(patch_um: float, mpp: list[float] | None) -> ModelCard:
    domain = {} if mpp is None else {"mpp": mpp}
    plain = {"mean": [0.0] * 3, "std": [1.0] * 3}
    return ModelCard(
        name="m", version="1", architecture={}, genes=["A"], patch_um=patch_um,
        domain=TrainingDomain.from_record(domain), **plain
    )  # fmt: skip


def patches_of(windows: list[np.ndarray], mpp: float, model: ModelCard) -> np.ndarray:
    """The patch in the middle of each window, read from the level that the engine would read."""
    found = []
    for window in windows:
        levels = [window]
        for _ in range(2):
            levels.append(np.array(Image.fromarray(levels[-1]).reduce(2)))
        slide = ArraySlide(levels, "window", mpp)
        side = patch_side_px(model, mpp)
        middle = window.shape[0] / 2
        found.append(cut_patch(slide, middle, middle, side, choose_level(slide, side, model.detail_px)))
    return np.stack(found)


def network_input(patches: np.ndarray, model: ModelCard) -> np.ndarray:
    return prepare_patches(torch.as_tensor(patches), replace(model, mean=[0.0] * 3, std=[1.0] * 3)).numpy()


def test_detail_is_what_training_had():
    assert card(154.0, [0.688, 0.688]).detail_px == 224
    assert card(77.0, [0.688, 0.9]).detail_px == 112  # its patches were enlarged from 112 px
    assert card(154.0, [0.25, 0.5]).detail_px == 224  # never more than the input
    assert card(77.0, None).detail_px == 224
    assert card(77.0, []).detail_px == 224


def test_patches_of_training_resolution_are_prepared_as_without_a_domain():
    patches = torch.as_tensor(np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3)).astype(np.uint8))
    torch.testing.assert_close(
        prepare_patches(patches, card(77.0, [0.688])), prepare_patches(patches, card(77.0, None)), rtol=0, atol=0
    )


def test_bundled_models_are_untouched():
    """Their training patches had at least the px of the input: no detail is taken from any slide."""
    from napari_tcgn.model import list_models

    cards = list_models()
    assert cards
    assert all(model.detail_px == model.input_px for model in cards if len(model.scales_um) == 1)


def test_a_finer_slide_is_as_blurred_as_those_of_training():
    """A pattern that pixels of training could not show is grey, not noise in the enlarged input."""
    stripes = np.zeros((2, 308, 308, 3), np.uint8)
    stripes[:, :, ::2] = 255
    found = prepare_patches(torch.as_tensor(stripes), card(77.0, [0.688]))[..., 8:-8, 8:-8]
    assert (found - 0.5).abs().max() < 0.1


@pytest.fixture(scope="module")
def windows(real_data) -> list[np.ndarray]:
    """16 windows of section C2, 1100 px, taken as if they were scanned at 0.25 µm per px."""
    slide = open_slide(real_data / "her2st/data/ST-imgs/C/C2/5714_HE_BT_C2.jpg")
    corners = np.random.default_rng(0).integers(2500, 6000, (16, 2))
    found = [slide.read_region(int(x), int(y), 1100, 1100) for x, y in corners]
    slide.close()
    return found


@pytest.mark.parametrize("patch_um", [154.0, 77.0])
def test_real_tissue_at_two_resolutions_gives_nearly_the_same_input(windows, patch_um):
    model = card(patch_um, [COARSE, COARSE])
    binned = [np.array(Image.fromarray(w).resize((400, 400), Image.Resampling.BOX)) for w in windows]
    fine = network_input(patches_of(windows, FINE, model), model)
    coarse = network_input(patches_of(binned, COARSE, model), model)
    assert 255 * np.abs(fine - coarse).mean() < 5
    assert 255 * coarse.std() > 20
    # and without antialiasing it would not
    thinned = [np.ascontiguousarray(w[1::3, 1::3]) for w in windows]
    aliased = network_input(patches_of(thinned, 3 * FINE, model), model)
    assert np.abs(aliased - fine).mean() > 1.3 * np.abs(fine - coarse).mean()


@pytest.mark.slow
def test_real_predictions_at_two_resolutions_agree(windows):
    from napari_tcgn.model import load_model

    model = load_model("tcgn-tiny-her2st", "cpu", "float32")
    model.card = replace(model.card, domain=TrainingDomain((COARSE, COARSE)))
    binned = [np.array(Image.fromarray(w).resize((400, 400), Image.Resampling.BOX)) for w in windows]
    fine = model.predict(patches_of(windows, FINE, model.card))
    coarse = model.predict(patches_of(binned, COARSE, model.card))
    a, b = fine - fine.mean(0), coarse - coarse.mean(0)
    pcc = (a * b).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum(0))
    assert np.median(pcc) > 0.98
