"""Moran's I against squidpy, and against its formula where values are missing."""

from __future__ import annotations

import numpy as np
import pytest

from napari_tcgn.errors import DataError
from napari_tcgn.spots import neighbour_weights, pitch_of
from napari_tcgn.stats.moran import morans_i


@pytest.fixture(scope="module")
def square():
    """A square array of 9 x 7 spots with a hole, printed a little off its places; values of 5 genes."""
    rng = np.random.default_rng(3)
    col, row = (a.ravel().astype(float) for a in np.meshgrid(np.arange(9), np.arange(7)))
    keep = ~((col == 4) & (row == 3))
    col, row = col[keep], row[keep]
    x, y = 200 * col + rng.normal(0, 6, len(col)), 200 * row + rng.normal(0, 6, len(col))
    smooth = np.sin(col / 2) + np.cos(row / 3)
    values = np.stack([smooth, rng.normal(size=len(col)), (col + row) % 2, np.full(len(col), 0.3), -smooth], axis=1)
    return x, y, values


def by_hand(values, weights):
    """The formula, spot by spot."""
    w = weights.toarray()
    z = values - values.mean()
    return len(values) / w.sum() * sum(w[i, j] * z[i] * z[j] for i in range(len(z)) for j in range(len(z))) / (z @ z)


def test_neighbours_of_square_and_hexagonal_arrays(square):
    x, y, _ = square
    degree = (neighbour_weights(x, y).toarray() > 0).sum(axis=1)
    assert degree.max() == 4
    assert set(degree) == {2, 3, 4}
    np.testing.assert_allclose(neighbour_weights(x, y).toarray().sum(axis=1), 1)
    col, row = (a.ravel() for a in np.meshgrid(np.arange(8.0), np.arange(8.0)))
    hexagonal = neighbour_weights(100 * (col + row % 2 / 2), 100 * row * np.sqrt(3) / 2)
    assert (hexagonal.toarray() > 0).sum(axis=1).max() == 6
    assert pitch_of(x, y) == pytest.approx(200, rel=0.05)


def test_equals_squidpy(square):
    squidpy = pytest.importorskip("squidpy")
    import anndata
    from scipy.sparse import csr_matrix

    x, y, values = square
    weights = neighbour_weights(x, y)
    adata = anndata.AnnData(values.astype(np.float32))
    adata.obsm["spatial"] = np.column_stack([x, y])
    # Its grid mode takes the four nearest, which at an edge or a hole are sometimes diagonal ones.
    squidpy.gr.spatial_neighbors_radius(adata, radius=1.25 * 200)
    theirs = np.asarray(adata.obsp["spatial_connectivities"].toarray() > 0)
    assert ((weights.toarray() > 0) == theirs).all()
    adata.obsp["spatial_connectivities"] = csr_matrix(theirs.astype(float))
    found = squidpy.gr.spatial_autocorr(adata, mode="moran", copy=True, n_jobs=1)["I"]
    found = found.reindex(adata.var_names).to_numpy(dtype=float)
    mine = morans_i(values.astype(np.float32), weights)
    varying = [0, 1, 2, 4]
    np.testing.assert_allclose(mine[varying], found[varying], rtol=1e-4)
    assert np.isnan(mine[3]), "a constant gene has none"
    assert mine[0] > 0.6
    assert mine[2] == pytest.approx(-1, abs=0.1), "a chessboard"


def test_missing_values_leave_their_spots_out(square):
    x, y, values = square
    weights = neighbour_weights(x, y)
    holed = values.copy()
    holed[[0, 5, 11], 0] = np.nan
    holed[1:, 1] = np.nan
    found = morans_i(holed, weights)
    keep = ~np.isnan(holed[:, 0])
    part = weights.toarray()[keep][:, keep]
    part /= np.maximum(part.sum(axis=1, keepdims=True), 1e-300)
    from scipy.sparse import csr_array

    assert found[0] == pytest.approx(by_hand(holed[keep, 0], csr_array(part)))
    assert np.isnan(found[1]), "one spot has no neighbour"
    assert found[2] == pytest.approx(by_hand(values[:, 2], weights))


def test_many_genes_are_the_same_as_one_by_one(square):
    x, y, values = square
    weights = neighbour_weights(x, y)
    many = np.tile(values, (1, 120))  # more than one block
    np.testing.assert_allclose(morans_i(many, weights), np.tile(morans_i(values, weights), 120))


def test_few_spots_and_wrong_shapes():
    assert neighbour_weights([], []).shape == (0, 0)
    assert np.isnan(morans_i(np.ones((1, 2)), neighbour_weights([0.0], [0.0]))).all()
    with pytest.raises(DataError, match="one row of values per spot"):
        morans_i(np.ones((3, 2)), neighbour_weights([0, 1], [0, 0]))
