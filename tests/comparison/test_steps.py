"""A whole comparison: figures of every gene, medians, simple predictors, domains; what cannot be compared is named."""

from __future__ import annotations

import json
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import stats

import napari_tcgn
from napari_tcgn.comparison.baselines import DEPTH_ALONE, HAEMATOXYLIN
from napari_tcgn.comparison.report import report
from napari_tcgn.comparison.steps import compare, compare_steps
from napari_tcgn.comparison.write import write_comparison
from napari_tcgn.engine import run_to_end
from napari_tcgn.errors import DataError, OutputError
from napari_tcgn.expression import scale_counts
from napari_tcgn.options import CompareSettings
from napari_tcgn.trust import reachable_pcc

QUICK = CompareSettings(domains=False, draws=40, permutations=19)


@pytest.fixture(scope="module")
def pair(make_pair):
    return make_pair(rows=18, cols=16, genes=30)


@pytest.fixture(scope="module")
def comparison(pair):
    sets = {"FIRST": ["GENE0", "GENE1", "GENE2"], "TOO FEW": ["GENE3", "ABSENT"]}
    return compare(*pair, CompareSettings(draws=200), gene_sets=sets)


def test_the_public_name_is_this_function() -> None:
    assert napari_tcgn.compare is compare


def test_figures_are_those_of_scipy(pair, comparison) -> None:
    predicted, measured = pair
    y = scale_counts(measured.X)
    depth = np.log10(1 + measured.X.sum(axis=1, dtype=float))
    for number, gene in enumerate(predicted.var_names[:8]):
        row = comparison.genes.loc[gene]
        x = predicted.X[:, number].astype(float)
        assert row["pcc"] == pytest.approx(stats.pearsonr(x, y[:, number])[0])
        assert row["spearman"] == pytest.approx(stats.spearmanr(x, y[:, number])[0])
        assert row["rmse"] == pytest.approx(np.sqrt(np.mean((x - y[:, number]) ** 2)))
        assert row["variance_ratio"] == pytest.approx(x.var() / y[:, number].var())
        rest = [v - np.polyval(np.polyfit(depth, v, 1), depth) for v in (x, y[:, number])]
        assert row["depth_pcc"] == pytest.approx(stats.pearsonr(*rest)[0])
        assert row["depth_alone_pcc"] == pytest.approx(stats.pearsonr(depth, y[:, number])[0])
        assert row["pcc_low"] < row["pcc"] < row["pcc_high"]
    q = stats.false_discovery_control(comparison.genes["p"])
    np.testing.assert_allclose(comparison.genes["q"], q)


def test_overall_holds_medians_beside_the_simple_predictors(comparison) -> None:
    overall, table = comparison.overall, comparison.baselines.set_index("method")
    medians = overall.medians
    assert medians["pcc"].median == pytest.approx(comparison.genes["pcc"].median())
    assert medians["pcc"].low < medians["pcc"].median < medians["pcc"].high
    assert list(table.index) == ["drawn", DEPTH_ALONE, HAEMATOXYLIN]
    assert table.loc[DEPTH_ALONE, "median_pcc"] == pytest.approx(comparison.genes["depth_alone_pcc"].median())
    lead = medians["pcc"].median - table.loc[HAEMATOXYLIN, "median_pcc"]
    assert table.loc[HAEMATOXYLIN, "lead"] == pytest.approx(lead)
    assert table.loc[HAEMATOXYLIN, "lead_low"] > 0, "the drawn picture says nothing of the drawn expression"
    assert overall.null.kind == "all-shifts"
    assert overall.null.smallest_p == pytest.approx(comparison.genes["p"].min())
    assert overall.genes_significant == (comparison.genes["q"] < 0.05).sum()
    assert json.loads(comparison.to_json())["overall"] == overall.to_record()


