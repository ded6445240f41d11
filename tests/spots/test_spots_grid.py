"""Grids: distances, numbering, rotation, tissue."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_tcgn.errors import PixelSizeUnknownError, SettingsError, SpotsError
from napari_tcgn.options import GridSettings
from napari_tcgn.slide import ArraySlide, TissueMask
from napari_tcgn.spots import make_grid

GLASS = ArraySlide(np.full((1500, 2000, 3), 250, np.uint8), mpp=2.0)  # 4000 x 3000 µm


def everywhere(**options) -> GridSettings:
    return GridSettings(tissue_only=False, **options)


def test_st_grid():
    spots = make_grid(GLASS, everywhere(layout="st"))
    assert len(spots) == 20 * 15
    assert spots.ids[0] == "0x0"
    assert (spots.x[0], spots.y[0]) == (50.0, 50.0)  # half a pitch of 200 µm at 2 µm per px
    assert spots.ids[1] == "1x0"
    assert (spots.x[1], spots.y[1]) == (150.0, 50.0)
    assert (spots.array_col[1], spots.array_row[1]) == (1, 0)
    assert (spots.pitch_um, spots.diameter_um, spots.layout) == (200.0, 100.0, "st")
    assert spots.source.settings.layout == "st"
    assert np.isnan(spots.tissue_fraction).all()


@pytest.mark.parametrize(("layout", "neighbours"), [("st", 4), ("visium", 6)])
@pytest.mark.parametrize("rotation", [0.0, 17.0, -140.0])
def test_every_inner_spot_has_its_neighbours_at_one_pitch(layout, neighbours, rotation):
    spots = make_grid(GLASS, everywhere(layout=layout, rotation_deg=rotation))
    points = np.stack([spots.x, spots.y], axis=1) * 2.0
    distance, _ = cKDTree(points).query(points, k=neighbours + 2)
    inner = ((points > 300) & (points < [3700, 2700])).all(axis=1)
    np.testing.assert_allclose(distance[inner, 1 : neighbours + 1], spots.pitch_um, rtol=1e-9)
    assert (distance[inner, neighbours + 1] > 1.4 * spots.pitch_um).all()
    # The lattice covers the slide, also when turned: no place is farther than a spacing from a spot.
    places = np.random.default_rng(0).uniform([100, 100], [3900, 2900], (500, 2))
    assert cKDTree(points).query(places)[0].max() < spots.pitch_um * 0.75


def test_visium_numbering_is_that_of_space_ranger():
    spots = make_grid(GLASS, everywhere(layout="visium"))
    assert (spots.array_row % 2 == spots.array_col % 2).all()
    np.testing.assert_allclose(spots.x * 2.0, 50 + spots.array_col * 50)
    np.testing.assert_allclose(spots.y * 2.0, 50 + spots.array_row * 100 * np.sqrt(3) / 2)
    assert spots.ids[0] == "0x0"
    assert len(np.unique(spots.ids)) == len(spots)


def test_rotation_is_clockwise_around_the_origin():
    settings = everywhere(
        layout="square", pitch_um=100, diameter_um=50, origin_x_um=2000, origin_y_um=1500, rotation_deg=90
    )
    spots = make_grid(GLASS, settings)
    at = {name: (x, y) for name, x, y in zip(spots.ids, spots.x, spots.y, strict=True)}
    assert at["0x0"] == pytest.approx((1000, 750))
    # One to the right becomes one down, for y runs down.
    assert at["1x0"] == pytest.approx((1000, 800))
    assert at["0x1"] == pytest.approx((950, 750))
    assert at["-2x0"] == pytest.approx((1000, 650))
    assert not spots.outside(2000, 1500).any()


def test_only_tissue():
    mask = np.zeros((150, 200), bool)
    mask[:, :100] = True
    tissue = TissueMask(mask, 0.1, 0.3)
    spots = make_grid(GLASS, GridSettings(layout="st"), tissue)
    assert len(spots) == 10 * 15
    assert (spots.x < 1000).all()
    assert (spots.tissue_fraction >= 0.5).all()
    many = make_grid(GLASS, GridSettings(layout="visium", min_tissue_fraction=0.0), tissue)
    few = make_grid(GLASS, GridSettings(layout="visium", min_tissue_fraction=0.9), tissue)
    assert len(many) > len(few)
    assert (few.tissue_fraction >= 0.9).all()


def test_tissue_is_found_when_it_is_not_given():
    picture = np.full((1500, 2000, 3), 245, np.uint8)
    picture[400:1100, 300:1200] = (150, 80, 150)
    spots = make_grid(ArraySlide(picture, mpp=2.0), GridSettings(layout="st"))
    assert ((spots.x > 280) & (spots.x < 1220) & (spots.y > 380) & (spots.y < 1120)).all()
    assert len(spots) == pytest.approx(63, abs=8)


def test_nothing_left_is_an_error_with_its_mend():
    with pytest.raises(SpotsError, match=r"No tissue was found on slide slide.*--tissue-threshold.*--whole-slide"):
        make_grid(GLASS, GridSettings(layout="st"))
    crumb = np.zeros((150, 200), bool)
    crumb[:3, :3] = True
    with pytest.raises(SpotsError, match=r"None of the 300 spots.*--whole-slide"):
        make_grid(GLASS, GridSettings(layout="st", min_tissue_fraction=1.0), TissueMask(crumb, 0.1, 0.3))
    with pytest.raises(SpotsError, match="smaller pitch"):
        make_grid(GLASS, everywhere(layout="square", pitch_um=9000, diameter_um=10))


def test_unknown_mpp_and_absurd_pitch_are_refused():
    with pytest.raises(PixelSizeUnknownError):
        make_grid(ArraySlide(np.zeros((9, 9, 3), np.uint8)), everywhere())
    with pytest.raises(SettingsError, match="larger pitch"):
        make_grid(GLASS, everywhere(layout="square", pitch_um=0.5, diameter_um=0.5))


def test_a_hundred_thousand_spots_are_laid_together():
    mask = TissueMask(np.ones((150, 200), bool), 0.1, 0.3)
    lines = 0

    def count(_frame, event, _argument):
        nonlocal lines
        lines += event == "line"
        return count

    sys.settrace(count)
    try:
        spots = make_grid(GLASS, GridSettings(layout="hex", pitch_um=11, diameter_um=8, min_tissue_fraction=0), mask)
    finally:
        sys.settrace(None)
    assert len(spots) > 100_000
    assert lines < 2 * len(spots), "they are named one by one; nothing else is done so"
