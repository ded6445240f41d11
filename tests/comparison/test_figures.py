"""The statistics of a comparison against scipy, scikit-image and squidpy on the same numbers."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import stats
from scipy.ndimage import gaussian_filter

from napari_tcgn.comparison.steps import compare
from napari_tcgn.comparison.tables import r2_per_gene
from napari_tcgn.options import CompareSettings
from napari_tcgn.spots import Lattice
from napari_tcgn.stats.bootstrap import BlockBootstrap
from napari_tcgn.stats.shifts import random_shift_test, random_shifts
from napari_tcgn.stats.ssim import ssim_map
from napari_tcgn.stats.statistics import shift_count, shift_test


def square(rows: int, cols: int) -> Lattice:
    row, col = np.mgrid[:rows, :cols].reshape(2, -1)
    return Lattice("square", np.column_stack([col, row]).astype(float), row, col)


def hexagonal(rows: int, cols: int) -> Lattice:
    row, col = np.mgrid[:rows, :cols].reshape(2, -1)
    keep = row % 2 == col % 2
    row, col = row[keep], col[keep]
    return Lattice("hexagonal", np.column_stack([col / 2, row * np.sqrt(3) / 2]), row, col)


def smooth(rows: int, cols: int, genes: int, seed: int = 0) -> np.ndarray:
    fields = np.random.default_rng(seed).normal(size=(genes, rows, cols))
    return np.stack([gaussian_filter(f, 2) for f in fields], axis=-1)  # [rows, cols, genes]


def end_of(steps):
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "sides"), [("st", 4), ("visium", 6)])
def test_morans_i_of_a_comparison_is_that_of_squidpy(make_pair, layout: str, sides: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import squidpy as sq

    predicted, measured = make_pair(layout)
    found = compare(predicted, measured, CompareSettings(domains=False, draws=20))
    for adata, column in ((predicted, "morans_i_predicted"), (found.measured, "morans_i_measured")):
        alone = AnnData(adata.X, var=pd.DataFrame(index=adata.var_names), obsm={"spatial": adata.obsm["spatial"]})
        sq.gr.spatial_neighbors_grid(alone, n_neighs=sides)
        sq.gr.spatial_autocorr(alone, mode="moran", n_jobs=1, n_perms=None)
        theirs = alone.uns["moranI"].loc[found.genes.index, "I"]
        np.testing.assert_allclose(found.genes[column], theirs, rtol=2e-5, atol=1e-6)


def test_ssim_is_that_of_scikit_image_inside_the_section() -> None:
    from skimage.metrics import structural_similarity

    x, y = smooth(15, 13, 3), smooth(15, 13, 3, seed=1)
    lattice = square(15, 13)
    ours = ssim_map(x.reshape(-1, 3), y.reshape(-1, 3), lattice.window()).reshape(15, 13, 3)
    for gene in range(3):
        a, b = (v[..., gene] for v in (x, y))
        a, b = (a - a.min()) / np.ptp(a), (b - b.min()) / np.ptp(b)
        _, theirs = structural_similarity(a, b, win_size=5, data_range=1.0, full=True, use_sample_covariance=False)
        np.testing.assert_allclose(ours[2:-2, 2:-2, gene], theirs[2:-2, 2:-2], atol=1e-9)
    same = ssim_map(x.reshape(-1, 3), 4 * x.reshape(-1, 3) + 1, lattice.window())
    np.testing.assert_allclose(same, 1.0), "it is the pattern that is compared"


def test_ssim_of_a_constant_map_is_unknown() -> None:
    x = np.column_stack([np.ones(20), np.arange(20.0)])
    assert np.isnan(ssim_map(x, x, square(4, 5).window())).all(axis=0).tolist() == [True, False]


def test_r2_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import r2_score

    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 50, 4))
    np.testing.assert_allclose(r2_per_gene(x, y), r2_score(y, x, multioutput="raw_values"))
    assert np.isnan(r2_per_gene(x, np.ones_like(x))).all()


def test_bootstrap_by_sums_of_blocks_equals_drawing_the_spots() -> None:
    random = np.random.default_rng(0)
    lattice = square(12, 12)
    y = random.normal(size=(144, 3))
    x = y + random.normal(size=y.shape)
    boot = BlockBootstrap(lattice.blocks(), draws=20, seed=3)
    found = boot.figures(x, y)
    for draw in range(20):
        spots = np.concatenate(
            [np.flatnonzero(boot.block_of == block).repeat(int(n)) for block, n in enumerate(boot.times[draw])]
        )
        for gene in range(3):
            a, b = x[spots, gene], y[spots, gene]
            expected = stats.pearsonr(a, b)[0]
            assert found["pcc"][draw, gene] == pytest.approx(expected, abs=1e-9)
            assert found["rmse"][draw, gene] == pytest.approx(np.sqrt(np.mean((a - b) ** 2)))
            assert found["r2"][draw, gene] == pytest.approx(1 - np.sum((a - b) ** 2) / np.sum((b - b.mean()) ** 2))
            assert found["variance_ratio"][draw, gene] == pytest.approx(np.var(a) / np.var(b))


def test_blocks_are_squares_of_four_pitches() -> None:
    blocks = square(8, 12).blocks().reshape(8, 12)
    assert len(np.unique(blocks)) == 6
    assert len(np.unique(blocks[:4, :4])) == 1
    assert np.bincount(hexagonal(40, 60).blocks()).max() <= 25, "about 18 spots of a hexagonal array"


@pytest.mark.parametrize("lattice", [square(16, 15), hexagonal(22, 30)], ids=["square", "hexagonal"])
def test_random_shifts_agree_with_all_shifts(lattice: Lattice) -> None:
    random = np.random.default_rng(0)
    field = smooth(22, 30, 12)[lattice.row, lattice.col]
    other = smooth(22, 30, 12, seed=1)[lattice.row, lattice.col]
    x = np.column_stack([field, field])
    y = np.column_stack([field + 0.02 * random.normal(size=field.shape), other])
    everything = shift_test(x, y, lattice.row, lattice.col)
    some, shifts = end_of(random_shift_test(x, y, lattice, 1000, 0))
    assert shifts == 1000
    np.testing.assert_allclose(some, everything, atol=0.06)
    assert (some[:12] < 0.03).all()
    assert shift_count(lattice.row, lattice.col) > 100


def test_random_shifts_without_an_array_hold_their_level() -> None:
    """Unrelated smooth maps: about as many small p-values as there should be; a test of single spots finds half."""
    random = np.random.default_rng(0)
    xy = random.uniform(0, 30, (700, 2))
    place = np.floor(xy).astype(int)
    x, y = (smooth(30, 30, 120, seed)[place[:, 1], place[:, 0]] for seed in (1, 2))
    lattice = Lattice("irregular", xy, place[:, 1], place[:, 0])
    p, shifts = end_of(random_shift_test(x, y, lattice, 299, 0))
    assert shifts == 299
    assert (p < 0.05).mean() < 0.12
    naive = np.array([stats.pearsonr(x[:, g], y[:, g], alternative="greater")[1] for g in range(120)])
    assert (naive < 0.05).mean() > 0.2
    follows, _ = end_of(random_shift_test(x, x + 0.01 * random.normal(size=x.shape), lattice, 299, 0))
    assert (follows < 0.01).all()


def test_a_thin_section_has_no_shifts() -> None:
    lattice = square(1, 8)
    found = list(random_shifts(square(2, 3), 19))
    assert found == [], "six spots never meet in eight"
    p, shifts = end_of(random_shift_test(np.eye(8), np.eye(8), lattice, 19, 0))
    assert shifts > 0
    assert p.shape == (8,)


def test_irregular_spots_have_round_windows() -> None:
    xy = np.random.default_rng(0).uniform(0, 10, (60, 2))
    lattice = Lattice("irregular", xy, np.zeros(60, int), np.zeros(60, int))
    window = lattice.window().toarray()
    distance = np.linalg.norm(xy[:, None] - xy[None], axis=-1)
    np.testing.assert_array_equal(window > 0, distance <= 2.1)


def test_bins_of_visium_hd_stand_on_a_square_array(make_pair) -> None:
    predicted, measured = make_pair()
    record = json.loads(predicted.uns["napari_tcgn"]["run_record"])
    record["spots"]["layout"] = "visium-hd"
    predicted.uns["napari_tcgn"]["run_record"] = json.dumps(record)
    found = compare(predicted, measured, CompareSettings(domains=False, draws=40))
    assert found.overall.to_record()["null"]["kind"] == "all toroidal shifts"
    assert found.manifest.layout == "square"
