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


def test_deprecated_neighbours_still_work(sq, written) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sq.gr.spatial_neighbors(written, coord_type="generic", n_neighs=6)
    assert (np.asarray((written.obsp["spatial_connectivities"] > 0).sum(axis=1)).ravel() == 6).all()


def test_scatter_draws_spots_over_the_picture(sq, written, tmp_path: Path) -> None:
    sq.pl.spatial_scatter(written, color="GNAS", save=tmp_path / "scatter.png", dpi=60)
    assert (tmp_path / "scatter.png").stat().st_size > 10_000