def test_domains_niches_and_gene_sets(comparison, pair) -> None:
    found = comparison.overall.domains
    assert found.ari > found.ari_shifted + 0.1
    assert found.p <= 0.05
    assert set(found.ari_of) == {DEPTH_ALONE, HAEMATOXYLIN}
    assert comparison.niches["spots"].sum() == pair[0].n_obs
    assert comparison.niches["pcc"].iloc[0] > 0.3
    assert comparison.gene_sets["gene_set"].tolist() == ["FIRST"]
    assert comparison.gene_sets["genes"].tolist() == [3]
    assert comparison.gene_sets["pcc"][0] > 0.5
    assert any("1 of 2 gene sets" in sentence and "TOO FEW" in sentence for sentence in comparison.warnings)


def test_the_same_again_gives_the_same(comparison, pair) -> None:
    sets = {"FIRST": ["GENE0", "GENE1", "GENE2"]}
    again = compare(*pair, CompareSettings(draws=200), gene_sets=sets)
    pd.testing.assert_frame_equal(again.genes, comparison.genes)
    assert again.overall == comparison.overall


def test_annotated_prediction_and_aligned_measurement(make_pair) -> None:
    predicted, measured = make_pair()
    before = predicted.copy()
    part = measured[::-1][5:, 3:].copy()
    result = compare(predicted, part, CompareSettings(draws=40, permutations=19))
    adata, aligned = result.adata, result.measured
    assert (predicted.var.columns == before.var.columns).all(), "the caller's object is left as it is"
    assert "measured" not in predicted.layers
    assert adata.shape == predicted.shape
    assert adata.obs["compare_matched"].sum() == predicted.n_obs - 5
    assert adata.var["compare_pcc"].isna().sum() == 3
    assert list(aligned.obs_names) == list(adata.obs_names[adata.obs["compare_matched"]])
    assert list(aligned.var_names) == list(predicted.var_names[3:])
    counts = measured[aligned.obs_names, aligned.var_names].X
    np.testing.assert_array_equal(aligned.layers["counts"], counts)
    np.testing.assert_allclose(aligned.X, scale_counts(counts), rtol=1e-6)
    layer = adata[aligned.obs_names, aligned.var_names].layers["measured"]
    np.testing.assert_array_equal(layer, aligned.X)
    assert np.isnan(adata.layers["measured"]).sum() == adata.X.size - aligned.X.size
    assert result.predicted.shape == aligned.shape
    assert len(set(adata.obs["compare_domain_measured"].dropna())) == result.overall.domains.n_measured
    assert result.manifest.to_record()["scale"]["panel_total_over"] == "21 of 24 genes"


def test_written_whole_and_read_back(comparison, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    written = write_comparison(comparison, folder)
    assert sorted(path.name for path in written) == [
        "baselines.csv", "compared.h5ad", "gene_sets.csv", "genes.csv", "niches.csv", "overall.json", "report.html",
    ]  # fmt: skip
    table = pd.read_csv(folder / "genes.csv", index_col=0)
    pd.testing.assert_frame_equal(table, comparison.genes, check_exact=False)
    adata = anndata.read_h5ad(folder / "compared.h5ad")
    assert json.loads(adata.uns["napari_tcgn_compare"]["overall"]) == comparison.overall.to_record()
    np.testing.assert_allclose(adata.var["compare_pcc"], comparison.genes["pcc"])
    with pytest.raises(OutputError, match="exists already"):
        write_comparison(comparison, folder)
    write_comparison(comparison, folder, overwrite=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        write_comparison(comparison, tmp_path / "file")
    assert write_comparison(comparison, tmp_path / "a" / "b")[0] == tmp_path / "a" / "b" / "genes.csv"


def test_progress_can_be_stopped_between_steps(pair) -> None:
    steps = compare_steps(*pair, QUICK)
    seen = [next(steps).stage, next(steps).stage, next(steps).stage]
    assert seen[0] == "match spots and genes"
    steps.close()
    stages: list[str] = []
    run_to_end(compare_steps(*pair, QUICK), lambda step: stages.append(step.stage))
    assert list(dict.fromkeys(stages)) == [
        "match spots and genes", "simple predictors", "figures", "reachable", "null", "null, depth controlled",
    ]  # fmt: skip


def test_constant_genes(make_pair) -> None:
    predicted, measured = make_pair()
    predicted.X[:, 0] = 1.5
    measured.X[:, 1] = 0
    result = compare(predicted, measured, QUICK)
    assert result.genes.loc["GENE0", "pcc"] == 0, "a constant prediction scores 0 and is counted"
    assert np.isnan(result.genes.loc["GENE0", "p"])
    assert result.genes.loc["GENE1", ["pcc", "depth_pcc", "ssim", "rmse", "q"]].isna().all()
    assert result.overall.n_genes == 23
    assert result.overall.genes_constant_in_measurement == 1
    measured.X[:] = 1
    with pytest.raises(DataError, match="None of the 24 common genes varies"):
        compare(predicted, measured, QUICK)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda x: np.log1p(x), "look log-transformed"),
        (lambda x: 1e4 * x / x.sum(axis=1, keepdims=True), "look normalised"),
        (lambda x: (x - x.mean(axis=0)) / x.std(axis=0), "negative .* look standardised"),
        (lambda x: np.where(np.arange(x.shape[1]) == 2, np.nan, x), r"missing or not finite \(NaN\)"),
    ],
)
def test_values_that_are_no_counts_are_named(make_pair, change, sentence: str) -> None:
    predicted, measured = make_pair()
    measured.layers["raw_counts"] = measured.X.copy()
    measured.X = change(measured.X).astype(np.float32)
    with pytest.raises(DataError, match=rf"{sentence}.*--layer raw_counts.*--values model-scale"):
        compare(predicted, measured, QUICK)
    found = compare(predicted, measured, CompareSettings(domains=False, draws=40, layer="raw_counts"))
    assert found.manifest.scale.layer == "raw_counts"
    with pytest.raises(DataError, match="no layer 'counts'"):
        compare(predicted, measured, CompareSettings(layer="counts"))


