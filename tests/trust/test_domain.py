"""Which patches a model knows: p-values of sections that had no part in it, and of what no section shows."""

from __future__ import annotations

import numpy as np
import pytest

from napari_tcgn.trust import fit_domain

FEATURES = 30


def section(seed: int, spots: int = 400, shift: float = 0.0, size: float = 1.0):
    """Features of a section: a few correlated things in thirty numbers, the last ones following from the others."""
    rng = np.random.default_rng(seed)
    free = rng.normal(shift, size, (spots, 6)) @ np.random.default_rng(99).normal(size=(6, FEATURES - 3))
    free = 5 + 0.3 * free + rng.normal(0, 0.05, free.shape)
    return np.exp(0.1 * np.hstack([free, free[:, :3]]))


@pytest.fixture(scope="module")
def sections():
    return {f"S{seed}": section(seed) for seed in range(4)}


def test_a_left_out_section_of_the_same_kind_has_its_share_outside(sections):
    shares = []
    for name in sections:
        domain = fit_domain({other: table for other, table in sections.items() if other != name})
        p = domain.p_values(sections[name])
        assert p.min() > 0
        assert p.max() <= 1
        shares.append((p <= 0.05).mean())
    assert 0.02 < np.mean(shares) < 0.10


def test_what_no_section_shows_is_outside(sections):
    domain = fit_domain(sections)
    assert (domain.p_values(section(7, shift=6.0)) <= 0.05).all()
    odd = section(8)
    odd[:, 3] *= 1.5  # not far in itself, but at odds with the numbers that it follows from
    assert (domain.p_values(odd) <= 0.05).mean() > 0.9


def test_distances_are_to_the_fifth_nearest_training_patch(sections):
    domain = fit_domain(sections)
    whole = np.concatenate([sections[name] for name in sorted(sections)])
    assert len(domain.points) == len(whole)
    one = domain.points[:, None] - domain.points[None, :5]
    expected = np.sort(np.sqrt((one.astype(float) ** 2).sum(-1)), axis=0)[4]
    np.testing.assert_allclose(domain.distance(whole[:5]), expected, atol=0.02)
    # Components of unit variance: the spread of the training patches is the same along each.
    np.testing.assert_allclose(domain.points.std(axis=0), 1, atol=0.02)


def test_one_foreign_section_does_not_make_everything_usual(sections):
    """The median over the sections: with one far patient among four, the others still tell what is usual."""
    mixed = {**sections, "FAR": section(20, shift=4.0)}
    domain = fit_domain({name: table for name, table in mixed.items() if name != "S0"})
    odd = mixed["S0"].copy()
    odd[:, 3] *= 1.3
    pooled = np.sort(domain.distances.ravel())
    of_all = 1 - np.searchsorted(pooled, domain.distance(odd)) / len(pooled)
    assert (domain.p_values(odd) <= 0.05).mean() > 0.5 > (of_all <= 0.05).mean()


def test_large_sections_are_thinned_and_the_file_stays_small():
    tables = {f"S{seed}": section(seed, spots=4000) for seed in range(3)}
    domain = fit_domain(tables)
    size = sum(getattr(domain, name).nbytes for name in ("centre", "scale", "directions", "distances"))
    assert size + domain.points.size * 2 < 1_000_000
    assert 4_900 < len(domain.points) <= 5_010
    np.testing.assert_array_equal(domain.points, fit_domain(tables).points)
    assert (domain.p_values(section(9)) <= 0.05).mean() < 0.12


def test_one_section_says_nothing_of_what_is_usual_in_another():
    assert fit_domain({"S0": section(0)}) is None
    assert fit_domain({"S0": section(0, spots=3), "S1": section(1, spots=2)}) is None
    assert fit_domain({}) is None
