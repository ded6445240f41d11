"""Models whose scale goes by a spot's counts over all genes, beside those that go by their panel."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from napari_tcgn.comparison import compare, compare_with_bulk, pseudobulk
from napari_tcgn.errors import DataError
from napari_tcgn.expression import OUTPUT_SCALE, TOTAL_SCALE, scale_counts
from napari_tcgn.model import ModelCard
from napari_tcgn.options import CompareSettings

QUICK = CompareSettings(domains=False, draws=20)


@pytest.fixture
def both(make_pair):
    """A prediction on the scale of all genes, and counts of its genes and of two others, one of them another genome."""
    predicted, measured = make_pair()
    predicted.uns["napari_tcgn"]["output_scale"] = TOTAL_SCALE
    rng = np.random.default_rng(0)
    more = anndata.AnnData(
        rng.poisson(300, (measured.n_obs, 2)).astype(np.float32),
        obs=measured.obs[[]],
        var=pd.DataFrame(index=["GRCh38_OTHER", "mm10_Other"]),
    )
    joined = anndata.concat([measured, more], axis=1, merge="first")
    joined.uns = measured.uns
    return predicted, measured, joined


def test_counts_are_divided_by_those_of_all_genes_of_the_species(both) -> None:
    predicted, measured, joined = both
    result = compare(predicted, joined, QUICK)
    total = joined.X[:, :-1].sum(axis=1, dtype=float)
    np.testing.assert_allclose(result.measured.X, scale_counts(measured.X, total), rtol=1e-5)
    np.testing.assert_allclose(result.measured.obs["depth"], np.log10(1 + total), rtol=1e-6)
    scale = result.manifest.to_record()["scale"]
    assert (scale["scale"], scale["total_over"]) == (TOTAL_SCALE, f"all {measured.n_vars + 1} measured genes")
    assert not any("fewer than" in sentence for sentence in result.warnings)
    predicted.uns["napari_tcgn"]["output_scale"] = OUTPUT_SCALE
    other = compare(predicted, joined, QUICK)
    np.testing.assert_allclose(other.measured.X, scale_counts(measured.X), rtol=1e-5)


def test_some_of_the_predicted_genes_can_be_compared(both) -> None:
    predicted, _, joined = both
    some = compare(predicted[:, 2:7].copy(), joined, QUICK)
    np.testing.assert_array_equal(some.measured.X, compare(predicted, joined, QUICK).measured.X[:, 2:7])
    predicted.uns["napari_tcgn"]["output_scale"] = OUTPUT_SCALE
    with pytest.raises(DataError, match="holds 5 of the model's"):
        compare(predicted[:, 2:7].copy(), joined, QUICK)


def test_a_measurement_of_some_genes_is_told_of(both) -> None:
    predicted, measured, _ = both
    told = compare(predicted, measured[:, 3:].copy(), QUICK).warnings
    assert any("fewer than the 24 of the model" in sentence for sentence in told)


def test_slides_and_bulk_go_by_all_genes_too(both) -> None:
    predicted, _, _ = both
    rng = np.random.default_rng(0)
    slides = {name: predicted.copy() for name in "PQR"}
    for adata in slides.values():
        adata.X = np.log10(1 + 1e4 * rng.dirichlet(np.ones(30), predicted.n_obs)[:, :24]).astype(np.float32)
        adata.obs["in_tissue"], adata.obs["tissue_fraction"] = 1, 1.0
    table = pseudobulk(slides)
    shares = 10.0 ** slides["P"].X.astype(float) - 1
    np.testing.assert_allclose(table.X[0], np.log10(1 + shares.mean(axis=0)), rtol=1e-5)
    bulk = pd.DataFrame(10.0**table.X - 1, index=table.obs_names, columns=table.var_names)
    bulk["REST"] = 1e4 - bulk.sum(axis=1)
    np.testing.assert_allclose(compare_with_bulk(table, bulk, "linear").genes["pcc"], 1.0)


def test_some_genes_of_a_panel_model_are_known_for_some_wherever_its_total_counts(both) -> None:
    predicted, _, joined = both
    card = ModelCard.from_json(predicted.uns["napari_tcgn"]["model_card"])
    some = predicted[:, 2:7].copy()
    some.uns["napari_tcgn"]["model_card"] = card.select(range(2, 7)).to_json()
    some.obs["in_tissue"], some.obs["tissue_fraction"] = 1, 1.0
    assert len(compare(some, joined, QUICK).genes) == 5
    some.uns["napari_tcgn"]["output_scale"] = OUTPUT_SCALE
    with pytest.raises(DataError, match="holds 5 of the model's 24"):
        compare(some, joined, QUICK)
    with pytest.raises(DataError, match="holds 5 genes, not the 24"):
        pseudobulk({"A": some})