def test_values_on_the_models_scale(make_pair) -> None:
    predicted, measured = make_pair()
    measured.X = scale_counts(measured.X).astype(np.float32)
    settings = CompareSettings(domains=False, draws=40, values="model-scale")
    found = compare(predicted, measured, settings)
    assert found.baselines["method"].tolist() == ["drawn", HAEMATOXYLIN]
    assert any("sequencing depth is unknown" in sentence for sentence in found.warnings)
    assert "depth_pcc" not in found.genes
    assert "counts" not in found.measured.layers
    measured.obs["total_counts"] = np.arange(measured.n_obs) + 5
    assert "depth_pcc" in compare(predicted, measured, settings).genes
    measured.X[0, 0] = np.nan
    with pytest.raises(DataError, match="1 measured values are missing"):
        compare(predicted, measured, settings)
    measured.var_names = ["GENE1", *measured.var_names[1:]]
    with pytest.raises(DataError, match=r"more than once .GENE1., and values on a log scale cannot be summed"):
        compare(predicted, measured, settings)


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_sparse_counts_and_repeated_genes_are_summed(make_pair) -> None:
    from scipy.sparse import csr_matrix

    predicted, measured = make_pair()
    dense = compare(predicted, measured, QUICK)
    measured.X = csr_matrix(measured.X)
    pd.testing.assert_frame_equal(compare(predicted, measured, QUICK).genes, dense.genes)
    names = [*measured.var_names, "GENE0"]
    more = AnnData(
        csr_matrix(np.column_stack([measured.X.toarray(), np.ones(measured.n_obs)])),
        obs=measured.obs, var=pd.DataFrame(index=names), obsm=dict(measured.obsm),
    )  # fmt: skip
    found = compare(predicted, more, QUICK)
    np.testing.assert_array_equal(found.measured[:, "GENE0"].layers["counts"], measured.X[:, [0]].toarray() + 1)


def test_no_shifts_on_an_irregular_arrangement_but_random_ones(make_pair) -> None:
    predicted, measured = make_pair()
    record = json.loads(predicted.uns["napari_tcgn"]["run_record"])
    record["spots"]["layout"] = "custom"
    predicted.uns["napari_tcgn"]["run_record"] = json.dumps(record)
    found = compare(predicted, measured, CompareSettings(domains=False, draws=40, permutations=99))
    assert found.overall.to_record()["null"] == {"kind": "random toroidal shifts", "shifts": 99, "smallest_p": 0.01}
    assert found.manifest.layout == "irregular"
    assert found.genes["p"].min() == 0.01


