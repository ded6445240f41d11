"""How opaque uncertain spots are drawn."""

from __future__ import annotations

import numpy as np

from napari_tcgn.trust import FAINTEST, spot_opacity


def test_the_wider_the_interval_the_fainter() -> None:
    width = np.linspace(1, 2, 101)
    found = spot_opacity(width, None)
    assert found.dtype == np.float32
    assert (np.diff(found) <= 0).all()
    np.testing.assert_allclose(found[[0, 5, 50, 95, 100]], [1, 1, 0.6, FAINTEST, FAINTEST], atol=1e-6)


def test_spots_unlike_the_training_are_faintest() -> None:
    unlike = np.array([True, False, False])
    np.testing.assert_allclose(spot_opacity(None, unlike), [FAINTEST, 1, 1])
    np.testing.assert_allclose(spot_opacity(np.array([1.0, 1.0, np.nan]), unlike), [FAINTEST, 1, 1])


def test_nothing_is_faint_where_nothing_is_known() -> None:
    assert spot_opacity(None, None) is None
    assert spot_opacity(np.full(3, np.nan), None) is None
