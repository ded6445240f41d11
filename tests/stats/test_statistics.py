"""Statistics of predictions: checked against scipy, brute force, and data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from napari_tcgn.errors import DataError
from napari_tcgn.spots import Lattice
from napari_tcgn.stats import statistics
from napari_tcgn.stats.bootstrap import BlockBootstrap
from napari_tcgn.stats.correlation import pearson_per_gene
from napari_tcgn.stats.statistics import (
    interval,
    median_counting_constants,
    median_interval,
    partial_pcc_per_gene,
    q_values,
    rmse_per_gene,
    shift_test,
    spearman_per_gene,
    variance_ratio_per_gene,
)


@pytest.fixture
def tables():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 6))
    y = 0.5 * x + rng.normal(size=(60, 6))
    y[:, 4] = 1.0
    x[:, 5] = 2.0
    return x, y


def grid(rows: int, cols: int):
    return np.divmod(np.arange(rows * cols), cols)


def square(rows: int, cols: int):
    row, col = grid(rows, cols)
    return Lattice("square", np.column_stack([col, row]).astype(float), row, col), row, col


def smooth_map(rng, rows: int, cols: int) -> np.ndarray:
    """A map whose neighbours are alike, as tissue is."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(rng.normal(size=(rows, cols)), 2.5).ravel()


def test_against_scipy(tables) -> None:
    x, y = tables
    for g in range(4):
        assert spearman_per_gene(x, y)[g] == pytest.approx(stats.spearmanr(x[:, g], y[:, g])[0])
    assert np.isnan(spearman_per_gene(x, y)[4:]).all()
    np.testing.assert_allclose(rmse_per_gene(x, y), [np.sqrt(np.mean((x[:, g] - y[:, g]) ** 2)) for g in range(6)])
    ratio = variance_ratio_per_gene(x, y)
    assert ratio[0] == pytest.approx(x[:, 0].var() / y[:, 0].var())
    assert np.isnan(ratio[4])
    assert ratio[5] == 0


def test_spearman_of_a_gene_with_a_missing_value_is_missing(tables) -> None:
    x, y = tables
    x[3, 0] = np.nan
    assert np.isnan(spearman_per_gene(x, y)[0])
    assert np.isfinite(spearman_per_gene(x, y)[1])


def test_partial_correlation_is_the_textbook_formula(tables) -> None:
    x, y = tables
    z = np.random.default_rng(5).normal(size=60) + x[:, 0]
    found = partial_pcc_per_gene(x, y, z)
    for g in range(4):
        xy, xz, yz = (np.corrcoef(a, b)[0, 1] for a, b in ((x[:, g], y[:, g]), (x[:, g], z), (y[:, g], z)))
        assert found[g] == pytest.approx((xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2)))
    assert np.isnan(found[4:]).all()


def test_nothing_is_left_of_a_prediction_that_is_depth_alone(tables) -> None:
    _, y = tables
    depth = np.random.default_rng(6).normal(size=60)
    found = partial_pcc_per_gene(np.outer(depth, np.arange(1, 7)), y, depth)
    assert np.isnan(found).all()
    np.testing.assert_allclose(partial_pcc_per_gene(y, y, np.ones(60)), pearson_per_gene(y, y))


