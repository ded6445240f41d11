"""Slides from spots, and slides beside measured bulk."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from napari_tcgn.comparison.bulk import compare_with_bulk, read_bulk
from napari_tcgn.comparison.slide_level import pseudobulk
from napari_tcgn.errors import DataError
from napari_tcgn.expression import to_anndata


def slide_of(adata, shares: np.ndarray, tissue: np.ndarray | None = None):
    """The given prediction with the spots' composition put in (rows sum to one)."""
    copy = adata[: len(shares)].copy()
    copy.X = np.log10(1 + 1e4 * shares).astype(np.float32)
    copy.obs["in_tissue"] = 1
    copy.obs["tissue_fraction"] = 1.0 if tissue is None else tissue
    return copy


@pytest.fixture
def slides(prediction):
    """Four slides of five spots whose composition is drawn anew for each."""
    adata, random = to_anndata(prediction), np.random.default_rng(0)
    return {name: slide_of(adata, random.dirichlet(np.ones(6), 5)) for name in "PQRS"}


def test_a_slide_is_the_tissue_weighted_mean_of_its_spots_shares(prediction) -> None:
    shares = np.random.default_rng(1).dirichlet(np.ones(6), 3)
    tissue = np.array([1.0, 0.5, np.nan])
    table = pseudobulk({"A": slide_of(to_anndata(prediction), shares, tissue)})
    expected = np.average(shares, axis=0, weights=[1.0, 0.5, 1.0])
    np.testing.assert_allclose(table.X[0], np.log10(1 + 1e4 * expected), rtol=1e-5)
    assert table.obs.loc["A"].to_dict() == {"spots": 3, "tissue_spots": 2.5, "partial": False}


def test_spots_off_the_tissue_do_not_count(prediction) -> None:
    shares = np.random.default_rng(2).dirichlet(np.ones(6), 4)
    adata = slide_of(to_anndata(prediction), shares)
    alone = pseudobulk({"A": adata[:3].copy()})
    adata.obs.loc[adata.obs_names[3], "in_tissue"] = 0
    np.testing.assert_allclose(pseudobulk({"A": adata}).X, alone.X)


