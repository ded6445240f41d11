"""The written file goes through squidpy as it is."""

from __future__ import annotations

import warnings
from pathlib import Path

import anndata
import numpy as np
import pytest

from napari_tcgn.expression import to_anndata, write_h5ad

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sq():
    import matplotlib as mpl

    mpl.use("Agg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of squidpy's own imports
        import squidpy
    return squidpy


@pytest.fixture
def written(tmp_path: Path, prediction):
    write_h5ad(to_anndata(prediction), tmp_path / "p.h5ad")
    return anndata.read_h5ad(tmp_path / "p.h5ad")


def test_neighbours_and_morans_i(sq, written) -> None:
    sq.gr.spatial_neighbors_knn(written, n_neighs=4)
    assert written.obsp["spatial_connectivities"].shape == (35, 35)
    sq.gr.spatial_autocorr(written, mode="moran", n_jobs=1)
    table = written.uns["moranI"]
    assert set(table.index) == set(written.var_names)
    assert (table["I"] > 0.2).all(), "the section is smooth, and its predictions follow it"


def test_neighbours_on_the_grid(sq, written) -> None:
    sq.gr.spatial_neighbors_grid(written, n_neighs=4)
    neighbours = np.asarray((written.obsp["spatial_connectivities"] > 0).sum(axis=1)).ravel()
    row, col = written.obs["array_row"], written.obs["array_col"]
    inside = (row > 0) & (row < row.max()) & (col > 0) & (col < col.max())
    assert (neighbours[inside] == 4).all()
    assert neighbours.min() == 2, "the corners"


def test_scanpy_takes_it(sq, written) -> None:
    import scanpy as sc

    sc.pp.pca(written, n_comps=3)
    assert written.obsm["X_pca"].shape == (35, 3)
    frame = sc.get.obs_df(written, ["GNAS", "tissue_fraction"])
    np.testing.assert_array_equal(frame["GNAS"], written[:, "GNAS"].X.ravel())


def test_deprecated_neighbours_still_work(sq, written) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sq.gr.spatial_neighbors(written, coord_type="generic", n_neighs=6)
    assert (np.asarray((written.obsp["spatial_connectivities"] > 0).sum(axis=1)).ravel() == 6).all()


def test_scatter_draws_spots_over_the_picture(sq, written, tmp_path: Path) -> None:
    sq.pl.spatial_scatter(written, color="GNAS", save=tmp_path / "scatter.png", dpi=60)
    assert (tmp_path / "scatter.png").stat().st_size > 10_000
