from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from napari_tcgn.engine import choose_level, cut_patch, leaves_image, patch_side_px
from napari_tcgn.engine.patches import cut_batch
from napari_tcgn.errors import SlideError
from napari_tcgn.model.card import ModelCard
from support.golden import REFERENCE, golden_slide


def card(patch_um: float) -> ModelCard:
    return ModelCard(name="m", version="1", architecture={}, genes=["A"], patch_um=patch_um)


def test_side_follows_from_physical_size() -> None:
    assert patch_side_px(card(77.056), 0.688) == 112  # her2st
    assert patch_side_px(card(77.056), 0.25) == 308  # the same tissue at 40x
    assert patch_side_px(card(77.056), 0.5) == 154


def test_too_coarse_slide_is_refused() -> None:
    with pytest.raises(SlideError, match=r"only 1 px at 77 µm per pixel.*--mpp"):
        patch_side_px(card(77.056), 77.0)


def test_golden_crops(pyramid) -> None:
    pixels, centres = golden_slide()
    expected = np.load(REFERENCE / "golden_pipeline.npz")["crop_uint8_transposed"]  # [3, channel, column, row]
    slide = pyramid([pixels])
    ours = np.stack([cut_patch(slide, x, y, 112) for x, y in centres])  # [3, row, column, channel]
    np.testing.assert_array_equal(ours.transpose(0, 3, 2, 1), expected)
    assert not np.array_equal(ours.transpose(0, 3, 1, 2), expected), "the fixture tells the orientations apart"


@pytest.mark.parametrize("side", [16, 17, 112])
@pytest.mark.parametrize(("x", "y"), [(100.0, 90.0), (100.99, 90.01), (3.5, 237.2), (319.9, 0.0)])
def test_pixel_under_the_spot_is_in_the_middle(pyramid, side: int, x: float, y: float) -> None:
    pixels = np.full((240, 320, 3), 200, np.uint8)
    pixels[int(y), int(x)] = (255, 0, 7)
    patch = cut_patch(pyramid([pixels]), x, y, side)
    assert patch.shape == (side, side, 3)
    assert patch.dtype == np.uint8
    assert tuple(patch[side // 2, side // 2]) == (255, 0, 7)


def test_patch_is_upright(pyramid, pixels: np.ndarray) -> None:
    patch = cut_patch(pyramid([pixels]), 100, 80, 20)
    np.testing.assert_array_equal(patch, pixels[70:90, 90:110])


def test_pixel_under_the_spot_is_in_the_middle_of_a_coarser_level(pyramid) -> None:
    coarse = np.full((60, 80, 3), 200, np.uint8)
    coarse[33, 21] = (255, 0, 7)  # holds the level-0 px 132..135, 84..87
    slide = pyramid([np.zeros((240, 320, 3), np.uint8), coarse])
    for x, y in ((84.0, 132.0), (87.9, 135.9)):
        patch = cut_patch(slide, x, y, 64, level=1)
        assert patch.shape == (16, 16, 3)
        assert tuple(patch[8, 8]) == (255, 0, 7)


def test_patch_covers_the_same_tissue_at_every_level(pyramid) -> None:
    rows, columns = np.mgrid[:256, :256]
    fine = np.stack([columns, rows, np.zeros_like(rows)], axis=-1).astype(np.uint8)
    levels = [fine, fine.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3)).astype(np.uint8)]
    slide = pyramid(levels)
    full, coarse = cut_patch(slide, 130, 90, 64), cut_patch(slide, 130, 90, 64, level=1)
    reduced = full.reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))
    assert np.abs(reduced - coarse).max() <= 4, "at most one coarse px apart"


def test_outside_is_white(pyramid) -> None:
    patch = cut_patch(pyramid([np.zeros((240, 320, 3), np.uint8)]), 0, 0, 10)
    assert (patch[:5] == 255).all()
    assert (patch[:, :5] == 255).all()
    assert (patch[5:, 5:] == 0).all()


@pytest.mark.parametrize("side", [16, 17])
def test_padded_patches_are_exactly_those_that_leave_the_image(pyramid, side: int) -> None:
    slide = pyramid([np.zeros((30, 45, 3), np.uint8)])
    x, y = (grid.ravel() for grid in np.meshgrid(np.arange(0, 45, 0.75), np.arange(0, 30, 0.75)))
    white = [(cut_patch(slide, a, b, side) == 255).any() for a, b in zip(x, y, strict=True)]
    np.testing.assert_array_equal(leaves_image(x, y, side, 45, 30), white)
    assert 0 < sum(white) < len(white)


def test_level_stays_finer_than_the_input(pyramid) -> None:
    blank = np.zeros((4096, 4096, 3), np.uint8)
    slide = pyramid([blank, blank[::2, ::2], blank[::4, ::4], blank[::16, ::16]])
    assert choose_level(slide, 112, 224) == 0, "never coarser where level 0 is too coarse already"
    assert choose_level(slide, 447, 224) == 0
    assert choose_level(slide, 448, 224) == 1
    assert choose_level(slide, 1000, 224) == 2
    assert choose_level(slide, 4000, 224) == 3


def test_absurdly_large_patch_is_refused(pyramid) -> None:
    with pytest.raises(SlideError, match=r"112000 px wide.*--mpp"):
        choose_level(pyramid([np.zeros((50, 50, 3), np.uint8)]), 112_000, 224)


def test_cutting_stops_between_two_patches(slide) -> None:
    stop = Event()
    stop.set()
    cut_batch(slide, np.zeros(5), np.zeros(5), 16, 0, stop)
    assert slide.reads == 0


def test_real_patch_is_where_the_spot_table_says(real_data: Path, monkeypatch) -> None:
    from PIL import Image

    from napari_tcgn.slide import open_slide

    path = real_data / "her2st/data/ST-imgs/C/C2/5714_HE_BT_C2.jpg"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with Image.open(path) as image:
        expected = np.asarray(image.crop((4000 - 56, 5000 - 56, 4000 + 56, 5000 + 56)))
    slide = open_slide(path, mpp=0.688)
    try:
        patch = cut_patch(slide, 4000.4, 5000.9, patch_side_px(card(77.056), 0.688))
    finally:
        slide.close()
    np.testing.assert_array_equal(patch, expected)


@pytest.mark.parametrize("orientation", ["transposed", "upright"])
def test_golden_model_input(orientation: str) -> None:
    import torch

    from napari_tcgn.model.prepare import prepare_patches

    fixture = np.load(REFERENCE / "golden_pipeline.npz")
    upright = fixture["crop_uint8_transposed"].transpose(0, 3, 2, 1)  # [3, row, column, channel]
    found = prepare_patches(torch.as_tensor(upright.copy()), replace(card(77.0), orientation=orientation)).numpy()
    if orientation == "upright":
        found = found.transpose(0, 1, 3, 2)  # the same numbers, rows and columns exchanged
    flat = found.reshape(3, -1)
    size = flat.shape[1]
    np.testing.assert_allclose(flat[:, :64], fixture["model_input.first64"], atol=1e-5)
    spread = [i * size // 64 for i in range(64)]
    np.testing.assert_allclose(flat[:, spread], fixture["model_input.spread64"], atol=1e-5)
    np.testing.assert_allclose(flat.astype(np.float64).mean(1), fixture["model_input.mean"], atol=1e-5)
    np.testing.assert_allclose(flat.astype(np.float64).std(1), fixture["model_input.std"], atol=1e-5)
