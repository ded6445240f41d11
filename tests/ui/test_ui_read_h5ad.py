"""File ▸ Open of .h5ad files that others have written, and of what is none."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from napari_tcgn.errors import DataError, SpotsError
from napari_tcgn.ui.io.result_reader import get_reader, read_layers
from napari_tcgn.ui.layers import slide_layers, store


def section(n: int = 30, genes: int = 5, libraries: tuple[str, ...] = ("V1",)) -> anndata.AnnData:
    rng = np.random.default_rng(1)
    adata = anndata.AnnData(
        sparse.random(n, genes, 0.3, "csr", np.float32, random_state=2),
        obs=pd.DataFrame({"library_id": [libraries[i % len(libraries)] for i in range(n)]}, index=map(str, range(n))),
        var=pd.DataFrame(index=[f"G{i}" for i in range(genes)]),
    )
    adata.obsm["spatial"] = rng.uniform(0, 1000, (n, 2))
    adata.uns["spatial"] = {
        library: {
            "images": {"lowres": rng.uniform(size=(100, 100, 3)).astype(np.float32)},
            "scalefactors": {"tissue_lowres_scalef": 0.1, "spot_diameter_fullres": 20.0},
        }
        for library in libraries
    }
    return adata


@pytest.fixture
def warned(monkeypatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr("napari_tcgn.ui.io.result_reader.show_warning", said.append)
    return said


def test_only_h5ad_files_are_ours(tmp_path) -> None:
    assert get_reader("a.h5ad") is read_layers
    assert get_reader("a.h5") is None
    assert get_reader(["a.h5ad", "b.h5ad"]) is None


def test_a_squidpy_file_in_px(tmp_path, warned, dock_in_viewer, use_predictor, kit) -> None:
    use_predictor(kit.predictor())
    adata = section()
    adata.write_h5ad(tmp_path / "v.h5ad")
    viewer, dock = dock_in_viewer()
    picture, points = viewer.open(str(tmp_path / "v.h5ad"), plugin="napari-tcgn")
    assert "does not say the µm per pixel" in warned[0]
    assert str(points.units[0]) == "pixel"
    np.testing.assert_allclose(points.data + 0.5, adata.obsm["spatial"][:, ::-1])
    np.testing.assert_allclose(points.size, 20.0)
    # the picture's corner and the slide's are the same
    corner = np.array(picture.translate) - np.array(picture.scale) / 2
    np.testing.assert_allclose(corner, -0.5)
    np.testing.assert_allclose(picture.scale, 10.0)
    result = store.result_of(points)
    assert (result.kind, result.card, result.mpp, result.output_scale) == ("from file", None, None, "unknown scale")
    assert sparse.issparse(result.values)
    np.testing.assert_array_equal(result.values_of("G3"), adata.X.toarray()[:, 3])
    assert dock.session.state.result_layer == points
    assert slide_layers.is_thumbnail(picture)
    assert dock.session.image_layers() == []


def test_several_sections_become_several_results(tmp_path, warned) -> None:
    section(libraries=("V1", "V2")).write_h5ad(tmp_path / "v.h5ad")
    found = read_layers(str(tmp_path / "v.h5ad"))
    assert [(meta["name"], kind) for _, meta, kind in found] == [
        ("V1 · H&E", "image"), ("V1 · G0 · from file", "points"),
        ("V2 · H&E", "image"), ("V2 · G0 · from file", "points"),
    ]  # fmt: skip
    assert found[1][1]["metadata"][store.KEY].library_id == "V1"
    assert len(found[1][0]) == len(found[3][0]) == 15


def test_positions_alone_make_points(tmp_path, warned) -> None:
    adata = section()
    del adata.uns["spatial"]
    adata.write_h5ad(tmp_path / "v.h5ad")
    ((points, meta, kind),) = read_layers(str(tmp_path / "v.h5ad"))
    assert kind == "points"
    assert meta["size"] > 0
    assert len(points) == 30


def test_many_genes_stay_sparse_and_a_gene_comes_at_once(tmp_path, warned) -> None:
    adata = anndata.AnnData(sparse.random(5000, 25_000, 0.01, "csr", np.float32, random_state=3))
    adata.obsm["spatial"] = np.random.default_rng(0).uniform(0, 9000, (5000, 2))
    adata.write_h5ad(tmp_path / "big.h5ad")
    result = read_layers(str(tmp_path / "big.h5ad"))[0][1]["metadata"][store.KEY]
    assert len(result.genes) == 25_000
    assert result.values.format == "csc", "a column is read without the others"
    np.testing.assert_array_equal(result.values_of("7"), adata.X[:, 7].toarray().ravel())


def test_repeated_names_are_numbered_and_told(tmp_path, warned) -> None:
    adata = section()
    adata.var_names = ["G0", "G0", "G1", "G2", "G3"]
    adata.write_h5ad(tmp_path / "v.h5ad")
    result = read_layers(str(tmp_path / "v.h5ad"))[1][1]["metadata"][store.KEY]
    assert result.genes == ("G0", "G0-1", "G1", "G2", "G3")
    assert "1 gene names of v.h5ad are repeated" in warned[0]


def test_what_cannot_be_shown_says_why(tmp_path, warned, make_napari_viewer_proxy) -> None:
    (tmp_path / "text.h5ad").write_text("no")
    with pytest.raises(DataError, match="no HDF5"):
        read_layers(str(tmp_path / "text.h5ad"))
    adata = section()
    del adata.obsm["spatial"]
    adata.write_h5ad(tmp_path / "nowhere.h5ad")
    with pytest.raises(DataError, match="no positions"):
        read_layers(str(tmp_path / "nowhere.h5ad"))
    adata.obsm["spatial"] = np.full((30, 2), np.nan)
    adata.write_h5ad(tmp_path / "nan.h5ad")
    with pytest.raises((DataError, SpotsError), match="have no position"):
        read_layers(str(tmp_path / "nan.h5ad"))
    viewer = make_napari_viewer_proxy()
    with pytest.raises(DataError, match="no positions"):
        viewer.open(str(tmp_path / "nowhere.h5ad"), plugin="napari-tcgn")
    assert len(viewer.layers) == 0


def test_nan_values_are_kept_and_do_not_spoil_the_colours(tmp_path, warned) -> None:
    adata = section()
    adata.X = adata.X.toarray()
    adata.X[:4, 0] = np.nan
    adata.write_h5ad(tmp_path / "v.h5ad")
    meta = read_layers(str(tmp_path / "v.h5ad"))[1][1]
    assert np.isfinite(meta["face_contrast_limits"]).all()
    assert np.isnan(meta["features"]["value"][:4]).all()