def test_haematoxylin_of_slide_and_of_small_picture_agree(prediction, slide) -> None:
    from napari_tcgn.comparison.baselines import haematoxylin_of_patches, haematoxylin_of_picture
    from napari_tcgn.expression import to_anndata

    adata = to_anndata(prediction)
    x, y = adata.obsm["spatial"].T
    inside = ~adata.obs["patch_padded"].to_numpy()
    full = haematoxylin_of_patches(slide, x, y, prediction.card)
    small = haematoxylin_of_picture(adata, prediction.card.patch_um, prediction.mpp)
    assert np.corrcoef(full[inside], small[inside])[0, 1] > 0.98
    assert np.median(small[inside] / full[inside]) == pytest.approx(1, abs=0.1)
    del adata.uns["spatial"]
    assert haematoxylin_of_picture(adata, 100, 0.5) is None


def test_what_was_trained_on_is_said(make_pair) -> None:
    predicted, measured = make_pair()
    assert "trained on B4, C2: if this is one of these" in compare(predicted, measured, QUICK).warnings[0]
    record = json.loads(predicted.uns["napari_tcgn"]["run_record"])
    record["spots"]["source"] = {"file": "C2_selection.tsv"}
    predicted.uns["napari_tcgn"]["run_record"] = json.dumps(record)
    predicted.uns["napari_tcgn"]["partial"] = True
    warnings = compare(predicted, measured, QUICK).warnings
    assert "this is section C2, on which the model was trained: the figures are optimistic" in warnings[0]
    assert "partial" in warnings[1]


def test_what_is_no_prediction_or_no_anndata(make_pair) -> None:
    predicted, measured = make_pair()
    with pytest.raises(DataError, match="given as DataFrame, not as AnnData"):
        compare(predicted, pd.DataFrame({"A": [1]}), QUICK)
    with pytest.raises(DataError, match="given as list"):
        compare([1], measured, QUICK)
    with pytest.raises(DataError, match="holds no napari-tcgn prediction"):
        compare(measured, measured, QUICK)
    with pytest.raises(DataError, match="themselves a prediction"):
        compare(predicted, predicted, QUICK)
    with pytest.raises(DataError, match="hold 0 spots"):
        compare(predicted, measured[:0], QUICK)
    del measured.X
    with pytest.raises(DataError, match="X is empty"):
        compare(predicted, measured, QUICK)


def test_a_path_is_a_measurement_and_no_prediction(make_pair, tmp_path: Path) -> None:
    predicted, measured = make_pair()
    measured.write_h5ad(tmp_path / "m.h5ad")
    assert compare(predicted, tmp_path / "m.h5ad", QUICK).manifest.measured.file == "m.h5ad"
    with pytest.raises(DataError, match=r"given as str, not as AnnData.*read_prediction"):
        compare(str(tmp_path / "m.h5ad"), measured, QUICK)


def test_some_genes_of_a_prediction_are_not_on_the_models_scale(make_pair) -> None:
    """Totals over a few genes are not those of the panel: the figures would be of something else."""
    predicted, measured = make_pair()
    with pytest.raises(DataError, match=r"holds 5 of the model's 24 genes.*Compare the whole prediction"):
        compare(predicted[:, :5].copy(), measured, QUICK)
    measured.X = scale_counts(measured.X)
    scaled = CompareSettings(domains=False, draws=40, permutations=19, values="model-scale")
    assert len(compare(predicted[:, :5].copy(), measured, scaled).genes) == 5


def test_measured_values_that_this_package_wrote_are_no_prediction(make_pair) -> None:
    predicted, measured = make_pair()
    measured.uns["napari_tcgn"] = {"output_scale": "counts", "kind": "measured"}
    assert len(compare(predicted, measured, QUICK).genes) == 24


