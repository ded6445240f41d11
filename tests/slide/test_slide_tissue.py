"""Thumbnails and the tissue mask."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_tcgn.errors import SettingsError
from napari_tcgn.slide import ArraySlide, TissueMask, open_slide, overview_of, thumbnail
from napari_tcgn.spots import read_st_spots

SECTIONS = {
    "C2": "C/C2/5714_HE_BT_C2.jpg",
    "C3": "C/C3/5714_HE_BT_D1.jpg",
    "C5": "C/C5/5714_HE_BT_E1.jpg",
    "B4": "B/B4/BT10737_D2_HE.jpg",
}


def blob_slide(glass=(233, 220, 235), tissue=(170, 90, 160)) -> tuple[ArraySlide, np.ndarray]:
    """A round piece of tissue with texture on tinted glass, 1200 x 1000 px."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:1000, :1200]
    piece = np.hypot(x - 500, y - 480) < 300
    picture = np.where(piece[..., None], tissue, glass) + rng.normal(0, 4, (1000, 1200, 3))
    return ArraySlide(np.clip(picture, 0, 255).astype(np.uint8), mpp=1.0), piece


@pytest.mark.parametrize("size", [(1000, 1200), (1003, 1201), (700, 90)])
def test_thumbnail_keeps_the_mean_and_the_place(size):
    rng = np.random.default_rng(1)
    picture = ndimage.gaussian_filter(rng.uniform(0, 255, (*size, 3)), (20, 20, 0))
    picture = np.clip((picture - 127) * 20 + 127, 0, 255).astype(np.uint8)
    small, scale = thumbnail(ArraySlide(picture), max_side=137)
    assert scale == 137 / max(size)
    assert small.dtype == np.uint8
    assert small.shape == (round(size[0] * scale), round(size[1] * scale), 3)
    assert small.mean() == pytest.approx(picture.mean(), abs=1)
    # Every thumbnail px resembles the picture at its own place.
    rows = ((np.arange(small.shape[0]) + 0.5) / scale).astype(int).clip(0, size[0] - 1)
    columns = ((np.arange(small.shape[1]) + 0.5) / scale).astype(int).clip(0, size[1] - 1)
    difference = small.astype(int) - picture[rows][:, columns]
    assert np.abs(difference).mean() < 6


def test_thumbnail_does_not_alias():
    stripes = np.zeros((800, 800, 3), np.uint8)
    stripes[:, ::2] = 255
    small, _ = thumbnail(ArraySlide(stripes), max_side=100)
    assert small.std() < 3


def test_thumbnail_never_enlarges_and_takes_the_coarsest_fit():
    levels = [np.full((size, size, 3), value, np.uint8) for size, value in ((800, 10), (400, 20), (200, 30))]
    small, scale = thumbnail(ArraySlide(levels), max_side=300)
    assert (small == 20).all()
    assert scale == 300 / 800
    whole, scale = thumbnail(ArraySlide(levels), max_side=5000)
    assert whole.shape == (800, 800, 3)
    assert scale == 1.0
    with pytest.raises(SettingsError):
        thumbnail(ArraySlide(levels), max_side=0)


@pytest.mark.parametrize("glass", [(255, 255, 255), (233, 220, 235), (235, 195, 225), (200, 195, 200)])
def test_mask_finds_the_tissue_on_any_glass(glass):
    slide, piece = blob_slide(glass)
    mask = overview_of(slide).tissue()
    found = mask.mask if mask.scale == 1 else np.kron(mask.mask, np.ones((2, 2), bool))
    assert (found & piece).sum() / (found | piece).sum() > 0.97


def test_mask_of_empty_glass_is_empty_and_of_full_tissue_full():
    rng = np.random.default_rng(2)
    glass = np.clip(rng.normal(245, 2, (400, 400, 3)), 0, 255).astype(np.uint8)
    assert not overview_of(ArraySlide(glass)).tissue().mask.any()
    tissue = np.clip(rng.normal(110, 25, (400, 400, 3)), 0, 255).astype(np.uint8)
    assert overview_of(ArraySlide(tissue)).tissue().mask.all()


def test_given_threshold_is_used():
    slide, _ = blob_slide()
    assert overview_of(slide).tissue(threshold=0.3).threshold == 0.3
    assert not overview_of(slide).tissue(threshold=3.0).mask.any()
    for wrong in (0, -1, float("nan")):
        with pytest.raises(SettingsError, match="threshold"):
            overview_of(slide).tissue(threshold=wrong)


def test_small_holes_are_filled_and_dust_is_dropped():
    slide, _ = blob_slide()
    picture = slide.read_region(0, 0, 1200, 1000).copy()
    picture[470:490, 490:510] = 235  # a lumen
    picture[50:60, 1100:1110] = 40  # dust
    mask = overview_of(ArraySlide(picture)).tissue()
    assert mask.mask[480, 500]
    assert not mask.mask[55, 1105]


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_fraction_equals_counting_the_pixels_of_the_disc(scale):
    rng = np.random.default_rng(3)
    mask = ndimage.gaussian_filter(rng.standard_normal((200, 240)), 8) > 0
    diameter = 31 / scale
    x = rng.uniform(0, 240 / scale, 50)
    y = rng.uniform(0, 200 / scale, 50)
    got = TissueMask(mask, scale, 0.3).fraction(x, y, diameter)
    row, column = np.mgrid[:200, :240] + 0.5
    for value, a, b in zip(got, x * scale, y * scale, strict=True):
        disc = np.hypot(column - a, row - b) <= 15.5
        # The disc's whole area counts: what lies outside the slide is no tissue.
        assert value == pytest.approx((mask & disc).sum() / (np.pi * 15.5**2), abs=0.06)


def test_fraction_of_tiny_spots_and_of_spots_outside():
    mask = TissueMask(np.array([[True, False], [False, True]]), 0.01, 0.3)
    x, y = np.array([50.0, 150.0, 150.0, -5.0, 500.0]), np.array([50.0, 50.0, 199.0, 50.0, 50.0])
    np.testing.assert_allclose(mask.fraction(x, y, 10.0), [1, 0, 1, 0, 0], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("section", SECTIONS)
def test_real_tissue_is_where_the_selected_spots_are(real_data, section):
    """Over the 33 x 35 positions of the array: tissue (half of the disc) against the authors' selection."""
    slide = open_slide(real_data / "her2st/data/ST-imgs" / SECTIONS[section])
    width, height = slide.level_dimensions[0]
    spots = read_st_spots(real_data / f"her2st/data/ST-spotfiles/{section}_selection.tsv")
    col, row = np.meshgrid(np.arange(33), np.arange(35))
    x, y = width / 32 * col, height / 34 * row
    selected = np.zeros(x.shape, bool)
    place = spots.array_row - 1, spots.array_col - 1
    x[place], y[place], selected[place] = spots.x, spots.y, True
    tissue = overview_of(slide).tissue().fraction(x.ravel(), y.ravel(), 145.0) >= 0.5
    iou = (tissue & selected.ravel()).sum() / (tissue | selected.ravel()).sum()
    # Measured: C2 0.995, C3 0.984, C5 0.989, B4 0.910 (pale fat on tinted glass).
    assert iou > (0.88 if section == "B4" else 0.95)
