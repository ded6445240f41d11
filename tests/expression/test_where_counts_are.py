"""Counts that do not stand in X: in a layer or in `.raw`, by themselves or beside values that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from anndata import AnnData

from napari_tcgn.comparison import compare
from napari_tcgn.errors import DataError
from napari_tcgn.expression import counts_table, layer_names, read_measured, require_counts, with_layer
from napari_tcgn.options import CompareSettings

SETTINGS = {"domains": False, "permutations": 19, "draws": 20}


def normalised(measured: AnnData, genes: int | None = None) -> AnnData:
    """Values as scanpy's tutorials leave them: log1p in X, of some genes only."""
    logged = measured.copy()
    logged.X = np.log1p(logged.X / logged.X.sum(axis=1, keepdims=True) * 1e4)
    return logged[:, : genes or measured.n_vars].copy()


def test_counts_in_raw_are_pointed_to_and_taken(make_pair, tmp_path: Path) -> None:
    predicted, measured = make_pair()
    there = normalised(measured, genes=10)
    there.raw = measured[:, ::-1].copy()
    there.write_h5ad(tmp_path / "m.h5ad")
    with pytest.raises(DataError, match=r"look log-transformed.*AnnData's \.raw holds whole numbers.*--layer raw"):
        compare(predicted, tmp_path / "m.h5ad", CompareSettings(**SETTINGS))
    found = compare(predicted, tmp_path / "m.h5ad", CompareSettings(layer="raw", **SETTINGS))
    right = compare(predicted, measured, CompareSettings(**SETTINGS))
    assert found.manifest.genes.matched == 24, "raw has genes that X has not"
    np.testing.assert_array_equal(found.genes["pcc"], right.genes["pcc"])
    np.testing.assert_array_equal(counts_table(there, "raw").table[measured.var_names], measured.X)
    with pytest.raises(DataError, match=r"\.raw holds whole numbers"):
        counts_table(there)


def test_the_layer_that_is_pointed_to_holds_counts_whatever_it_is_called(make_pair) -> None:
    _, measured = make_pair()
    there = normalised(measured)
    there.layers["raw_counts_scaled"] = there.X * 2
    with pytest.raises(DataError, match=r"not counted\. Give raw counts; or"):
        counts_table(there)
    there.layers["umi"] = measured.X
    with pytest.raises(DataError, match=r"The layer 'umi' holds whole numbers.*--layer umi"):
        counts_table(there)
    there.raw = normalised(measured)  # as Seurat's converters leave it: log-normalised, too
    with pytest.raises(DataError, match="The layer 'umi'"):
        counts_table(there, "raw")
    np.testing.assert_array_equal(counts_table(there, "umi").table, measured.X)


def test_a_layer_called_raw_goes_before_raw(make_pair) -> None:
    _, measured = make_pair()
    measured.raw = normalised(measured)
    measured.layers["raw"] = measured.X + 1
    assert layer_names(measured) == ["raw"]
    np.testing.assert_array_equal(with_layer(measured, "raw").X, measured.X + 1)


def test_values_that_are_nowhere(make_pair) -> None:
    _, measured = make_pair()
    with pytest.raises(DataError, match=r"no layer 'raw'; there are none\. Leave --layer out"):
        with_layer(measured, "raw")
    empty = AnnData(X=None, obs=measured.obs, var=measured.var, layers={"counts": measured.X})
    with pytest.raises(DataError, match=r"X is empty.*The layer 'counts' holds whole numbers"):
        counts_table(empty)
    require_counts(measured.X, measured)


def test_own_sections_name_their_layer(make_pair, tmp_path: Path) -> None:
    from napari_tcgn.training.data.own_sections import counts_and_spots, read_manifest

    _, measured = make_pair()
    there = normalised(measured)
    there.raw = measured
    there.write_h5ad(tmp_path / "m.h5ad")
    (tmp_path / "i.png").write_bytes(b"")
    (tmp_path / "sections.csv").write_text("section,patient,image,counts,layer\nS,P,i.png,m.h5ad,raw\n")
    counts, spots = counts_and_spots(read_manifest(tmp_path)[0])
    np.testing.assert_array_equal(counts.table, measured.X)
    assert len(spots) == measured.n_obs
    (tmp_path / "sections.csv").write_text("section,patient,image,counts,layer\nS,P,i.png,m.h5ad,\n")
    with pytest.raises(DataError, match=r"Section S: .*sections\.csv the column layer"):
        counts_and_spots(read_manifest(tmp_path)[0])


def test_read_measured_keeps_raw(make_pair, tmp_path: Path) -> None:
    _, measured = make_pair()
    measured.raw = measured
    measured.write_h5ad(tmp_path / "m.h5ad")
    assert layer_names(read_measured(tmp_path / "m.h5ad")) == ["raw"]


def test_whole_numbers_that_are_hardly_counts(make_pair) -> None:
    predicted, measured = make_pair()
    measured.X = np.round(measured.X / measured.X.sum(axis=1, keepdims=True) * 1e4)
    told = "The measured values of every spot add up to nearly the same (1e+04): they were normalised and rounded"
    assert counts_table(measured).notes[0].startswith(told)
    assert any(one.startswith(told) for one in compare(predicted, measured, CompareSettings(**SETTINGS)).warnings)
    measured.X = (np.median(measured.X, axis=0) < measured.X).astype(np.float32)
    assert "0 and 1 only" in counts_table(measured).notes[0]
    assert counts_table(make_pair()[1]).notes == ()
