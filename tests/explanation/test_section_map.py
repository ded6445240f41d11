"""The maps of all spots: those of single spots, all genes from few numbers, in the right place."""

from __future__ import annotations

from dataclasses import replace

import anndata
import numpy as np
import pandas as pd
import pytest
import torch

from napari_tcgn.engine import run_to_end
from napari_tcgn.errors import DataError, ModelError
from napari_tcgn.explanation import attribution_in, explain, section_map, section_map_steps, stitch, with_attribution
from napari_tcgn.explanation.gradients import gradients_of
from napari_tcgn.explanation.whole_section import direction_maps, output_basis
from napari_tcgn.model import TCGN, TCGNPredictor, load_model
from napari_tcgn.spots import Spots
from support.explaining import colour_predictor


@pytest.mark.parametrize("gene", [0, 1, 2])
def test_the_map_of_a_gene_is_that_of_its_integrated_gradients(tcgn, patch, gene):
    basis, loadings = output_basis(tcgn.net)
    (scores,) = direction_maps(tcgn.net, tcgn.card, patch[None], basis)
    expected = gradients_of(tcgn.net, tcgn.card, patch, gene)
    found = np.einsum("k,kij->ij", loadings[gene], scores)
    np.testing.assert_allclose(found, expected.integrated, atol=1e-5)
    assert found.sum() == pytest.approx(expected.whole - expected.empty, abs=1e-4)


def test_directions_and_a_transposed_model(tcgn, patch):
    card = replace(tcgn.card, genes=[f"G{i}" for i in range(9)], orientation="transposed")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        net = TCGN(9, "tiny", directions=2).eval()
        torch.nn.init.normal_(net.head[2].weight, std=0.5)
        torch.nn.init.normal_(net.from_directions.weight)
    basis, loadings = output_basis(net)
    assert loadings.shape == (9, 2)
    (scores,) = direction_maps(net, card, patch[None], basis)
    expected = gradients_of(net, card, patch, 7).integrated
    np.testing.assert_allclose(np.einsum("k,kij->ij", loadings[7], scores), expected, atol=1e-5)


def test_every_spot_of_a_section_is_explained_as_it_is_alone(tcgn, slide, spots):
    found = section_map(slide, spots, tcgn)
    assert found.scores.shape == (12, 3, 7, 7)
    alone = explain(slide, spots, "s5", "GREEN", tcgn).map_of("integrated gradients")
    np.testing.assert_allclose(found.of_gene("GREEN")[5], alone.values, atol=1e-5)
    with pytest.raises(DataError, match="no gene 'CD74'"):
        found.of_gene("CD74")


def test_the_network_of_a_sum_is_explained_and_a_line_is_not(slide, spots):
    few = spots.select(np.arange(12) < 2)
    summed = load_model("tcgn-tiny-her2st")
    found = section_map(slide, few, summed)
    assert found.scores.shape[1] <= 5, "confined to few directions"
    alone = explain(slide, few, "s1", "CD74", summed).map_of("integrated gradients")
    np.testing.assert_allclose(found.of_gene("CD74")[1], alone.values, atol=2e-3 * np.abs(alone.values).max())
    with pytest.raises(ModelError, match="only a TCGN can be explained over a whole section"):
        section_map(slide, spots, colour_predictor())


def test_a_network_of_many_directions_is_refused(tcgn):
    with pytest.raises(ModelError, match="no few maps hold those of all"):
        output_basis(TCGN(200, "tiny"))


def test_maps_lie_where_their_patches_do_and_are_averaged():
    maps = np.stack([np.full((7, 7), 1.0), np.full((7, 7), 3.0)]).astype(np.float32)
    maps[0, 0, 6] = 9.0  # upper right corner of the first
    found = stitch(maps, np.array([100.0, 130.0]), np.array([50.0, 50.0]), 70.0)
    assert found.step == 10.0
    assert (found.x0, found.y0) == (70.0, 20.0)
    assert found.values.shape == (7, 10)
    assert (found.values[1:, :3] == 1).all()
    assert (found.values[1:, 3:7] == 2).all(), "where they overlap"
    assert (found.values[:, 7:] == 3).all()
    assert found.values[0, 6] == 6.0
    apart = stitch(maps, np.array([100.0, 300.0]), np.array([50.0, 50.0]), 70.0)
    assert np.isnan(apart.values[:, 7:20]).all()


def test_a_result_carries_them(tcgn, slide, spots, tmp_path):
    found = section_map(slide, spots, tcgn)
    places = np.column_stack([spots.x, spots.y])
    adata = anndata.AnnData(
        np.zeros((12, 2), np.float32), obs=pd.DataFrame(index=spots.ids), var=pd.DataFrame(index=["ERBB2", "RED"]),
        obsm={"spatial": places},
    )  # fmt: skip
    assert attribution_in(adata) is None
    with_attribution(adata, found).write_h5ad(tmp_path / "r.h5ad")
    again = attribution_in(anndata.read_h5ad(tmp_path / "r.h5ad"))
    for gene in ("ERBB2", "RED"):
        np.testing.assert_allclose(again.of_gene(gene), found.of_gene(gene), atol=1e-6)
    np.testing.assert_array_equal(again.stitched("RED").values, found.stitched("RED").values)
    with pytest.raises(DataError, match="other spots or genes"):
        with_attribution(adata[:5].copy(), found)
    broken = with_attribution(adata, found)
    broken.obsm["napari_tcgn_attribution"] = broken.obsm["napari_tcgn_attribution"][:, :-1]
    with pytest.raises(DataError, match="holds no maps"):
        attribution_in(broken)


def test_maps_of_other_spots_are_refused(tcgn, slide, spots):
    few = spots.select(np.arange(4))
    found = section_map(slide, few, tcgn)
    adata = anndata.AnnData(
        np.zeros((4, 3), np.float32), pd.DataFrame(index=few.ids.astype(object)), pd.DataFrame(index=list(found.genes))
    )
    adata.obsm["spatial"] = np.column_stack([few.x, few.y])
    assert attribution_in(with_attribution(adata, found)) is not None
    with pytest.raises(DataError, match="other spots or genes"):
        with_attribution(adata[::-1].copy(), found)


def test_it_can_be_stopped(tcgn, slide, spots):
    many = Spots(
        np.array([f"m{i}" for i in range(40)]), np.linspace(60, 400, 40), np.full(40, 200.0), np.zeros(40),
        np.arange(40), 20.0, 50.0, "square",
    )  # fmt: skip
    told = []
    steps = section_map_steps(slide, many, tcgn)
    for step in steps:
        told.append((step.stage, step.done))
        if step.stage == "explain":
            steps.close()
            break
    assert told[-1] == ("explain", 16)
    assert isinstance(tcgn, TCGNPredictor)
    assert run_to_end(section_map_steps(slide, many.select(np.arange(40) < 1), tcgn)).scores.shape[0] == 1
