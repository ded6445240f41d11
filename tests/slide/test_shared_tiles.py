"""Tiles that overlapping patches share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from napari_tcgn.errors import SlideError
from napari_tcgn.slide import ArraySlide, SharedTiles, shared_tiles


class CountingSlide(ArraySlide):
    """Counts its reads, and fails as often as it is told to."""

    reads = failures = 0

    def read_region(self, *box: int) -> np.ndarray:
        self.reads += 1
        if self.failures:
            self.failures -= 1
            raise SlideError("The disk is away.", "Plug it in.")
        return super().read_region(*box)


@pytest.fixture
def slide() -> CountingSlide:
    pixels = np.random.default_rng(0).integers(0, 255, (1300, 1100, 3), np.uint8)
    return CountingSlide([pixels], "section", 0.5)


def test_what_is_read_is_the_slide_and_every_tile_is_read_once(slide: CountingSlide) -> None:
    shared = SharedTiles(slide, 0)
    boxes = [(x, y, 300, 250) for x in range(-100, 1100, 90) for y in range(-100, 1300, 90)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda box: shared.read_region(*box), boxes))
    assert slide.reads == 3 * 3
    for box, pixels in zip(boxes, found, strict=True):
        np.testing.assert_array_equal(pixels, slide.read_region(*box))


def test_shrunk_px_are_means_whichever_region_they_are_read_in(slide: CountingSlide) -> None:
    shared = SharedTiles(slide, 0, 2)
    assert shared.level_dimensions == ((1100, 1300), (550, 650))
    whole = slide.read_region(0, 0, 1100, 1300).astype(float).reshape(650, 2, 550, 2, 3).mean((1, 3))
    assert np.abs(shared.read_region(0, 0, 550, 650) - whole).max() <= 0.5
    np.testing.assert_array_equal(
        shared.read_region(501, 333, 40, 300), shared.read_region(0, 0, 550, 650)[333:633, 501:541]
    )


def test_no_more_tiles_are_kept_than_there_is_room_for(slide: CountingSlide, monkeypatch) -> None:
    monkeypatch.setattr(shared_tiles, "KEPT_BYTES", 2 * 3 * shared_tiles.TILE**2)
    shared = SharedTiles(slide, 0)
    for _ in range(2):
        for x in (0, 512, 1024):
            shared.read_region(x, 0, 10, 10)
    assert slide.reads == 6, "the third tile has thrown out the first"


def test_a_tile_that_could_not_be_read_is_tried_again(slide: CountingSlide) -> None:
    slide.failures = 1
    shared = SharedTiles(slide, 0)
    with pytest.raises(SlideError, match="disk is away"):
        shared.read_region(0, 0, 10, 10)
    assert shared.read_region(0, 0, 10, 10).shape == (10, 10, 3)
