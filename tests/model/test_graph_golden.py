"""The graph and its convolutions alone: against the golden fixture, and against the dense matrices of the paper."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_tcgn.model.graph import (
    EXTRA_EDGES,
    CensNet,
    EdgeConv,
    NodeConv,
    build_graph,
    edge_features,
    edges_to_nodes,
    select_edges,
)
from support.dense_graph import DenseGraph, dense_edges, dense_features
from support.golden import GRAPH_WEIGHTS, REFERENCE, golden_graph_inputs, golden_tensor

NODES = 196
CASES = ["plain", "tie"]


def proximity(dtype: torch.dtype) -> torch.Tensor:
    index = torch.arange(NODES)
    place = torch.stack([index // 14, index % 14], 1).double()
    return (1 / (1 + torch.cdist(place, place) / 3)).to(dtype)


def golden_censnet(dtype: torch.dtype) -> CensNet:
    net = CensNet(20)
    weights = {k.removeprefix("unit.censnet."): golden_tensor(k, shape) for k, shape in GRAPH_WEIGHTS}
    net.load_state_dict({k: torch.as_tensor(v) for k, v in weights.items()}, strict=True)
    return net.to(dtype).eval()


def inputs(dtype: torch.dtype, cases: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Nodes [B, N, 20] and attention [B, 2, N, N] of several cases in one batch."""
    pairs = [golden_graph_inputs(case) for case in cases]
    x, attention = (torch.as_tensor(np.stack(arrays)).to(dtype) for arrays in zip(*pairs, strict=True))
    return x, attention


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_both_graphs_in_one_batch_equal_the_fixture(dtype):
    fixture = np.load(REFERENCE / "golden_graph.npz")
    x, attention = inputs(dtype, CASES)
    net = golden_censnet(dtype)
    limit = 1e-10 if dtype == torch.float64 else 3e-5
    with torch.inference_mode():
        graph = build_graph(attention)
        features = edge_features(graph, x, attention, proximity(dtype))
        gc1 = net.gc1(graph, x, features)
        gc2 = net.gc2(graph, gc1.relu(), features.relu())
        gc3 = net.gc3(graph, gc1.relu(), gc2.relu())
        at_nodes = edges_to_nodes(graph, gc2.relu()) / graph.edges_per_node[:, None, None]
        whole = net(graph, x, features)
    for b, case in enumerate(CASES):
        edges = int(fixture[f"{case}.num_edges"])
        assert int(graph.valid[b].sum()) == edges == (784 if case == "plain" else 788)
        found = torch.stack([graph.src, graph.dst], 2)[b, :edges]
        np.testing.assert_array_equal(found.numpy(), fixture[f"{case}.edges"])
        np.testing.assert_allclose(graph.edges_per_node[b].item(), fixture[f"{case}.k_effective"], rtol=1e-6)
        degree = graph.edge_norm[b, :edges].double() ** -2
        for name, value in {
            "edge_features": features[b, :edges],
            "node_adjacency_values": graph.adjacency[b, :edges],
            "edge_degree": degree,
            "gc1_nodes": gc1[b],
            "gc2_edges": gc2[b, :edges],
            "gc3_nodes": gc3[b],
            "edge_to_node": at_nodes[b],
        }.items():
            want = fixture[f"{case}.{name}"]
            bound = limit * max(1.0, np.abs(want).max()) if name == "edge_degree" else limit
            np.testing.assert_allclose(value.double().numpy(), want, rtol=0, atol=bound, err_msg=f"{case} {name}")
    torch.testing.assert_close(whole[0], gc3, rtol=0, atol=0)


def random_case(seed: int, nodes: int = NODES, width: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Nodes [N, width] and attention [2, N, N] with a hub, so that degrees differ widely and some nodes are bare."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(2, nodes, nodes)) + np.eye(nodes) * rng.choice([0, 1, 3])
    scores[:, rng.integers(nodes)] += 2.5  # one node that many edges leave
    scores[:, :, rng.integers(nodes)] += 2.5  # and one that many reach
    attention = np.exp(scores)
    return rng.normal(size=(nodes, width)), attention / attention.sum((1, 2), keepdims=True)


@pytest.mark.parametrize("seed", range(6))
def test_the_fast_form_equals_dense_matrices(seed):
    x, attention = random_case(seed)
    edges = dense_edges(attention)
    dense = DenseGraph(edges, NODES)
    torch.manual_seed(seed)
    node, edge = NodeConv(8, 5, 6).double(), EdgeConv(6, 7, 8).double()
    tx, ta = torch.as_tensor(x)[None], torch.as_tensor(attention)[None]
    with torch.inference_mode():
        graph = build_graph(ta)
        n = len(edges)
        np.testing.assert_array_equal(torch.stack([graph.src, graph.dst], 2)[0, :n].numpy(), edges)
        features = edge_features(graph, tx, ta, proximity(torch.float64))
        wanted = dense_features(x, attention, edges)
        np.testing.assert_allclose(features[0, :n].numpy(), wanted, atol=1e-12)
        weights = [[p.numpy() for p in (layer.weight, layer.p, layer.bias)] for layer in (node, edge)]
        for scale in (1.0, -1.0):  # negative weights take the other branch of the column maximum
            np.testing.assert_allclose(
                node(graph, scale * tx, features)[0].numpy(),
                dense.node_conv(scale * x, wanted, *weights[0]),
                atol=1e-11,
            )
            np.testing.assert_allclose(
                edge(graph, scale * tx, features)[0, :n].numpy(),
                dense.edge_conv(scale * x, wanted, *weights[1]),
                atol=1e-11,
            )


def test_ties_everywhere_take_the_first_pairs_and_never_fail():
    attention = torch.full((2, 2, NODES, NODES), 1 / NODES, dtype=torch.float64)
    attention[1, :, :7] *= 2  # 1372 equal largest values: more than the cap allows
    slots, _, count = select_edges(attention)
    assert count.tolist() == [784, 784]
    np.testing.assert_array_equal(slots[0, :784].numpy(), np.arange(784))
    assert (slots[0, 784:] == NODES * NODES).all()
    assert slots.shape[1] == 784 + EXTRA_EDGES
