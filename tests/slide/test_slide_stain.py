"""Stain statistics and normalisation on slides whose stain is known, and against squidpy's own result."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from napari_tcgn.errors import SlideError
from napari_tcgn.sample import sample_section
from napari_tcgn.slide import ArraySlide, open_slide, optical_density, overview_of
from napari_tcgn.slide.normalise import NormalisedSlide, colour_change
from napari_tcgn.slide.stain import stain_of_patches, stain_statistics
from napari_tcgn.slide.stain_fit import fit_stain

METHODS = ["reinhard", "macenko"]


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """The drawn section at a quarter of its size, uint8 [h, w, 3]."""
    slide = open_slide(sample_section().image)
    width, height = slide.level_dimensions[2]
    pixels = slide.read_region(0, 0, width, height, 2)
    slide.close()
    return pixels


def restained(picture: np.ndarray, haematoxylin: float, eosin: float) -> np.ndarray:
    """Multiply the amounts of the two stains in a picture (Beer and Lambert; Ruifrok and Johnston's vectors)."""
    from skimage.color import hed_from_rgb, rgb_from_hed

    density = -np.log(np.maximum(picture.astype(np.float64), 1) / 255)
    stains = density @ hed_from_rgb * [haematoxylin, eosin, 1]
    return np.clip(np.rint(255 * np.exp(-stains @ rgb_from_hed)), 0, 255).astype(np.uint8)


def slide_of(picture: np.ndarray) -> ArraySlide:
    return ArraySlide(picture, "drawn", 4 * 0.688)


def test_statistics_follow_the_amount_of_stain(picture) -> None:
    plain = overview_of(slide_of(picture)).stain
    strong = overview_of(slide_of(restained(picture, 1.3, 1.0))).stain
    assert strong.haematoxylin_mean == pytest.approx(1.3 * plain.haematoxylin_mean, rel=0.05)
    assert strong.eosin_mean == pytest.approx(plain.eosin_mean, abs=0.02)
    pink = overview_of(slide_of(restained(picture, 1.0, 1.5))).stain
    assert pink.eosin_mean == pytest.approx(1.5 * plain.eosin_mean, rel=0.1)


def test_statistics_of_one_colour_are_that_colour() -> None:
    from skimage.color import rgb_from_hed

    pixels = np.tile(np.rint(255 * np.exp(-(0.8 * rgb_from_hed[0] + 0.4 * rgb_from_hed[1]))).astype(np.uint8), (50, 1))
    found = stain_statistics(pixels)
    assert found.haematoxylin_mean == pytest.approx(0.8, abs=0.01)
    assert found.eosin_mean == pytest.approx(0.4, abs=0.02)
    assert found.haematoxylin_sd == pytest.approx(0, abs=1e-6)


def test_only_tissue_counts(picture) -> None:
    wide = np.full((picture.shape[0], picture.shape[1] * 2, 3), picture[0, 0], np.uint8)  # as much again of glass
    wide[:, : picture.shape[1]] = picture
    alone, beside = overview_of(slide_of(picture)).stain, overview_of(slide_of(wide)).stain
    assert beside.haematoxylin_mean == pytest.approx(alone.haematoxylin_mean, rel=0.03)


def test_resolution_of_the_slide_does_not_matter() -> None:
    with_levels = open_slide(sample_section().image)
    width, height = with_levels.level_dimensions[1]
    coarse = ArraySlide(with_levels.read_region(0, 0, width, height, 1), "half", 2 * 0.688)
    fine, half = overview_of(with_levels).stain, overview_of(coarse).stain
    assert half.haematoxylin_mean == pytest.approx(fine.haematoxylin_mean, rel=0.02)
    assert half.haematoxylin_sd == pytest.approx(fine.haematoxylin_sd, rel=0.05)
    with_levels.close()


def test_patches_have_the_stain_of_their_slide() -> None:
    slide = open_slide(sample_section().image)
    width, height = slide.level_dimensions[0]
    whole = overview_of(slide).stain
    tissue = overview_of(slide).tissue()
    x, y = (a.ravel().astype(float) for a in np.meshgrid(np.arange(150, width, 150), np.arange(150, height, 150)))
    inside = tissue.fraction(x, y, 150) > 0.95
    patches = np.stack(
        [slide.read_region(int(a) - 56, int(b) - 56, 112, 112) for a, b in zip(x[inside], y[inside], strict=True)]
    )
    slide.close()
    found = stain_of_patches(patches, 112 * 0.688)
    assert found.haematoxylin_mean == pytest.approx(whole.haematoxylin_mean, rel=0.15)
    assert found.eosin_mean == pytest.approx(whole.eosin_mean, abs=0.05)
    assert found.haematoxylin_sd == pytest.approx(whole.haematoxylin_sd, rel=0.15)


def test_no_tissue_no_stain() -> None:
    slide = ArraySlide(np.full((500, 500, 3), 250, np.uint8), "glass", 1.0)
    assert overview_of(slide).stain is None
    assert overview_of(slide).tissue_pixels.shape == (0, 3)


def test_a_slide_of_unknown_scale_is_measured_all_the_same(picture) -> None:
    assert overview_of(ArraySlide(picture, "drawn")).stain.haematoxylin_mean > 0.3


def test_huge_slides_are_sampled(picture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_tcgn.slide.stain.MAX_PIXELS", 500)
    slide = slide_of(picture)
    few = overview_of(slide).tissue_pixels
    assert 250 < len(few) <= 500
    assert overview_of(slide).tissue().mask.any()


@pytest.mark.parametrize("method", METHODS)
def test_a_stain_becomes_the_other(picture, method) -> None:
    slide, other = slide_of(picture), slide_of(restained(picture, 0.7, 1.2))
    target, source = (fit_stain(overview_of(s).tissue_pixels, method) for s in (slide, other))
    changed = colour_change(method, source, target)(overview_of(other).tissue_pixels).astype(float)
    wanted, before = overview_of(slide).tissue_pixels, overview_of(other).tissue_pixels
    n = min(len(wanted), len(before))
    # In the middle, where the two masks agree: the colours are those of the first slide again.
    assert abs(changed.mean(0) - wanted.mean(0)).max() < 0.35 * abs(before.mean(0) - wanted.mean(0)).max()
    assert n > 1000


@pytest.mark.parametrize("method", METHODS)
def test_a_slide_with_the_right_stain_stays_as_it_is(picture, method) -> None:
    reference = fit_stain(overview_of(slide_of(picture)).tissue_pixels, method)
    changed = colour_change(method, reference, reference)(picture)
    assert np.abs(changed.astype(int) - picture).max() <= 1


@pytest.mark.parametrize("method", METHODS)
def test_the_change_is_that_of_squidpy(picture, method) -> None:
    import spatialdata as sd
    from spatialdata.models import Image2DModel, Labels2DModel
    from squidpy.experimental.im import StainReference, normalize_stains

    tissue = picture[40:-40, 40:-40]
    tissue = tissue[: tissue.shape[0] // 2 * 2]
    pixels = tissue.reshape(-1, 3)
    target = fit_stain(restained(tissue, 0.8, 1.3).reshape(-1, 3), method)
    source = fit_stain(pixels, method)
    if method == "macenko":  # squidpy changes the colours of the stains, not their amounts
        source["max_concentrations"] = target["max_concentrations"]
        more = {"stain_matrix": target["stain_matrix"], "white_point": [255.0] * 3}
    else:
        more = {"mu": target["mu"], "sigma": target["sigma"]}
    data = sd.SpatialData(
        images={"x": Image2DModel.parse(np.moveaxis(tissue, -1, 0), dims=("c", "y", "x"), c_coords=["r", "g", "b"])},
        labels={"x_tissue": Labels2DModel.parse(np.ones(tissue.shape[:2], np.int32), dims=("y", "x"))},
    )
    expected = normalize_stains(data, "x", StainReference(method, **more), inplace=False)
    found = colour_change(method, source, target)(tissue)
    difference = np.abs(found.astype(int) - np.moveaxis(expected.values, 0, -1).astype(int))
    assert difference.max() <= 1


@pytest.mark.parametrize("white", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_the_fit_is_that_of_squidpy(picture, method, white: bool) -> None:
    import spatialdata as sd
    from spatialdata.models import Image2DModel, Labels2DModel
    from squidpy.experimental.im import fit_stain_reference

    pixels = overview_of(slide_of(picture)).tissue_pixels.copy()
    if white:
        pixels[:7] = 255  # a lumen: no direction in optical density
    width = int(len(pixels) ** 0.5)
    image = np.moveaxis(pixels[: width * (len(pixels) // width)].reshape(-1, width, 3), -1, 0)
    data = sd.SpatialData(
        images={"x": Image2DModel.parse(image, dims=("c", "y", "x"), c_coords=["r", "g", "b"])},
        labels={"x_tissue": Labels2DModel.parse(np.ones(image.shape[1:], np.int32), dims=("y", "x"))},
    )
    expected = fit_stain_reference(data, "x", method=method)
    found = fit_stain(pixels, method)
    assert set(found) == ({"mu", "sigma"} if method == "reinhard" else {"stain_matrix", "max_concentrations"})
    for name, values in found.items():
        np.testing.assert_allclose(values, getattr(expected, name), rtol=2e-6, atol=1e-6)


def test_stains_that_are_known_are_found() -> None:
    """Pixels mixed of two stains: Macenko's directions are theirs, whatever the order and the amounts."""
    rng = np.random.default_rng(0)
    stains = np.array([[0.65, 0.70, 0.29], [0.25, 0.90, 0.35]])
    stains /= np.linalg.norm(stains, axis=1, keepdims=True)
    amounts = rng.uniform(0.2, 1.2, (20_000, 2)) * rng.permuted(np.tile([[0.02, 1.0]], (20_000, 1)), axis=1)
    pixels = np.clip(np.rint(256 * np.exp(-amounts @ stains) - 1), 0, 255).astype(np.uint8)
    matrix = np.array(fit_stain(pixels, "macenko")["stain_matrix"])
    angles = np.degrees(np.arccos(np.clip((matrix[:, :2].T * stains).sum(axis=1), -1, 1)))
    assert (angles < 2).all()
    np.testing.assert_allclose(matrix.T @ matrix[:, 2], [0, 0, 1], atol=1e-5)


def test_one_colour_is_no_stain() -> None:
    for method in METHODS:
        with pytest.raises(SlideError, match="cannot be estimated"):
            fit_stain(np.full((2000, 3), 120, np.uint8), method, "grey")


def test_optical_density_by_hand() -> None:
    rgb = np.array([255, 128, 1, 0], np.uint8)
    np.testing.assert_allclose(optical_density(rgb), [0, 0.68923, 5.54126, 5.54126], atol=1e-5)
    np.testing.assert_allclose(optical_density(rgb, add_one=True), [0, 0.68537, 4.85203, 5.54518], atol=1e-5)
    assert optical_density(rgb, darkest=255 / 256)[-1] == pytest.approx(np.log(256))
    assert optical_density(rgb, dtype=np.float64).dtype == np.float64


def test_padding_stays_white_and_regions_agree(picture) -> None:
    slide = slide_of(picture)
    reference = fit_stain(overview_of(slide).tissue_pixels, "reinhard")
    target = {"mu": [value - 0.3 for value in reference["mu"]], "sigma": reference["sigma"]}
    seen = NormalisedSlide(slide, colour_change("reinhard", reference, target))
    corner = seen.read_region(-20, -10, 60, 50)
    assert (corner[:10] == 255).all()
    assert (corner[:, :20] == 255).all()
    np.testing.assert_array_equal(corner[10:, 20:], seen.read_region(0, 0, 40, 40))
    assert seen.read_region(100, 100, 50, 50).mean() < slide.read_region(100, 100, 50, 50).mean()
    assert (seen.name, seen.mpp, seen.level_dimensions) == (slide.name, slide.mpp, slide.level_dimensions)
    with pytest.raises(SlideError, match="Level 3"):
        seen.read_region(0, 0, 5, 5, 3)


def test_regions_are_changed_in_several_threads(picture) -> None:
    slide = slide_of(picture)
    reference = fit_stain(overview_of(slide).tissue_pixels, "macenko")
    change = colour_change("macenko", reference, {**reference, "max_concentrations": [60.0, 60.0]})
    seen = NormalisedSlide(slide, change)
    expected = seen.read_region(0, 0, 200, 200)
    found: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: found.append(seen.read_region(0, 0, 200, 200))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all((one == expected).all() for one in found)


@pytest.mark.parametrize("method", METHODS)
def test_a_slide_without_tissue_has_no_stain_to_change(method) -> None:
    with pytest.raises(SlideError, match="cannot be estimated: 10 px of tissue"):
        fit_stain(np.zeros((10, 3), np.uint8), method, "glass")


def test_colours_that_are_not_of_haematoxylin_and_eosin() -> None:
    green = np.random.default_rng(0).integers(0, 40, (5000, 3)).astype(np.uint8)
    green[:, 1] += 150
    with pytest.raises(SlideError, match=r"cannot be estimated.*--stain none"):
        fit_stain(green, "macenko", "green")


def test_real_slide_at_the_scale_of_the_statistics(real_data: Path) -> None:
    with_eosin = open_slide(real_data / "wsi_svs" / "CMU-1-Small-Region.svs")
    found = overview_of(with_eosin).stain
    with_eosin.close()
    assert 0.3 < found.haematoxylin_mean < 0.8
    assert 0.1 < found.eosin_mean < 0.4


def test_the_features_of_models_have_the_same_density() -> None:
    """Written once more in torch, for models know nothing of slides; the two give the same figures."""
    import torch

    from napari_tcgn.model.features import image_features
    from napari_tcgn.slide.density import DARKEST_OF_FEATURES

    patches = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    patches[0, :4] = 0  # black, where the two ways of keeping it finite differ
    tensor = torch.from_numpy(patches).permute(0, 3, 1, 2).float() / 255
    colour = image_features(tensor, "colour-texture")[:, :6].reshape(3, 3, 2)  # mean and spread of each channel
    density = optical_density(patches, darkest=DARKEST_OF_FEATURES)
    np.testing.assert_allclose(colour[..., 0], density.mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(colour[..., 1], density.std((1, 2), ddof=1), rtol=1e-4)
