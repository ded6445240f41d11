"""TCGN against the golden fixtures: state_dict, outputs, activations, edges."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from napari_tcgn.model.tcgn import TCGN
from support.golden import REFERENCE, golden_inputs
from support.golden_net import golden_net

SIZES = ["tiny", "xs", "small"]
TINY_AND_SLOW = ["tiny", *(pytest.param(size, marks=pytest.mark.slow) for size in SIZES[1:])]


def trace(net: TCGN, x: torch.Tensor) -> dict[str, np.ndarray]:
    """Run the net and collect what the fixtures name, through hooks."""
    found: dict[str, torch.Tensor] = {}
    handles = []

    def keep(module: torch.nn.Module, name: str, pick=lambda args, out: out) -> None:
        def hook(_m, args, out):
            found[name] = pick(args, out)

        handles.append(module.register_forward_hook(hook))

    keep(net.stem_norm3, "stem")
    for s in "abcd":
        keep(getattr(net, f"patch_embed_{s}"), f"embed_{s}")
        for i, block in enumerate(getattr(net, f"blocks_{s}")):
            keep(block, f"blocks_{s}.{i}")
    for k, block in enumerate((net.gnn_block0, net.gnn_block1)):
        g = f"gnn{k}."
        keep(block.MHSA, g + "conv_tokens", lambda a, o: a[0])
        keep(block.patch_embedding, g + "patch_tokens")
        keep(block.CMT_encoder1, g + "cmt_tokens")
        keep(block.MHSA.value_transform, g + "values")
        keep(block.MHSA, g + "attention", lambda a, o: o[1])
        keep(block.censnet, g + "edge_features", lambda a, o: a[2])
        keep(block.censnet, g + "graph", lambda a, o: a[0])
        keep(block.censnet.gc1, g + "gc1_nodes")
        keep(block.censnet.gc2, g + "gc2_edges")
        keep(block.censnet.gc3, g + "gc3_nodes")
        fusion = block.transformer_fusion_encoder
        keep(fusion, g + "edge_to_node", lambda a, o: a[1])
        keep(fusion.node_transformer, g + "node_transformer")
        keep(fusion.edge_transformer, g + "edge_transformer")
        keep(fusion.channel_attention_196, g + "fusion_channels")
        keep(block, g + "out")
    keep(net.gnn_block0.convnext1, "gnn0.convnext1")
    keep(net.channel_attention0, "channel_attention0")
    keep(net.channel_attention1, "channel_attention1")
    keep(net._fc, "fc")
    keep(net._bn, "bn")
    keep(net.head, "pooled", lambda a, o: a[0])
    keep(net.head[1], "head_hidden")
    with torch.inference_mode():
        found["output"] = net(x)
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize("size", SIZES)
def test_state_dict_equals_the_published_one_in_order_shape_and_type(size):
    rows = json.loads((REFERENCE / f"state_dict_{size}.json").read_text())
    found = [[k, list(v.shape), str(v.dtype).removeprefix("torch.")] for k, v in TCGN(785, size).state_dict().items()]
    assert found == rows


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("size", TINY_AND_SLOW)
def test_outputs_activations_and_edges(size, dtype):
    fixture = np.load(REFERENCE / f"golden_{size}.npz")
    x = torch.as_tensor(golden_inputs(4, size)).to(dtype)
    found = trace(golden_net(size, dtype), x)
    exact = dtype == torch.float64
    difference = np.abs(found["output"].double().numpy() - fixture["output"]).max()
    print(f"{size} {dtype}: output max |difference| {difference:.2e}")
    assert difference <= (1e-10 if exact else 5e-5)
    for k in (0, 1):
        graph = found.pop(f"gnn{k}.graph")
        edges = torch.stack([graph.src, graph.dst], 2)[:, :784]
        assert graph.valid[:, :784].all()
        assert not graph.valid[:, 784:].any()
        np.testing.assert_array_equal(edges.numpy(), fixture[f"gnn{k}.edges"])
        features = found[f"gnn{k}.edge_features"][:, :784].double().numpy()
        np.testing.assert_allclose(features, fixture[f"gnn{k}.edge_features"], atol=1e-10 if exact else 3e-5)
        for name in (f"gnn{k}.edge_features", f"gnn{k}.gc2_edges"):
            found[name] = found[name][:, :784]
    names = [str(n) for n in fixture["act_names"]]
    missing = [n for n in names if n not in found]
    assert not missing
    for name in names:
        value = found[name].double().numpy().reshape(4, *fixture[f"act.{name}.shape"])
        flat = value.reshape(4, -1)
        size_ = flat.shape[1]
        std = fixture[f"act.{name}.std"].reshape(4, 1)
        spread = [i * size_ // 64 for i in range(64)]
        for got, key in ((flat[:, :64], "first64"), (flat[:, spread], "spread64")):
            want = fixture[f"act.{name}.{key}"].reshape(4, -1)
            if want.shape[1] < got.shape[1]:
                got = got[:, : want.shape[1]]
            bound = 1e-9 * std if exact else 1e-4 * std + 2e-5 * np.abs(want)
            assert (np.abs(got - want) <= bound).all(), (name, key, np.abs(got - want).max())
        np.testing.assert_allclose(flat.mean(1), fixture[f"act.{name}.mean"], atol=1e-4 * std.max())
        np.testing.assert_allclose(flat.std(1), fixture[f"act.{name}.std"], rtol=1e-4)
