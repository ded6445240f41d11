"""Every format is read back by what it is meant for and holds the same values; nothing is written by halves."""

from __future__ import annotations

import json
import os
import uuid
import warnings
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from shapely.geometry import Point, shape

from napari_tcgn.engine import run as run_engine
from napari_tcgn.errors import DataError, OutputError, SpotsError
from napari_tcgn.exports import table as tables
from napari_tcgn.exports.write import export
from napari_tcgn.expression import read_section, to_anndata
from napari_tcgn.options import ExportSettings, PredictSettings
from napari_tcgn.slide import ArraySlide

ALL_SUFFIXES = (".h5ad", ".zarr", ".csv", ".parquet", ".geojson", ".png", ".svg", ".pdf")
MPP = 0.688


@pytest.fixture
def adata(prediction):
    return to_anndata(prediction)


@pytest.fixture
def partial(slide, spots, predictor):
    """12 of 35 spots, as a cancelled run leaves them."""
    steps = run_engine(slide, spots, predictor, PredictSettings(batch_size=4))
    step = next(step for step in steps if step.done == 12)
    steps.close()
    return to_anndata(step.prediction)


# -- tables ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_wide_table_holds_spots_places_and_genes(tmp_path: Path, adata, spots, suffix: str, monkeypatch) -> None:
    monkeypatch.setattr(tables, "BLOCK_VALUES", dict.fromkeys(tables.BLOCK_VALUES, 40))  # several blocks
    path = tmp_path / f"t{suffix}"
    export(adata, path)
    table = pd.read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
    assert list(table.columns) == [*tables.COLUMNS, *adata.var_names]
    assert list(table["spot"]) == list(spots.ids)
    np.testing.assert_array_equal(table["x_px"], spots.x)
    np.testing.assert_allclose(table["y_um"], spots.y * MPP)
    np.testing.assert_array_equal(table["array_row"], spots.array_row)
    assert not table["partial_result"].any()
    np.testing.assert_array_equal(table[list(adata.var_names)].to_numpy(np.float32), adata.X)


def test_array_positions_with_gaps_stay_whole_numbers(tmp_path: Path, adata) -> None:
    adata.obs["array_row"] = adata.obs["array_row"].astype(float)
    adata.obs.loc[adata.obs_names[1], "array_row"] = np.nan
    export(adata, tmp_path / "t.parquet")
    rows = pd.read_parquet(tmp_path / "t.parquet")["array_row"]
    assert pd.isna(rows[1])
    np.testing.assert_array_equal(rows.drop(1).astype(int), adata.obs["array_row"].drop(adata.obs_names[1]))


def test_tidy_table_is_the_same_in_rows(tmp_path: Path, adata, monkeypatch) -> None:
    monkeypatch.setattr(tables, "BLOCK_VALUES", dict.fromkeys(tables.BLOCK_VALUES, 40))
    export(adata, tmp_path / "t.csv", ExportSettings(genes="GNAS,IGKC", tidy=True))
    table = pd.read_csv(tmp_path / "t.csv")
    assert list(table.columns) == [*tables.COLUMNS, "gene", "value"]
    assert len(table) == 2 * adata.n_obs
    wide = table.pivot(index="spot", columns="gene", values="value").loc[adata.obs_names]
    np.testing.assert_array_equal(wide["IGKC"].to_numpy(np.float32), adata[:, "IGKC"].X.ravel())


def test_parquet_says_what_its_values_are(tmp_path: Path, adata) -> None:
    import pyarrow.parquet as pq

    export(adata, tmp_path / "t.parquet")
    about = {k.decode(): v.decode() for k, v in pq.read_schema(tmp_path / "t.parquet").metadata.items()}
    assert about["output_scale"] == "log10(1 + 1e4 * count / panel total)"
    assert float(about["mpp"]) == MPP
    assert json.loads(about["run_record"])["model"]["name"] == "colours"


def test_unknown_um_and_missing_values_are_empty(tmp_path: Path, adata) -> None:
    del adata.uns["napari_tcgn"]
    del adata.uns["spatial"]["C2"]["metadata"]
    adata.X[3, 1] = np.nan
    export(adata, tmp_path / "t.csv")
    table = pd.read_csv(tmp_path / "t.csv")
    assert table["x_um"].isna().all()
    assert np.isnan(table.loc[3, "GNAS"])
    export(adata, tmp_path / "um.csv", ExportSettings(mpp=2.0))
    np.testing.assert_allclose(pd.read_csv(tmp_path / "um.csv")["x_um"], 2 * table["x_px"])


