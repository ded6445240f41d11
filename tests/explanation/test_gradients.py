"""Gradients and graphs of a TCGN, against what the network itself computes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_tcgn.explanation.checks import with_random_end
from napari_tcgn.explanation.chosen import network_of
from napari_tcgn.explanation.gradients import STEPS, gradients_of, integrated_gradients
from napari_tcgn.explanation.token_graph import token_graphs
from napari_tcgn.model import SumPredictor, TCGNPredictor, prepare_patches, tcgn as network_module
from napari_tcgn.model.tcgn import TCGN
from napari_tcgn.options import ExplainSettings


def test_a_head_of_few_directions_is_explained_to_its_end(tcgn, patch) -> None:
    card = replace(tcgn.card, genes=[f"G{i}" for i in range(9)])
    net = TCGN(9, "tiny", directions=2).eval()
    torch.nn.init.normal_(net.head[2].weight, std=0.5)
    torch.nn.init.normal_(net.from_directions.weight)
    found = gradients_of(net, card, patch, 7)
    assert found.gap < 1e-4
    assert abs(found.whole - found.empty) > 1e-3
    assert torch.equal(with_random_end(net, 0).from_directions.weight, net.from_directions.weight)


def features(predictor, patch):
    with torch.no_grad():
        return predictor.net.forward_features(prepare_patches(torch.from_numpy(patch[None]), predictor.card))


@pytest.mark.parametrize("gene", [0, 2])
def test_integrated_gradients_sum_to_the_difference_from_an_empty_map(tcgn, patch, gene) -> None:
    found = gradients_of(tcgn.net, tcgn.card, patch, gene)
    assert found.whole == pytest.approx(float(tcgn.predict(patch[None])[0, gene]), abs=1e-4)
    with torch.no_grad():
        assert found.empty == pytest.approx(float(tcgn.net.head(torch.zeros(1, 1280))[0, gene]), abs=1e-6)
    assert abs(found.whole - found.empty) > 0.01, "there is something to explain"
    assert found.integrated.sum() == pytest.approx(found.whole - found.empty, abs=1e-4)
    assert found.gap < 1e-4
    assert found.integrated.min() < 0 < found.integrated.max()


def test_integrated_gradients_are_those_of_captum(tcgn, patch) -> None:
    attr = pytest.importorskip("captum.attr")
    tokens = features(tcgn, patch)
    last = tcgn.net.last_map(tokens).detach()
    reference = 0.3 * last.flip(2)
    theirs = attr.IntegratedGradients(tcgn.net.predict_from_map).attribute(
        last, reference, target=1, n_steps=STEPS, method="gausslegendre"
    )
    ours = integrated_gradients(tcgn.net, last, reference, 1)
    assert torch.allclose(ours, theirs.sum(1)[0].detach(), atol=1e-6)


def test_grad_cam_weighs_channels_by_their_mean_gradient_and_cuts_what_is_negative(tcgn, patch) -> None:
    tokens = features(tcgn, patch).requires_grad_(True)
    tcgn.net.predict_from_features(tokens)[0, 1].backward()
    cam = torch.einsum("nc,c->n", tokens.detach()[0], tokens.grad[0].mean(0)).clamp(min=0).view(7, 7)
    found = gradients_of(tcgn.net, tcgn.card, patch, 1).grad_cam
    assert found == pytest.approx(cam.numpy(), abs=1e-6)


def test_maps_of_a_transposed_network_are_upright(tcgn, patch) -> None:
    card = replace(tcgn.card, orientation="transposed")
    turned = TCGNPredictor(tcgn.net, card)
    swapped = np.ascontiguousarray(patch.swapaxes(0, 1))  # what it sees of this is the patch
    for name in ("integrated", "grad_cam"):
        plain = getattr(gradients_of(tcgn.net, tcgn.card, patch, 0), name)
        assert getattr(gradients_of(tcgn.net, card, swapped, 0), name) == pytest.approx(plain.T, abs=1e-5)
    plain_graph, turned_graph = token_graphs(tcgn, patch)[0], token_graphs(turned, swapped)[0]
    assert (plain_graph.edges == turned_graph.edges).all()
    assert (plain_graph.xy[:, ::-1] == turned_graph.xy).all()


def test_the_graph_is_the_one_that_the_prediction_used(tcgn, patch, monkeypatch) -> None:
    used = []
    build = network_module.build_graph

    def spy(attention):
        used.append((build(attention), attention))
        return used[-1][0]

    monkeypatch.setattr(network_module, "build_graph", spy)
    tcgn.predict(patch[None])
    assert len(used) == 2
    for graph, (true, attention), block in zip(token_graphs(tcgn, patch), used[:2], (0, 1), strict=True):
        valid = true.valid[0]
        edges = set(zip(true.src[0][valid].tolist(), true.dst[0][valid].tolist(), strict=True))
        assert graph.block == block
        assert set(map(tuple, graph.edges.tolist())) == edges
        source, target = graph.edges[7]
        assert graph.attention[7] == pytest.approx(attention[0, :, source, target].numpy())
        assert (np.diff(graph.attention.mean(axis=1)) <= 0).all()
        strongest = graph.strongest(5)
        assert len(strongest) == 5
        assert not graph.loops[strongest].any()
    first = token_graphs(tcgn, patch)[0].xy
    assert first[1] == pytest.approx([1.5 / 14, 0.5 / 14]), "the second token lies to the right of the first"


def test_asking_for_the_attention_leaves_the_model_as_it_was(tcgn, patch) -> None:
    before = tcgn.predict(patch[None])
    tcgn.attention(patch[None])
    assert (tcgn.predict(patch[None]) == before).all()
    assert not tcgn._fast.gnn_block0.MHSA._forward_hooks


def test_the_shares_of_a_sum_add_up_and_its_gradients_are_the_networks(tcgn, slide, spots) -> None:
    from napari_tcgn import explain
    from support.explaining import colour_predictor

    line = colour_predictor()
    whole = SumPredictor(tcgn.card, tcgn, line)
    assert network_of(whole) is tcgn
    how = ExplainSettings(window_um=20.0)
    found = explain(slide, spots, "s5", "RED", whole, how=how)
    assert found.shares.network == pytest.approx(float(tcgn.predict(found.patch[None])[0, 0]))
    assert found.shares.line == pytest.approx(float(line.predict(found.patch[None])[0, 0]))
    assert found.prediction == pytest.approx(found.shares.network + found.shares.line, abs=1e-5)
    integrated = found.map_of("integrated gradients").values
    assert integrated.sum() == pytest.approx(found.shares.network - found.network_reference, abs=1e-3)
    assert any("the network's share" in note for note in found.notes)
    assert [one.method for one in found.maps] == ["occlusion", "integrated gradients", "Grad-CAM"]
    assert "blanks" in found.map_of("Grad-CAM").note


def test_the_head_takes_the_last_map_as_it_takes_the_tokens(tcgn, patch) -> None:
    net: TCGN = tcgn.net
    tokens = features(tcgn, patch)
    with torch.no_grad():
        assert torch.equal(net.predict_from_map(net.last_map(tokens)), net.predict_from_features(tokens))


def test_a_network_that_is_confined_to_few_directions_is_known_by_its_last_layer(tcgn) -> None:
    from napari_tcgn.explanation.directions import directions_of
    from napari_tcgn.model import load_model
    from support.explaining import colour_predictor

    assert directions_of(tcgn) == 3, "as many as genes"
    card = replace(tcgn.card, genes=[f"G{i}" for i in range(100)])
    net = TCGN(100, "tiny")
    assert directions_of(TCGNPredictor(net, card)) is None
    with torch.no_grad():
        net.head[-1].weight.copy_(torch.randn(100, 2) @ torch.randn(2, 5120))
    assert directions_of(TCGNPredictor(net, card)) == 2
    assert directions_of(TCGNPredictor(TCGN(100, "tiny", directions=3), card)) == 3
    assert directions_of(load_model("context-line-her2st")) == 2
    assert directions_of(load_model("haematoxylin-her2st")) == 1
    assert directions_of(colour_predictor()) is None
