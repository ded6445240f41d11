"""AnnData of others: forbidden names, columns called like SpatialData's own, texts with gaps, what no file can hold."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import spatialdata

from napari_tcgn.errors import OutputError
from napari_tcgn.exports import export
from napari_tcgn.expression import library_of, to_anndata, write_h5ad


@pytest.fixture
def adata(prediction) -> anndata.AnnData:
    return to_anndata(prediction)


def test_forbidden_names_are_made_valid_and_listed(adata, tmp_path: Path) -> None:
    adata.obs["Pathologist label"] = "tumour"
    adata.var["p-value (raw)"] = 0.5
    adata.uns["H&E resolution"] = 0.5
    adata.obsm["X pca"] = np.zeros((adata.n_obs, 2))
    adata.layers["log norm"] = adata.X
    done = export(adata, tmp_path / "a.zarr")
    table = spatialdata.read_zarr(tmp_path / "a.zarr").tables["table"]
    assert (table.obs["Pathologist_label"] == "tumour").all()
    assert "H_E_resolution" in table.uns
    (note,) = done.notes
    for said in ("obs[Pathologist label] is Pathologist_label", "uns[H&E resolution] is H_E_resolution",
                 "obsm[X pca] is X_pca", "layers[log norm] is log_norm", "var[p-value (raw)]"):  # fmt: skip
        assert said in note
    assert "Pathologist label" in adata.obs, "the caller's object is left as it is"


def test_names_that_become_alike_stay_apart(adata, tmp_path: Path) -> None:
    adata.obs["cell type"], adata.obs["cell_type"] = "a", "b"
    export(adata, tmp_path / "a.zarr")
    obs = spatialdata.read_zarr(tmp_path / "a.zarr").tables["table"].obs
    assert sorted({str(obs[name].iloc[0]) for name in obs if name.startswith("cell_type")}) == ["a", "b"]


def test_columns_called_region_and_spot_are_kept(adata, tmp_path: Path) -> None:
    adata.obs["region"] = pd.Categorical(np.where(np.arange(adata.n_obs) % 2, "cortex", "medulla"))
    adata.obs["spot"] = np.arange(adata.n_obs)
    done = export(adata, tmp_path / "a.zarr")
    data = spatialdata.read_zarr(tmp_path / "a.zarr")
    table = data.tables["table"]
    assert set(table.obs["region"]) == {"cortex", "medulla"}
    assert table.obs["spot"].tolist() == list(range(adata.n_obs))
    assert table.uns["spatialdata_attrs"]["region_key"] == "spatialdata_region"
    assert "are kept" in done.notes[0]
    matched = spatialdata.join_spatialelement_table(sdata=data, spatial_element_names="spots", table_name="table")
    assert len(matched[0]["spots"]) == adata.n_obs, "shapes and table are linked"
    # an export of this export: its links are its own, and stay where they are
    export(table, tmp_path / "b.zarr")
    again = spatialdata.read_zarr(tmp_path / "b.zarr").tables["table"]
    assert again.uns["spatialdata_attrs"]["region_key"] == "spatialdata_region"
    assert set(again.obs["region"]) == {"cortex", "medulla"}


def test_a_plain_export_says_nothing(adata, tmp_path: Path) -> None:
    assert export(adata, tmp_path / "a.zarr").notes == ()
    assert export(adata, tmp_path / "a.csv").notes == ()


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr", ".csv", ".parquet", ".geojson"])
def test_texts_with_gaps(adata, suffix: str, tmp_path: Path) -> None:
    adata.obs["label"] = pd.array(["a", None, *["b"] * (adata.n_obs - 2)], dtype="string")
    adata.obs.index = adata.obs.index.astype("string")
    export(adata, tmp_path / f"a{suffix}")
    if suffix == ".h5ad":
        back = anndata.read_h5ad(tmp_path / "a.h5ad").obs["label"]
        assert back.isna().tolist() == [False, True] + [False] * (adata.n_obs - 2)
        assert back.iloc[0] == "a"


def test_what_no_file_can_hold_is_a_sentence(adata, tmp_path: Path) -> None:
    adata.uns["mine"] = object()
    with pytest.raises(OutputError, match=r"a\.h5ad cannot be written.*mine"):
        write_h5ad(adata, tmp_path / "a.h5ad")
    assert list(tmp_path.iterdir()) == []


def foreign_section(image: np.ndarray | None = None, factor: float = 1.0) -> anndata.AnnData:
    """Twelve spots of 100 px on a picture of half the size, as others write it."""
    rows = np.arange(12)
    made = anndata.AnnData(
        np.ones((12, 2), np.float32),
        obs=pd.DataFrame(index=[f"s{i}" for i in rows]),
        obsm={"spatial": factor * np.column_stack([100.0 * (rows % 4) + 50, 100.0 * (rows // 4) + 50])},
    )
    picture = np.full((150, 200, 3), 200, np.uint8) if image is None else image
    scales = {"tissue_hires_scalef": 0.5, "spot_diameter_fullres": 50.0}
    made.uns["spatial"] = {"s": {"images": {"hires": picture}, "scalefactors": scales}}
    return made


def test_names_inside_entries_are_made_valid_and_listed(tmp_path: Path) -> None:

    made = foreign_section()
    scores = pd.DataFrame({"a/b": np.arange(12.0), "a_b": 1.0}, index=made.obs_names)
    made.obsm["scores"] = scores
    made.uns["tool"] = {"p/q": {"r/s": 1}, "plain": 2}
    done = export(made, tmp_path / "x.zarr")
    assert "obsm[scores][a/b] is a_b_1" in done.notes[0]
    assert "uns[tool][p/q] is p_q, uns[tool][p/q][r/s] is r_s" in done.notes[0]
    table = spatialdata.read_zarr(tmp_path / "x.zarr").tables["table"]
    np.testing.assert_array_equal(table.obsm["scores"]["a_b_1"], np.arange(12.0))
    assert table.uns["tool"]["p_q"]["r_s"] == 1
    assert list(made.obsm["scores"]) == ["a/b", "a_b"], "one's own stays as it is"


@pytest.mark.parametrize(
    "image",
    [
        np.full((150, 200, 3), 200, np.uint8),
        np.full((150, 200, 3), 200.0, np.float32),
        np.full((150, 200, 3), 200, np.int64),
        np.full((150, 200, 3), 200, np.uint16),
        np.full((150, 200, 3), 200 / 255, np.float64),
        np.full((150, 200, 3), 200 * 257, np.uint16),
        np.full((3, 150, 200), 200, np.uint8),
    ],
    ids=["uint8", "float 255", "int64", "uint16 of 8 bits", "float 1", "uint16", "colours first"],
)
def test_pictures_of_any_type_keep_their_brightness(image: np.ndarray) -> None:
    picture = library_of(foreign_section(image)).picture
    assert picture is not None
    assert picture.shape == (150, 200, 3)
    assert (picture == 200).all()


def test_spots_beyond_the_picture_are_told(tmp_path: Path) -> None:
    assert export(foreign_section(), tmp_path / "a.csv").notes == ()
    told = export(foreign_section(factor=4), tmp_path / "b.csv").notes
    assert told[0].startswith("11 of 12 spots lie beyond the section's picture: they reach to (1400, 1000), and by its")