def test_a_sparse_prediction_gives_the_same(make_pair, tmp_path: Path) -> None:
    from scipy.sparse import csc_matrix

    predicted, measured = make_pair()
    expected = compare(predicted, measured, QUICK)
    predicted.X = csc_matrix(predicted.X)
    found = compare(predicted, measured, QUICK)
    pd.testing.assert_frame_equal(found.genes, expected.genes)
    np.testing.assert_array_equal(found.predicted, expected.predicted)
    write_comparison(found, tmp_path / "compared")


def test_predictions_that_cannot_be_compared(make_pair) -> None:
    predicted, measured = make_pair()
    predicted.X[2, 3] = np.nan
    with pytest.raises(DataError, match="1 predicted values are missing"):
        compare(predicted, measured, QUICK)
    predicted.uns["napari_tcgn"]["output_scale"] = "z-score"
    with pytest.raises(DataError, match="predicts on the scale 'z-score'"):
        compare(predicted, measured, QUICK)


def test_a_small_section_says_that_its_intervals_are_too_narrow(make_pair) -> None:
    found = compare(*make_pair(rows=5, cols=6), CompareSettings(draws=40))
    assert any("blocks: the intervals are too narrow" in sentence for sentence in found.warnings)


@pytest.mark.parametrize("column", ["library_id", "batch"])
def test_a_measurement_of_several_sections(pair, tmp_path: Path, column: str) -> None:
    """Their places are the same ones: neither is taken before it is said which."""
    predicted, measured = pair
    other = measured.copy()
    other.X = other.X[::-1].copy()
    both = anndata.concat({"s1": measured, "s2": other}, label=column, index_unique="_")
    told = "tells them apart" if column == "batch" else r"\. Say which"
    with pytest.raises(DataError, match=rf"2 sections \(s1, s2\).*{told}.*--library s1"):
        compare(predicted, both, QUICK)
    both.write_h5ad(tmp_path / "both.h5ad")
    settings = CompareSettings(domains=False, draws=40, permutations=19, library="s1")
    alone = compare(predicted, measured, QUICK)
    for given in (both, tmp_path / "both.h5ad"):
        chosen = compare(predicted, given, settings)
        np.testing.assert_array_equal(chosen.genes["pcc"], alone.genes["pcc"])
        assert chosen.manifest.measured.spots == measured.n_obs
    with pytest.raises(DataError, match=r"no section 's3'; it holds s1, s2"):
        compare(predicted, both, CompareSettings(library="s3"))


def test_what_can_be_reached_stands_beside_what_is_reached(pair, comparison, tmp_path: Path) -> None:
    genes, medians = comparison.genes, comparison.overall.medians
    counts = np.asarray(pair[1].X)
    depth = np.log10(1 + counts.sum(axis=1, dtype=float))
    known = reachable_pcc(counts, scale_counts, depth)
    for before, ceiling in (("", known.plain), ("depth_", known.depth)):
        np.testing.assert_allclose(genes[f"{before}ceiling_pcc"], ceiling)
        noisy = ceiling < 0.1
        share = (genes[f"{before}pcc"] / ceiling).where(~noisy)
        np.testing.assert_allclose(genes[f"{before}share_of_ceiling"], share)
        assert (genes[f"{before}judgeable"] == np.where(noisy, "too noisy to judge", "yes")).all()
        assert medians[f"{before}ceiling_pcc"].median == pytest.approx(np.median(ceiling))
        assert comparison.adata.var[f"compare_{before}judgeable"].tolist() == genes[f"{before}judgeable"].tolist()
    assert (genes["ceiling_pcc"] > 0.3).sum() > 5
    np.testing.assert_allclose(comparison.adata.var["compare_share_of_ceiling"], genes["share_of_ceiling"])
    assert "could be predicted with a PCC of" in report(comparison)


def test_without_counts_nothing_can_be_said_of_what_is_reachable(pair) -> None:
    predicted, measured = pair
    scaled = measured.copy()
    scaled.X = scale_counts(measured.X)
    result = compare(predicted, scaled, CompareSettings(domains=False, draws=40, values="model-scale"))
    assert "ceiling_pcc" not in result.genes
    assert any("Without raw counts" in sentence for sentence in result.warnings)
