"""Two genes at one spot: how far their maps are alike, and what a model of few directions makes of that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_tcgn import explain
from napari_tcgn.errors import DataError
from napari_tcgn.explanation import Explanation, compare_genes
from napari_tcgn.model import TCGN, TCGNPredictor
from napari_tcgn.options import ExplainSettings
from support.explaining import colour_predictor

HOW = ExplainSettings(window_um=10.0)


def test_a_gene_and_its_negative_have_opposite_maps(slide, spots) -> None:
    red, green = (explain(slide, spots, "s5", gene, colour_predictor(), how=HOW) for gene in ("RED", "GREEN"))
    found = compare_genes(red, green)
    assert found.genes == ("RED", "GREEN")
    assert found.alike == {"occlusion": pytest.approx(-1)}
    assert found.directions is None
    assert found.sentence == "The maps of RED and GREEN at spot s5 correlate by -1.00 (occlusion), Spearman's."


def test_a_model_of_one_direction_has_one_map_only(slide, spots, tcgn) -> None:
    net = TCGN(3, "tiny", directions=1).eval()
    net.load_state_dict({k: v for k, v in tcgn.net.state_dict().items() if not k.startswith("head.2")}, strict=False)
    net.head[2].weight.data.normal_()
    net.from_directions.weight.data.copy_(net.from_directions.weight.new_tensor([[1.0], [-2.0], [0.5]]))
    confined = TCGNPredictor(net, tcgn.card)
    first, second = (explain(slide, spots, "s5", gene, confined, how=HOW) for gene in ("RED", "GREEN"))
    found = compare_genes(first, second)
    assert found.directions == first.directions == 1
    assert found.alike["integrated gradients"] == pytest.approx(-1, abs=1e-3)
    assert set(found.alike) == {"occlusion", "integrated gradients"}, "Grad-CAM has no sign to compare"
    assert "The model has one map only" in found.sentence
    assert explain(slide, spots, "s5", "RED", tcgn, how=HOW).directions is None, "as many as genes are no confinement"


def test_what_cannot_be_compared_is_refused(slide, spots) -> None:
    found: Explanation = explain(slide, spots, "s5", "RED", colour_predictor(), how=HOW)
    with pytest.raises(DataError, match="Both explanations are of RED"):
        compare_genes(found, found)
    with pytest.raises(DataError, match="RED at s5 of section by colours and GREEN at s6 of section by colours"):
        compare_genes(found, replace(found, gene="GREEN", spot="s6"))
    other = replace(found.maps[0], values=np.zeros((3, 3), np.float32))
    with pytest.raises(DataError, match="no signed map in common"):
        compare_genes(found, replace(found, gene="GREEN", maps=(other,)))
