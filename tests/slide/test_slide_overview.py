"""One look at a slide serves everything; and several small pictures are made in one pass."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
from PIL import Image

from napari_tcgn.errors import SettingsError, SlideError
from napari_tcgn.slide import ArraySlide, overview as module, overview_of, thumbnail
from napari_tcgn.slide.picture import thumbnails


def tissue_on_glass(width: int = 1200, height: int = 900, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    piece = np.hypot(x - width / 2, y - height / 2) < height / 3
    picture = np.where(piece[..., None], (170, 90, 160), (238, 235, 240)) + rng.normal(0, 6, (height, width, 3))
    return np.clip(picture, 0, 255).astype(np.uint8)


def one_by_one(slide: ArraySlide, max_side: int) -> np.ndarray:
    """A thumbnail the plain way: a whole level, reduced by a whole factor and brought to size."""
    full = slide.level_dimensions[0]
    scale = min(1.0, max_side / max(full))
    target = tuple(max(1, round(side * scale)) for side in full)
    level = max(i for i, (w, _) in enumerate(slide.level_dimensions) if i == 0 or w >= target[0])
    width, height = slide.level_dimensions[level]
    factor = max(1, min(width // target[0], height // target[1]))
    image = Image.fromarray(slide.read_region(0, 0, width, height, level))
    image = image if factor == 1 else image.reduce(factor)
    if image.size == target:
        return np.array(image)
    return np.array(image.resize(target, Image.Resampling.LANCZOS, box=(0, 0, width / factor, height / factor)))


@pytest.mark.parametrize("strip", [1, 5000, 20_000, 10**8])
@pytest.mark.parametrize("levels", [(1,), (1, 4)])
def test_pictures_made_together_are_those_made_alone(strip: int, levels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_tcgn.slide.picture._STRIP_PIXELS", strip)
    picture = tissue_on_glass(1203, 901)
    slide = ArraySlide([picture[::n, ::n] for n in levels], "s", 1.0)
    sides = (137, 700, 2000, 150, 137, 90)
    together = thumbnails(slide, sides)
    assert len(together) == len(sides)
    for side, (found, scale) in zip(sides, together, strict=True):
        assert scale == min(1.0, side / 1203)
        np.testing.assert_array_equal(found, one_by_one(slide, side))
        np.testing.assert_array_equal(found, thumbnail(slide, side)[0])
    with pytest.raises(SettingsError):
        thumbnails(slide, (100, 0))


class Counting(ArraySlide):
    """Counts the pixels that are read of every level."""

    def __init__(self, *args, **more) -> None:
        super().__init__(*args, **more)
        self.read = [0 for _ in self.level_dimensions]

    def read_region(self, x, y, width, height, level=0):
        self.read[level] += width * height
        return super().read_region(x, y, width, height, level)


def test_a_slide_is_read_once_for_everything() -> None:
    picture = tissue_on_glass()
    slide = Counting(picture, "s", 2.0)
    overview = overview_of(slide)
    assert slide.read == [1200 * 900]
    np.testing.assert_array_equal(overview.picture, picture)  # smaller than 2,000 px
    assert overview.scale == 1.0
    assert overview.tissue().mask.mean() == pytest.approx(np.pi * 300**2 / (1200 * 900), rel=0.05)
    assert overview.tissue() is overview.tissue()
    assert overview.tissue(0.4).threshold == 0.4
    assert overview.stain is not None
    assert len(overview.tissue_pixels) == pytest.approx(np.pi * 300**2 / 16, rel=0.1)  # at 8 µm per px
    assert overview_of(slide) is overview
    assert slide.read == [1200 * 900]
    with_levels = Counting([picture, picture[::2, ::2]], "s", 2.0)
    overview_of(with_levels)
    assert max(with_levels.read) == 1200 * 900
    assert with_levels.read[1] <= 600 * 450


def test_another_scale_makes_another_overview() -> None:
    slide = ArraySlide(tissue_on_glass(), "s", 2.0)
    first = overview_of(slide)
    slide.mpp = 1.0
    second = overview_of(slide)
    assert len(second.tissue_pixels) == pytest.approx(len(first.tissue_pixels) / 4, rel=0.1)
    assert overview_of(slide) is second


def test_slides_are_told_apart_and_forgotten() -> None:
    slide, other = (ArraySlide(tissue_on_glass(seed=seed), "same name", 2.0) for seed in (0, 1))
    assert (overview_of(slide).picture != overview_of(other).picture).any()
    gone = weakref.ref(slide)
    gc.collect()  # slides of other tests
    known = len(module._KNOWN)
    del slide
    gc.collect()
    assert gone() is None
    assert len(module._KNOWN) < known
    assert other in module._KNOWN


def test_threads_wait_for_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    look = module._look_over
    monkeypatch.setattr(module, "_look_over", lambda *args: looks.append(args) or look(*args))
    slide = ArraySlide(tissue_on_glass(), "s", 2.0)
    found = []
    threads = [threading.Thread(target=lambda: found.append(overview_of(slide))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(looks) == 1
    assert len(found) == 8
    assert all(one is found[0] for one in found)


def test_what_could_not_be_read_is_tried_again() -> None:
    class Torn(ArraySlide):
        torn = True

        def read_region(self, *args, **more):
            if self.torn:
                raise SlideError("The file is torn.", "Copy it again.")
            return super().read_region(*args, **more)

    slide = Torn(tissue_on_glass(), "s", 2.0)
    with pytest.raises(SlideError, match="torn"):
        overview_of(slide)
    slide.torn = False
    assert overview_of(slide).tissue().mask.any()