def test_a_gene_that_is_named_like_a_column(tmp_path: Path, adata) -> None:
    adata.var_names = ["spot", *adata.var_names[1:]]
    with pytest.raises(OutputError, match="name of the column spot"):
        export(adata, tmp_path / "t.csv")
    export(adata, tmp_path / "t.csv", ExportSettings(tidy=True))


# -- GeoJSON -----------------------------------------------------------------------------------------------------


def check_for_qupath(text: str) -> list[dict]:
    """Check what QuPath's QuPathTypeAdapters (0.4 and 0.5) reads of a feature, and that the text is strict JSON."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    whole = json.loads(text, parse_constant=refuse)
    assert whole["type"] == "FeatureCollection"
    for feature in whole["features"]:
        assert feature["type"] == "Feature"
        assert str(uuid.UUID(feature["id"])) == feature["id"]
        geometry, properties = feature["geometry"], feature["properties"]
        assert geometry["type"] == "Polygon"
        (ring,) = geometry["coordinates"]
        assert ring[0] == ring[-1]
        assert len(ring) >= 4
        assert shape(geometry).is_valid
        assert properties["objectType"] == "detection"
        assert isinstance(properties["name"], str)
        assert isinstance(properties["classification"]["name"], str)
        assert all(isinstance(c, int) and 0 <= c < 256 for c in properties["classification"]["color"])
        # an object of names and numbers; an array of {name, value} is what 0.3 wrote
        assert all(isinstance(v, float) and np.isfinite(v) for v in properties["measurements"].values())
    return whole["features"]


def test_geojson_is_what_qupath_reads(tmp_path: Path, adata, spots) -> None:
    adata.X[2, list(adata.var_names).index("GNAS")] = np.nan
    export(adata, tmp_path / "t.geojson")
    features = check_for_qupath((tmp_path / "t.geojson").read_text())
    assert [f["properties"]["name"] for f in features] == list(spots.ids)
    assert list(features[0]["properties"]["measurements"]) == [
        "IGKC (predicted)",
        "GNAS (predicted)",
        "B2M (predicted)",
    ]
    assert "GNAS (predicted)" not in features[2]["properties"]["measurements"]
    found = [f["properties"]["measurements"]["IGKC (predicted)"] for f in features]
    np.testing.assert_allclose(found, adata[:, "IGKC"].X.ravel(), rtol=1e-6)
    radius = 50 / MPP
    for feature, x, y in zip(features, spots.x, spots.y, strict=True):
        polygon = shape(feature["geometry"])
        assert polygon.centroid.distance(Point(x, y)) < 0.1
        assert polygon.area == pytest.approx(np.pi * radius**2, rel=1e-3)
    assert len({f["id"] for f in features}) == len(features)


def test_bins_are_squares(tmp_path: Path, adata) -> None:
    adata.uns["napari_tcgn"]["run_record"] = adata.uns["napari_tcgn"]["run_record"].replace(
        '"layout": "st"', '"layout": "visium-hd"'
    )
    export(adata, tmp_path / "t.geojson")
    features = check_for_qupath((tmp_path / "t.geojson").read_text())
    assert shape(features[0]["geometry"]).area == pytest.approx((100 / MPP) ** 2, rel=1e-3)
    assert len(features[0]["geometry"]["coordinates"][0]) == 5
    from napari_tcgn.exports.section_figure import _draw

    drawn = _draw(adata, ["GNAS"], None).axes[1].collections[0]
    first = drawn.get_paths()[0].vertices[:4]
    np.testing.assert_allclose(first.mean(axis=0), adata.obsm["spatial"][0] * MPP)
    np.testing.assert_allclose(np.ptp(first, axis=0), 100.0)


def test_partial_results_say_so_everywhere(tmp_path: Path, partial) -> None:
    from napari_tcgn.exports.section_figure import _draw

    export(partial, tmp_path / "t.geojson")
    features = check_for_qupath((tmp_path / "t.geojson").read_text())
    assert {f["properties"]["classification"]["name"] for f in features} == {"Spot (partial result)"}
    export(partial, tmp_path / "t.csv")
    assert pd.read_csv(tmp_path / "t.csv")["partial_result"].all()
    title = _draw(partial, ["GNAS"], None).axes[0].get_title()
    assert title == "C2 · H&E\npartial result: 12 of 35 spots"
    export(partial, tmp_path / "t.h5ad")
    assert read_section(tmp_path / "t.h5ad")[0].uns["napari_tcgn"]["partial"]


# -- figures -----------------------------------------------------------------------------------------------------


def test_svg_names_every_gene_scale_bar_and_unit(tmp_path: Path, adata) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"svg.fonttype": "none"}):  # text as text, to be read here
        export(adata, tmp_path / "t.svg", ExportSettings(genes="GNAS,FASN,IGKC"))
    root = ElementTree.parse(tmp_path / "t.svg").getroot()
    texts = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for gene in ("GNAS", "FASN", "IGKC"):
        assert any(text.startswith(f"{gene} · ") and "held-out PCC" in text for text in texts)
    assert texts.count("200 µm") == 4
    assert texts.count("log10(1 + 1e4 * count / panel total)") == 3
    assert len(list(root.iter("{http://www.w3.org/2000/svg}image"))) >= 4


def test_figures_of_files_without_um_picture_or_values(tmp_path: Path, adata) -> None:
    from napari_tcgn.exports.section_figure import _draw

    del adata.uns["napari_tcgn"]
    adata.uns["spatial"] = {"C2": {"images": {}, "scalefactors": {}}}
    adata.X[:, 1] = np.nan
    figure = _draw(adata, ["GNAS", "IGKC"], None)
    assert figure.axes[0].texts[0].get_text().endswith(" px")
    assert figure.axes[1].get_title() == "GNAS · from file"
    export(adata, tmp_path / "t.png", ExportSettings(genes="GNAS"))
    assert (tmp_path / "t.png").stat().st_size > 5000


def test_a_figure_of_everything_is_refused(tmp_path: Path) -> None:
    import anndata

    adata = anndata.AnnData(np.zeros((2, 30), np.float32))
    adata.obsm["spatial"] = np.array([[0, 0], [9, 9.0]])
    with pytest.raises(OutputError, match="figure of 30 genes"):
        export(adata, tmp_path / "t.png", ExportSettings(genes="all"))
    assert list(tmp_path.iterdir()) == []


# -- SpatialData -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sd():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import spatialdata
    return spatialdata


@pytest.mark.filterwarnings("ignore")
def test_spatialdata_is_linked_and_placed(tmp_path: Path, adata, spots, sd) -> None:
    import squidpy as sq

    export(adata, tmp_path / "t.zarr")
    read = sd.read_zarr(tmp_path / "t.zarr")
    assert set(read.coordinate_systems) == {"global", "um"}
    extent = sd.get_extent(read["spots"], coordinate_system="um")
    np.testing.assert_allclose(extent["x"], (spots.x.min() * MPP - 50, spots.x.max() * MPP + 50))
    picture = sd.get_extent(read["image"], coordinate_system="global")
    np.testing.assert_allclose([picture["x"], picture["y"]], [(0, 1600), (0, 1200)], atol=1)
    values = sd.get_values("GNAS", sdata=read, element_name="spots", table_name="table")["GNAS"]
    assert list(values.index) == list(spots.ids)
    np.testing.assert_array_equal(values, adata[:, "GNAS"].X.ravel())
    _, joined = sd.join_spatialelement_table(sdata=read, spatial_element_names="spots", table_name="table")
    assert joined.n_obs == len(spots)
    table = read["table"]
    assert json.loads(table.uns["napari_tcgn"]["run_record"])["spots"]["count"] == len(spots)
    sq.gr.spatial_neighbors_knn(table, n_neighs=4)
    sq.gr.spatial_autocorr(table, mode="moran", n_jobs=1)
    assert (table.uns["moranI"]["I"] > 0.2).all()


@pytest.mark.filterwarnings("ignore")
def test_the_slide_becomes_a_pyramid(tmp_path: Path, adata, pixels, slide, sd) -> None:
    export(adata, tmp_path / "t.zarr", slide=slide)
    image = sd.read_zarr(tmp_path / "t.zarr")["image"]
    levels = [image[name].image for name in image.children]
    assert [level.shape for level in levels] == [(3, 1200, 1600), (3, 600, 800)]
    np.testing.assert_array_equal(np.moveaxis(levels[0].values, 0, 2), pixels)
    finer = pixels[:2, :2].astype(float).mean(axis=(0, 1))
    assert np.abs(levels[1].values[:, 0, 0] - finer).max() < 30
    assert list(levels[0].c.values) == ["r", "g", "b"]
    with pytest.raises(SpotsError, match="outside"):
        export(adata, tmp_path / "u.zarr", slide=ArraySlide(pixels[:400, :400], "C2", MPP))
    assert not (tmp_path / "u.zarr").exists()


@pytest.mark.filterwarnings("ignore")
def test_bins_without_um_are_squares_in_px(tmp_path: Path, adata, sd) -> None:
    del adata.uns["napari_tcgn"]
    adata.uns["spatial"]["C2"]["metadata"] = {"spot_layout": "visium-hd"}
    adata.uns["spatial"]["C2"]["images"] = {}
    export(adata, tmp_path / "t.zarr")
    read = sd.read_zarr(tmp_path / "t.zarr")
    assert read.coordinate_systems == ["global"]
    assert not read.images
    np.testing.assert_allclose(read["spots"].geometry.area, (100 / MPP) ** 2)


@pytest.mark.filterwarnings("ignore")
def test_only_a_store_is_replaced_by_a_store(tmp_path: Path, adata, sd) -> None:
    export(adata, tmp_path / "t.zarr")
    with pytest.raises(OutputError, match="exists already"):
        export(adata, tmp_path / "t.zarr")
    export(adata[:5].copy(), tmp_path / "t.zarr", overwrite=True)
    assert sd.read_zarr(tmp_path / "t.zarr")["table"].n_obs == 5
    (tmp_path / "mine.zarr").mkdir()
    (tmp_path / "mine.zarr" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="holds something else"):
        export(adata, tmp_path / "mine.zarr", overwrite=True)
    assert (tmp_path / "mine.zarr" / "thesis.txt").read_text() == "years of work"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.zarr", "t.zarr"]


# -- all formats -------------------------------------------------------------------------------------------------


def test_one_section_of_several(tmp_path: Path, adata) -> None:
    adata.uns["spatial"]["D3"] = adata.uns["spatial"]["C2"]
    adata.obs["library_id"] = ["C2"] * 20 + ["D3"] * 15
    with pytest.raises(DataError, match="2 sections"):
        export(adata, tmp_path / "t.h5ad")
    export(adata, tmp_path / "t.h5ad", ExportSettings(library="D3", genes="GNAS"))
    read, _ = read_section(tmp_path / "t.h5ad")
    assert read.shape == (15, 1)
    assert list(read.uns["spatial"]) == ["D3"]


@pytest.mark.parametrize("suffix", ALL_SUFFIXES)
def test_existing_output_is_kept(tmp_path: Path, adata, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        export(adata, path)
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", ALL_SUFFIXES)
def test_a_folder_that_cannot_be_written_to(tmp_path: Path, adata, suffix: str, monkeypatch) -> None:
    # A permission would not stop root, who runs tests in containers.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OutputError, match="cannot be written to"):
        export(adata, tmp_path / f"t{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["t", "t.xlsx", "missing/t.csv"])
def test_paths_that_name_nothing(tmp_path: Path, adata, name: str) -> None:
    with pytest.raises(OutputError):
        export(adata, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".geojson", ".zarr"])
def test_what_fails_in_the_middle_leaves_nothing(tmp_path: Path, adata, suffix: str, monkeypatch) -> None:
    def fail(*_args: object) -> None:
        raise RuntimeError("disk on fire")

    for place in ("table.block", "geojson.block"):
        monkeypatch.setattr(f"napari_tcgn.exports.{place}", fail)
    monkeypatch.setattr("napari_tcgn.exports.spatialdata._shapes", fail)
    with pytest.raises(RuntimeError, match="fire"):
        export(adata, tmp_path / f"t{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_spots_of_unknown_size_have_no_outline(tmp_path: Path, adata) -> None:
    del adata.uns["spatial"]["C2"]["scalefactors"]["spot_diameter_fullres"]
    for suffix in (".geojson", ".zarr"):
        with pytest.raises(DataError, match="size of the spots"):
            export(adata, tmp_path / f"t{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_how_usual_a_spot_is_goes_along_where_it_is_known(tmp_path: Path, adata) -> None:
    every = ExportSettings(genes="all")
    export(adata, tmp_path / "unknown.csv", every)
    assert "domain_p" not in pd.read_csv(tmp_path / "unknown.csv").columns
    usual = np.linspace(0, 1, adata.n_obs)
    usual[3] = np.nan
    adata.obs["domain_p"] = usual
    export(adata, tmp_path / "known.csv", every)
    np.testing.assert_allclose(pd.read_csv(tmp_path / "known.csv")["domain_p"], usual)
    export(adata, tmp_path / "known.geojson", every)
    found = json.loads((tmp_path / "known.geojson").read_text(encoding="utf-8"))["features"]
    assert found[5]["properties"]["measurements"]["domain_p"] == pytest.approx(usual[5], abs=1e-6)
    assert "domain_p" not in found[3]["properties"]["measurements"]
