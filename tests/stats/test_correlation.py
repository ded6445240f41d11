from __future__ import annotations

import warnings

import numpy as np
import pytest

from napari_tcgn.errors import DataError
from napari_tcgn.stats.correlation import median_pcc, pearson_per_gene
from support.golden import REFERENCE, golden_predictions


def test_golden() -> None:
    golden_values = np.load(REFERENCE / "golden_pipeline.npz")
    pcc = pearson_per_gene(*golden_predictions())
    np.testing.assert_allclose(pcc, golden_values["pcc"], atol=1e-10, rtol=0)
    assert np.isnan(pcc[7])
    assert np.isnan(pcc).sum() == 1
    assert median_pcc(pcc) == pytest.approx(float(golden_values["median_pcc"]), abs=1e-10)


def test_digits_survive_a_large_mean() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 50, 3))
    np.testing.assert_allclose(pearson_per_gene(x + 1e7, y - 1e7), pearson_per_gene(x, y), atol=1e-7)


def test_constant_and_missing_values_are_nan_without_a_warning() -> None:
    x = np.random.default_rng(0).normal(size=(60, 4))
    y = x * 2 + 1
    y[:, 0] = 0.1  # its mean over 60 spots is not exactly 0.1
    x[:, 1] = 3
    y[5, 2] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pcc = pearson_per_gene(x, y)
        assert np.isnan(median_pcc([np.nan, np.nan]))
        assert np.isnan(pearson_per_gene(x[:1], y[:1])).all()
    np.testing.assert_array_equal(np.isnan(pcc), [True, True, True, False])
    assert pcc[3] == pytest.approx(1)


def test_sign_and_float32_input() -> None:
    x = np.arange(10, dtype=np.float32)[:, None]
    assert pearson_per_gene(x, -x)[0] == pytest.approx(-1)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(DataError, match=r"\(3, 2\).*\(2, 3\)"):
        pearson_per_gene(np.ones((3, 2)), np.ones((2, 3)))
