from __future__ import annotations

import numpy as np
import pytest

from napari_tcgn.errors import DataError
from napari_tcgn.expression import scale_counts
from support.golden import REFERENCE, golden_counts


def test_golden() -> None:
    scaled = scale_counts(golden_counts())
    assert scaled.dtype == np.float64
    np.testing.assert_allclose(scaled, np.load(REFERENCE / "golden_pipeline.npz")["expression"], atol=1e-6, rtol=0)
    assert (scaled[5] == 0).all(), "the empty spot"


def test_one_count_of_one_is_the_largest_value() -> None:
    assert scale_counts([[0, 1, 0]])[0, 1] == pytest.approx(np.log10(10001))


def test_integer_counts_do_not_overflow() -> None:
    counts = np.full((1, 100), 40_000, dtype=np.uint16)
    np.testing.assert_allclose(scale_counts(counts), np.log10(101))


@pytest.mark.parametrize("counts", [[[1, -1]], [[1, np.nan]], [1, 2]])
def test_what_is_no_count_table(counts) -> None:
    with pytest.raises(DataError):
        scale_counts(counts)


def test_the_total_may_be_that_of_all_genes() -> None:
    counts = np.array([[1.0, 3.0], [0.0, 2.0], [0.0, 0.0]])
    scaled = scale_counts(counts, [8, 4, 0])
    np.testing.assert_allclose(scaled, np.log10(1 + 1e4 * np.array([[1 / 8, 3 / 8], [0, 1 / 2], [0, 0]])))
