"""What can be reached: against simulated tissue whose truth is known."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import sparse

from napari_tcgn.errors import DataError
from napari_tcgn.expression import scale_counts
from napari_tcgn.stats import pearson_per_gene, without
from napari_tcgn.trust import judgeable, reachable_pcc, share_of_ceiling


def rates(spots: int, genes: int, seed: int = 1, level: float = 1.0, signal: float = 0.5, depth: float = 0.5):
    """Expected counts [spots, genes] of a tissue: genes of all levels, some with and some without a pattern."""
    rng = np.random.default_rng(seed)
    mean = level * np.exp(rng.normal(0, 1, genes))
    pattern = np.exp(rng.normal(0, 1, (spots, genes)) * rng.gamma(2, signal / 2, genes))
    return mean * pattern * np.exp(rng.normal(0, depth, spots))[:, None]


def truth(expected, times: int = 24, outside: float = 0.0):
    """Root of the correlation of measurements of the same tissue: what is left of a count's noise is in no other."""
    rng = np.random.default_rng(9)
    plain, partial = [], []
    before = None
    for _ in range(times):
        counts = rng.poisson(expected)
        totals = counts.sum(axis=1) + rng.poisson(outside * expected.sum(axis=1))
        values, depth = scale_counts(counts, totals), np.log10(1 + totals)
        now = values, without(values, depth)
        if before is not None:
            plain.append(pearson_per_gene(before[0], now[0]))
            partial.append(pearson_per_gene(before[1], now[1]))
        before = now
    return [np.sqrt(np.clip(np.nanmean(found, axis=0), 0, 1)) for found in (plain, partial)]


@pytest.mark.parametrize(
    ("level", "signal", "depth"), [(1.0, 0.5, 0.6), (1.0, 0.3, 0.6), (3.0, 0.5, 0.5), (0.3, 0.5, 0.5)]
)
@pytest.mark.parametrize("outside", [0.0, 3.0])
def test_recovers_a_known_truth_on_both_scales(level, signal, depth, outside):
    """785 genes of 600 spots, scaled by the panel's total and by one over other genes too."""
    expected = rates(600, 785, level=level, signal=signal, depth=depth)
    rng = np.random.default_rng(3)
    counts = rng.poisson(expected)
    totals = counts.sum(axis=1) + rng.poisson(outside * expected.sum(axis=1))
    found = reachable_pcc(counts, scale_counts, np.log10(1 + totals), totals if outside else None, draws=4)
    for got, known in zip((found.plain, found.depth), truth(expected, outside=outside), strict=True):
        assert abs(np.nanmean(got - known)) < 0.03
        # Where there is something to be told: gene by gene, not only in the mean.
        assert np.corrcoef(got, known)[0, 1] > 0.7


def test_a_gene_without_a_pattern_is_too_noisy_and_one_with_many_counts_is_not():
    rng = np.random.default_rng(0)
    counts = np.stack([rng.poisson(0.2, 4000), rng.poisson(np.where(np.arange(4000) % 2, 400, 100))], axis=1)
    counts = np.hstack([counts, np.full((4000, 1), 7)])
    found = reachable_pcc(counts, scale_counts, rng.normal(size=4000), np.full(4000, 10_000))
    assert found.plain[0] < 0.2
    assert found.plain[1] > 0.98
    assert np.isnan(found.plain[2])  # constant: nothing to reach
    assert judgeable([0.05, 0.3, np.nan]) == ["too noisy to judge", "yes", "unknown"]


def test_half_of_the_signal_by_the_formula_of_spearman_and_brown():
    """On a linear scale and with few genes it is the plain formula: reliability = signal / (signal + Poisson noise)."""
    rng = np.random.default_rng(2)
    mean = np.where(np.arange(60_000) % 2, 6.0, 2.0)  # variance 4, noise 4
    found = reachable_pcc(rng.poisson(mean)[:, None], lambda counts, _: counts, rng.normal(size=60_000), draws=4)
    assert found.plain[0] == pytest.approx(np.sqrt(0.5), abs=0.01)


def test_over_dispersion_passes_for_signal():
    expected = rates(600, 300, signal=0.3)
    counts = np.random.default_rng(5)
    excess = expected * counts.gamma(2.0, 0.5, expected.shape)  # variance of 0.5 that no image shows
    draw = counts.poisson(excess)
    found = reachable_pcc(draw, scale_counts, np.log10(1 + draw.sum(axis=1)), draws=4)
    assert np.nanmean(found.depth) > np.nanmean(truth(expected)[1]) + 0.05


def test_same_seed_same_figures_and_sparse_as_dense():
    counts = np.random.default_rng(0).poisson(rates(100, 80))
    depth = np.log10(1 + counts.sum(axis=1))
    one, other, third = (
        reachable_pcc(table, scale_counts, depth, draws=2, seed=seed)
        for table, seed in ((counts, 0), (sparse.csr_matrix(counts), 0), (counts.astype(np.float32), 1))
    )
    np.testing.assert_array_equal(one.plain, other.plain)
    np.testing.assert_array_equal(one.depth, other.depth)
    assert not np.array_equal(one.plain, third.plain)


def test_a_section_of_visium_takes_seconds():
    counts = np.random.default_rng(0).poisson(rates(5000, 785, level=0.5))
    start = time.perf_counter()
    reachable_pcc(counts, scale_counts, np.log10(1 + counts.sum(axis=1)), draws=2)
    assert time.perf_counter() - start < 60


@pytest.mark.parametrize("wrong", [0.5, -1.0, np.nan])
def test_what_is_no_count_is_refused(wrong):
    counts = np.random.default_rng(0).poisson(2.0, (20, 5)).astype(float)
    counts[3, 2] = wrong
    with pytest.raises(DataError, match="whole numbers"):
        reachable_pcc(counts, scale_counts, np.arange(20.0))


def test_totals_hold_at_least_what_is_counted():
    counts = np.random.default_rng(0).poisson(2.0, (20, 5))
    with pytest.raises(DataError, match="smaller totals"):
        reachable_pcc(counts, scale_counts, np.arange(20.0), counts.sum(axis=1) - 1)


def test_two_spots_tell_nothing():
    found = reachable_pcc(np.array([[1, 2], [3, 4]]), scale_counts, np.array([1.0, 2.0]))
    assert np.isnan([found.plain, found.depth]).all()


def test_share_of_ceiling():
    share = share_of_ceiling([0.2, 0.2, 0.2, -0.1], [0.4, 0.05, np.nan, 0.5])
    np.testing.assert_allclose(share, [0.5, np.nan, np.nan, -0.2])
