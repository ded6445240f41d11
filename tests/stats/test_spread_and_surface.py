"""Standard deviations over spots, and smooth surfaces through them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_tcgn.errors import DataError
from napari_tcgn.stats.spread import variability
from napari_tcgn.stats.surface import smooth_surface


def lattice(side: int = 7, pitch: float = 200.0):
    col, row = (a.ravel().astype(float) for a in np.meshgrid(np.arange(side), np.arange(side)))
    return pitch * col + 1000, pitch * row + 500


def at(surface, x, y):
    """The surface at a place."""
    return surface.values[round((y - surface.y0) / surface.step), round((x - surface.x0) / surface.step)]


def test_variability_is_the_standard_deviation_of_known_values():
    values = np.random.default_rng(0).gamma(2, 1, (30, 300)).astype(np.float32)
    values[4, 0] = np.nan
    values[:, 1] = np.nan
    values[:, 2] = 3
    found = variability(values)
    np.testing.assert_allclose(found[3:], values[:, 3:].std(axis=0), rtol=1e-5)
    assert found[0] == pytest.approx(np.nanstd(values[:, 0]), rel=1e-5)
    assert np.isnan(found[1])
    assert found[2] == 0


def test_a_constant_stays_constant_and_a_slope_a_slope():
    x, y = lattice()
    flat = smooth_surface(x, y, np.full(len(x), 3.0))
    np.testing.assert_allclose(flat.values[np.isfinite(flat.values)], 3, rtol=1e-6)
    slope = smooth_surface(x, y, x)
    assert at(slope, 1600, 1100) == pytest.approx(1600, abs=2)
    assert at(slope, 1700, 1100) == pytest.approx(1700, abs=2)


def test_it_is_transparent_away_from_spots_with_values():
    x, y = lattice()
    values = np.ones(len(x))
    hole = (np.abs(x - 1600) < 300) & (np.abs(y - 1100) < 300)
    values[hole] = np.nan
    surface = smooth_surface(x, y, values)
    assert np.isnan(at(surface, 1600, 1100))
    assert np.isnan(surface.values[0, 0]), "a corner of the lattice"
    assert np.isfinite(at(surface, 1000, 500))
    assert np.isfinite(at(surface, 1100, 600)), "between four spots"
    assert np.isnan(at(surface, 1000 - 0.9 * 200, 500))


def test_the_bandwidth_is_in_pitches():
    x, y = lattice(11)
    values = ((x == 2000) & (y == 1500)).astype(float)  # the middle spot
    for bandwidth, share in ((0.5, 0.62), (1.0, 0.16)):
        surface = smooth_surface(x, y, values, bandwidth)
        assert at(surface, 2000, 1500) == pytest.approx(share, abs=0.02)
    peak = np.unravel_index(np.nanargmax(surface.values), surface.values.shape)
    assert surface.x0 + peak[1] * surface.step == pytest.approx(2000, abs=surface.step)
    assert surface.y0 + peak[0] * surface.step == pytest.approx(1500, abs=surface.step)


@pytest.mark.parametrize(
    ("values", "bandwidth", "said"), [([1.0, np.nan], 0.5, "1 spots have values"), ([1.0, 2.0], 0.0, "bandwidth is 0")]
)
def test_what_no_surface_goes_through(values, bandwidth, said):
    with pytest.raises(DataError, match=said):
        smooth_surface([0, 100], [0, 0], values, bandwidth)


def test_spots_on_one_place_have_no_pitch():
    with pytest.raises(DataError, match="a place of their own"):
        smooth_surface([5, 5, 5], [5, 5, 5], [1, 2, 3])
