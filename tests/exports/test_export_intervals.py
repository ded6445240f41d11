"""The bounds of values in every format that can hold them."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc

import napari_tcgn
from napari_tcgn.errors import DataError, SettingsError
from napari_tcgn.exports import export
from napari_tcgn.exports.section_figure import _draw
from napari_tcgn.expression import with_intervals
from napari_tcgn.model import LEVEL
from napari_tcgn.options import ExportSettings
from napari_tcgn.sample import sample_folder
from napari_tcgn.trust import spot_opacity

GENES = ["CD74", "GNAS"]


@pytest.fixture(scope="module")
def result():
    slide = napari_tcgn.open_slide(sample_folder() / "section.ome.tif")
    spots = napari_tcgn.read_st_spots(sample_folder() / "section_selection.tsv")
    found = napari_tcgn.predict(slide, spots.select(np.arange(len(spots)) < 9), "haematoxylin-her2st")
    slide.close()
    return found


@pytest.fixture(scope="module")
def expected(result):
    layers = with_intervals(result[:, GENES].copy(), 0.9).layers
    assert (layers["low"] < layers["high"]).all()
    return layers


def settings(**more):
    return ExportSettings(genes=",".join(GENES), interval=90, **more)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables(result, expected, tmp_path, suffix):
    read = pd.read_csv if suffix == ".csv" else pd.read_parquet
    export(result, tmp_path / f"wide{suffix}", settings())
    wide = read(tmp_path / f"wide{suffix}")
    export(result, tmp_path / f"tidy{suffix}", settings(tidy=True))
    tidy = read(tmp_path / f"tidy{suffix}")
    for bound in ("low", "high"):
        np.testing.assert_allclose(wide[[f"{gene} {bound}" for gene in GENES]], expected[bound], rtol=1e-6)
        np.testing.assert_allclose(tidy[bound].to_numpy().reshape(-1, 2), expected[bound], rtol=1e-6)
    export(result, tmp_path / f"plain{suffix}", ExportSettings(genes="CD74"))
    assert "CD74 low" not in read(tmp_path / f"plain{suffix}")


def test_geojson(result, expected, tmp_path):
    export(result, tmp_path / "r.geojson", settings())
    features = json.loads((tmp_path / "r.geojson").read_text(encoding="utf-8"))["features"]
    found = [feature["properties"]["measurements"] for feature in features]
    for column, gene in enumerate(GENES):
        for bound in ("low", "high"):
            values = [one[f"{gene} (predicted) {bound}"] for one in found]
            np.testing.assert_allclose(values, expected[bound][:, column], rtol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_layers(result, expected, tmp_path):
    import spatialdata

    export(result, tmp_path / "r.h5ad", settings())
    export(result, tmp_path / "r.zarr", settings())
    table = spatialdata.read_zarr(tmp_path / "r.zarr").tables["table"]
    for found in (anndata.read_h5ad(tmp_path / "r.h5ad"), table):
        for bound in ("low", "high"):
            np.testing.assert_allclose(found.layers[bound], expected[bound])


def test_what_is_not_known_is_said_and_nothing_is_written(result, tmp_path):
    older = result.copy()
    del older.varm["napari_tcgn_intervals"]
    for suffix in (".csv", ".parquet", ".geojson", ".h5ad", ".zarr"):
        with pytest.raises(DataError, match="has no intervals"):
            export(older, tmp_path / f"r{suffix}", settings())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SettingsError, match="from 20 to 98"):
        ExportSettings(interval=5)


@pytest.mark.parametrize(("style", "share"), [("discs", 1.0), ("half-transparent", 0.5), ("rings", 1.0)])
def test_a_figure_has_faint_spots_where_they_are_uncertain(result, style, share):
    adata = result.copy()
    unlike = np.arange(adata.n_obs) == 4
    adata.obs["domain_p"] = np.where(unlike, 0.01, 0.5)
    layers = with_intervals(adata[:, ["CD74"]].copy(), LEVEL).layers
    opacity = spot_opacity((layers["high"] - layers["low"])[:, 0], unlike)
    assert len(np.unique(opacity)) > 3
    figure = _draw(adata, ["CD74"], None, settings=ExportSettings(style=style, fade=True))
    spots = figure.axes[1].collections[0]
    figure.canvas.draw()
    colours = spots.get_edgecolor() if style == "rings" else spots.get_facecolor()
    np.testing.assert_allclose(colours[:, 3], share * opacity, rtol=1e-5)


@pytest.mark.parametrize("how", ["scale", "log1p"])
def test_values_that_were_changed_since_have_no_intervals(result, tmp_path, how):
    adata = result.copy()
    if how == "scale":
        adata.X = (adata.X - adata.X.mean(axis=0)) / adata.X.std(axis=0)
    else:
        sc.pp.log1p(adata)
    with pytest.raises(DataError, match="no longer those that the model predicted"):
        export(adata, tmp_path / "r.csv", settings())
    assert not (tmp_path / "r.csv").exists()
    found = export(adata, tmp_path / "plain.csv", ExportSettings(genes="CD74"))
    assert any("no longer on the scale" in note for note in found.notes) == (how == "log1p")


def test_a_level_that_held_out_sections_do_not_promise_is_told(result, tmp_path):
    assert export(result, tmp_path / "r80.csv", ExportSettings(genes="CD74", interval=80)).notes == ()
    (note,) = export(result, tmp_path / "r95.csv", ExportSettings(genes="CD74", interval=95)).notes
    assert note.startswith("4 held-out sections promise no interval above 80%: of 95 % nothing is guaranteed")
    (note,) = export(result, tmp_path / "r.svg", ExportSettings(genes="CD74", interval=80)).notes
    assert note.startswith("A figure shows no intervals")
