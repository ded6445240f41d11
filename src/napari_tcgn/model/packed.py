"""Linear layers whose weights lie as the CPU's matrix products want them, with the GELU inside the product.

PyTorch's plain linear layer sorts its weight anew in every call and GELU is a further pass over memory. oneDNN, which
PyTorch brings along, does both better; its operators are those that torch.compile itself calls. They are not part of
PyTorch's public interface, so they are tried before they are used, and without them everything stays as it was.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Below this width a product is too small for the sorted weight to matter (the edge features of the graph).
MIN_WIDTH = 32


class InPlaceGelu(nn.Module):
    """GELU written over its input: no second map of the size of the first."""

    def forward(self, x: Tensor) -> Tensor:
        """Transform x of any shape, which is overwritten."""
        y: Tensor = torch.ops.aten.gelu_(x)
        return y


class PackedLinear(nn.Module):
    """`nn.Linear`, optionally followed by GELU, with its weight sorted once."""

    def __init__(self, linear: nn.Linear, gelu: bool = False) -> None:
        super().__init__()
        self.activation = "gelu" if gelu else "none"
        self.in_features, self.out_features = linear.in_features, linear.out_features
        # Plain attributes: a sorted weight can neither be trained, moved nor saved.
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach().contiguous(), None)
        self._bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, x: Tensor) -> Tensor:
        """Transform x [..., in] to [..., out]."""
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, self.activation, [], "none")
        return y


@functools.cache
def can_pack(dtype: torch.dtype) -> bool:
    """Whether this PyTorch and this CPU have the operators, and they compute what they should."""
    if dtype not in (torch.float32, torch.bfloat16):
        return False
    with torch.random.fork_rng(devices=[]):  # a look at the operators must not shift anybody's random numbers
        linear = nn.Linear(64, 96).to(dtype)
    x = torch.linspace(-1, 1, 2 * 8 * 64).view(2, 8, 64).to(dtype)
    try:
        with torch.inference_mode():
            found, expected = PackedLinear(linear, gelu=True)(x), F.gelu(linear(x))
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return False
    return found.dtype == dtype and torch.allclose(found, expected, atol=1e-5 if dtype == torch.float32 else 5e-2)


def pack_products(net: nn.Module) -> None:
    """Replace the linear layers of a network on the CPU, and the GELU behind them, where that is possible."""
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear) and _is_packable(child):
                setattr(module, name, PackedLinear(child, gelu=_next_is_gelu(module, name)))


def _is_packable(linear: nn.Linear) -> bool:
    weight = linear.weight
    return weight.device.type == "cpu" and min(weight.shape) >= MIN_WIDTH and can_pack(weight.dtype)


def _next_is_gelu(parent: nn.Module, name: str) -> bool:
    """Whether a step of a sequence is followed by GELU; that step is then done with the product and taken out."""
    if not isinstance(parent, nn.Sequential):
        return False
    following = parent[int(name) + 1] if int(name) + 1 < len(parent) else None
    if not isinstance(following, nn.GELU | InPlaceGelu):
        return False
    parent[int(name) + 1] = nn.Identity()
    return True