def test_bootstrap_equals_resampling_by_hand(tables) -> None:
    x, y = tables
    lattice, row, col = square(6, 10)
    found = BlockBootstrap(lattice.blocks(), 30, 3).pcc(x, y)
    block_of = np.unique(np.stack([row // 4, col // 4]), axis=1, return_inverse=True)[1]
    draws = np.random.default_rng(3).multinomial(
        block_of.max() + 1, [1 / (block_of.max() + 1)] * (block_of.max() + 1), 30
    )
    for d in (0, 7, 29):
        spots = np.concatenate(
            [np.repeat(np.flatnonzero(block_of == b), 1).tolist() * int(t) for b, t in enumerate(draws[d])]
        )
        by_hand = pearson_per_gene(x[spots.astype(int)], y[spots.astype(int)])
        np.testing.assert_allclose(found[d, :4], by_hand[:4], atol=1e-9)
    assert np.isnan(found[:, 4:]).all()


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    lattice, _, _ = square(20, 20)
    x = rng.normal(size=(400, 200))
    y = 0.6 * x + 0.8 * rng.normal(size=(400, 200))
    samples = BlockBootstrap(lattice.blocks(), 400).pcc(x, y)
    low, high = interval(samples)
    covered = np.mean((low <= 0.6) & (high >= 0.6))
    assert 0.85 < covered < 0.99
    middle = median_interval(samples)
    assert middle[0] < 0.6 < middle[1]
    assert middle[1] - middle[0] < np.median(high - low), "a median over many genes is surer than one gene"


def test_interval_without_samples() -> None:
    low, high = interval(np.full((10, 2), np.nan))
    assert np.isnan(low).all()
    assert np.isnan(high).all()


@pytest.mark.parametrize("at_once", [1, 130, 10**6])  # values: one, two and all genes at a time
def test_shift_test_equals_shifting_by_hand(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(statistics, "SHIFTED_AT_ONCE", at_once)
    rng = np.random.default_rng(1)
    row, col = grid(7, 9)
    keep = rng.random(63) < 0.8
    keep[[0, 62]] = True  # the outline stays the whole box
    row, col = row[keep], col[keep]
    x = rng.normal(size=(keep.sum(), 3))
    y = 0.4 * x + rng.normal(size=x.shape)
    table = {(r, c): i for i, (r, c) in enumerate(zip(row, col, strict=True))}
    n, observed = len(x), pearson_per_gene(x, y)
    better, shifts = np.zeros(3), 0
    for dr in range(7):
        for dc in range(9):
            pairs = [(i, table.get(((r + dr) % 7, (c + dc) % 9))) for (r, c), i in table.items()]
            pairs = np.array([(i, j) for i, j in pairs if j is not None])
            if (dr, dc) == (0, 0) or len(pairs) < max(8, 0.25 * n):
                continue
            shifts += 1
            r = pearson_per_gene(x[pairs[:, 0]], y[pairs[:, 1]])
            better += np.arctanh(r) * np.sqrt(len(pairs) / n) >= np.arctanh(observed)
    np.testing.assert_allclose(shift_test(x, y, row, col), (1 + better) / (1 + shifts))


def test_shift_test_is_not_fooled_by_smooth_maps_and_sees_a_real_link() -> None:
    rng = np.random.default_rng(2)
    row, col = grid(24, 24)
    x = np.stack([smooth_map(rng, 24, 24) for _ in range(150)], axis=1)
    unrelated = np.stack([smooth_map(rng, 24, 24) for _ in range(150)], axis=1)
    naive = np.array([stats.pearsonr(a, b)[1] / 2 for a, b in zip(x.T, unrelated.T, strict=True)])
    assert np.mean(naive < 0.05) > 0.25, "single spots taken as independent: many false alarms"
    assert np.mean(shift_test(x, unrelated, row, col) < 0.05) < 0.12
    linked = x / x.std(0) + 0.7 * unrelated / unrelated.std(0)
    assert np.mean(shift_test(x, linked, row, col) < 0.05) > 0.8


def test_shift_test_of_genes_without_a_figure(tables) -> None:
    x, y = tables
    row, col = grid(6, 10)
    p = shift_test(x, y, row, col)
    assert np.isnan(p[4:]).all()
    assert ((p[:4] > 0) & (p[:4] <= 1)).all()
    assert np.isnan(shift_test(x[:3], y[:3], row[:3], col[:3])).all(), "three spots: no shift overlaps enough"
    with pytest.raises(DataError, match="share a position"):
        shift_test(x, y, np.zeros(60), np.zeros(60))


def test_q_values_leave_genes_without_a_p_value_out() -> None:
    p = np.array([0.01, np.nan, 0.02, 0.5])
    np.testing.assert_allclose(q_values(p), [0.03, np.nan, 0.03, 0.5])
    assert np.isnan(q_values(np.array([np.nan]))).all()


def test_constant_predictions_count_as_zero() -> None:
    pcc = np.array([0.4, np.nan, np.nan])
    assert median_counting_constants(pcc, np.array([True, True, False])) == pytest.approx(0.2)
