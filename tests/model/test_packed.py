"""Sorted weights compute the plain layer's result, only where they can, and their absence changes nothing else."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from napari_tcgn.model import packed
from napari_tcgn.model.inference import for_inference
from napari_tcgn.model.packed import InPlaceGelu, PackedLinear, can_pack, pack_products
from support.golden import golden_inputs
from support.golden_net import golden_net

needs_packing = pytest.mark.skipif(not can_pack(torch.float32), reason="this PyTorch has no packed linear layer")


@needs_packing
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(46, 165), (662, 184), (196, 784)])
def test_same_as_the_plain_layer(shape: tuple[int, int], bias: bool) -> None:
    linear = nn.Linear(*shape, bias=bias)
    x = torch.randn(3, 50, shape[0]).transpose(0, 1)  # not contiguous
    with torch.inference_mode():
        torch.testing.assert_close(PackedLinear(linear)(x), linear(x), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(PackedLinear(linear, gelu=True)(x), F.gelu(linear(x)), rtol=1e-5, atol=1e-5)


@needs_packing
def test_only_gelu_right_behind_a_layer_is_taken_into_it() -> None:
    net = nn.Sequential(nn.Linear(40, 48), InPlaceGelu(), nn.Linear(48, 40), nn.ReLU(), nn.GELU(), nn.Linear(40, 4))
    x = torch.randn(5, 40)
    with torch.inference_mode():
        expected = net(x)
        pack_products(net)
        torch.testing.assert_close(net(x), expected, rtol=1e-5, atol=1e-5)
    assert [type(step).__name__ for step in net] == [
        "PackedLinear", "Identity", "PackedLinear", "ReLU", "GELU", "Linear",
    ]  # fmt: skip


def test_gelu_in_place() -> None:
    x = torch.randn(7, 5)
    expected = F.gelu(x)
    assert InPlaceGelu()(x).data_ptr() == x.data_ptr()
    torch.testing.assert_close(x, expected)


def test_double_precision_is_left_alone() -> None:
    assert not can_pack(torch.float64)
    net = nn.Sequential(nn.Linear(64, 64).double())
    pack_products(net)
    assert type(net[0]) is nn.Linear


def test_without_the_operators_the_network_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = golden_net("tiny", torch.float32), torch.as_tensor(golden_inputs(2))
    with torch.inference_mode():
        usual = for_inference(net)(x)
        monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", _absent)
        can_pack.cache_clear()
        try:
            plain = for_inference(net)
        finally:
            can_pack.cache_clear()
        assert not any(isinstance(module, PackedLinear) for module in plain.modules())
        torch.testing.assert_close(plain(x), usual, rtol=0, atol=2e-5)


def test_an_operator_that_computes_something_else_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed.PackedLinear, "forward", lambda self, x: x.new_zeros(*x.shape[:-1], self.out_features))
    can_pack.cache_clear()
    try:
        assert not can_pack(torch.float32)
    finally:
        can_pack.cache_clear()


def _absent(*_: object) -> None:
    raise NotImplementedError("Could not run 'mkldnn::_linear_pointwise'")