def test_another_scale_is_averaged_as_it_is(prediction) -> None:
    adata = to_anndata(prediction)[:4].copy()
    adata.obs["in_tissue"], adata.obs["tissue_fraction"] = 1, np.nan
    adata.uns["napari_tcgn"]["output_scale"] = "z-score"
    np.testing.assert_allclose(pseudobulk({"A": adata}).X[0], adata.X.mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("turned", [False, True])
def test_bulk_made_of_the_same_shares_correlates_perfectly(slides, turned) -> None:
    table = pseudobulk(slides)
    linear = pd.DataFrame(10**table.X - 1, index=table.obs_names, columns=table.var_names)
    found = compare_with_bulk(table, (linear * 3).T if turned else linear * 3, "linear")
    np.testing.assert_allclose(found.genes["pcc"], 1, atol=1e-9)
    np.testing.assert_allclose(found.slides["spearman"], 1)
    np.testing.assert_allclose(found.slides["pcc_centred"], 1, atol=1e-9)
    assert (found.slides["spearman_of_others"] < 1).all()
    assert found.left_out == {"slides": [], "samples": [], "genes": []}


def test_figures_are_scipys_and_constant_genes_have_none(slides) -> None:
    table = pseudobulk(slides)
    random = np.random.default_rng(3)
    bulk = pd.DataFrame(random.normal(size=(5, 5)), index=[*"PQRS", "Z"], columns=table.var_names[:5])
    bulk[table.var_names[2]] = 1.5
    found = compare_with_bulk(table, bulk, "log")
    gene = table.var_names[0]
    pcc = stats.pearsonr(np.asarray(table[:, gene].X)[:, 0], bulk.loc[list("PQRS"), gene])
    assert found.genes.loc[gene, "pcc"] == pytest.approx(pcc.statistic)
    assert found.genes.loc[gene, "p"] == pytest.approx(pcc.pvalue)
    assert found.genes.loc[table.var_names[2], ["pcc", "spearman", "p", "q"]].isna().all()
    known = found.genes["p"].dropna()
    np.testing.assert_allclose(found.genes["q"].dropna(), stats.false_discovery_control(known))
    assert found.left_out == {"slides": [], "samples": ["Z"], "genes": [table.var_names[5]]}


def test_counts_are_known_to_be_counts(slides) -> None:
    table = pseudobulk(slides)
    counts = pd.DataFrame(
        np.random.default_rng(4).integers(0, 900, (4, 6)), index=table.obs_names, columns=table.var_names
    )
    said = compare_with_bulk(table, counts, "linear")
    pd.testing.assert_frame_equal(compare_with_bulk(table, counts).genes, said.genes)


def test_bulk_genes_are_found_by_symbol_id_and_spelling_and_twice_means_summed(slides) -> None:
    table = pseudobulk(slides)
    linear = pd.DataFrame(10**table.X - 1, index=table.obs_names, columns=table.var_names)
    names = list(linear.columns)
    ids = list(table.var["gene_ids"])
    bulk = linear.rename(columns={names[0]: f"{ids[0]}.7", names[4]: names[4].lower()})
    found = compare_with_bulk(table, bulk, "linear")
    np.testing.assert_allclose(found.genes["pcc"], 1, atol=1e-9)
    assert found.matched_by == {"symbol": 4, "Ensembl id": 1, "spelling": 1, "alias": 0}
    assert found.genes["bulk_name"].tolist() == [f"{ids[0]}.7", *names[1:4], names[4].lower(), names[5]]
    halves = linear.rename(columns={names[1]: f"{ids[1]}.1"}) * [1, 0.25, 1, 1, 1, 1]
    halves[f"{ids[1]}.2"] = 3 * halves[f"{ids[1]}.1"]
    found = compare_with_bulk(table, halves, "linear")
    np.testing.assert_allclose(found.genes["pcc"], 1, atol=1e-9)
    assert "were summed" in found.warnings[0]
    with pytest.raises(DataError, match="cannot be summed"):
        compare_with_bulk(table, halves, "log")


def test_slides_hold_the_whole_panel_in_one_order(slides) -> None:
    """The same model and as many genes, but other ones: columns of two slides would be mixed up."""
    turned = slides["Q"][:, ::-1].copy()
    with pytest.raises(DataError, match="Slide 'Q' holds 6 genes, not the 6 of its model in their order"):
        pseudobulk({"P": slides["P"], "Q": turned})
    with pytest.raises(DataError, match="Slide 'Q' holds 2 genes"):
        pseudobulk({"Q": slides["Q"][:, :2].copy()})


def test_refusals_say_what_to_do(slides, prediction) -> None:
    table = pseudobulk(slides)
    good = pd.DataFrame(np.full((4, 6), 0.5), index=table.obs_names, columns=table.var_names)
    with pytest.raises(DataError, match="--bulk-scale"):
        compare_with_bulk(table, good)
    with pytest.raises(DataError, match="below zero"):
        compare_with_bulk(table, good - 1, "linear")
    with pytest.raises(DataError, match=r"2 slides have a bulk sample.*at least 3"):
        compare_with_bulk(table, good.iloc[:2], "linear")
    with pytest.raises(DataError, match="None of the model's 6 genes"):
        compare_with_bulk(table, good.rename(columns=lambda name: f"{name}x"), "linear")
    with pytest.raises(DataError, match="no slide"):
        pseudobulk({})
    other = to_anndata(prediction)
    card = json.loads(other.uns["napari_tcgn"]["model_card"])
    other.uns["napari_tcgn"]["model_card"] = json.dumps(card | {"version": "2"})
    with pytest.raises(DataError, match="'P' and 'X' were predicted by different models"):
        pseudobulk({**slides, "X": other})
    other.obs["in_tissue"] = 0
    with pytest.raises(DataError, match="No spot of slide 'X'"):
        pseudobulk({"X": other})
    del other.uns["napari_tcgn"]["model_card"]  # as of scores that the dock saves
    with pytest.raises(DataError, match="holds no napari-tcgn prediction"):
        pseudobulk({"X": other})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("s\tA\tA\nx\t1\t2\n", None),  # pandas numbers repeated columns itself
        ("s\tA\nx\t1\nx\t2\n", "two rows named 'x'"),
        ("s\tA\nx\t\n", "missing"),
        ("s\tA\nx\tmany\n", "cannot be read as a table"),
    ],
)
def test_bad_bulk_tables(tmp_path, text, says) -> None:
    path = tmp_path / "bulk.tsv"
    path.write_text(text)
    if says is None:
        assert list(read_bulk(path).columns) == ["A", "A.1"]
        return
    with pytest.raises(DataError, match=says):
        read_bulk(path)


def test_a_missing_bulk_table(tmp_path) -> None:
    with pytest.raises(DataError, match=r"none\.tsv cannot be read as a table"):
        read_bulk(tmp_path / "none.tsv")
