"""A TCGN made ready for prediction: the same function of the pixels in fewer passes over memory.

In eval mode a BatchNorm is a scale and a shift per channel, which its neighbouring convolution can do. Where zero
padding lies between the two, the shift turns into a constant map (it does not reach into the padding). Shortcuts
around depthwise convolutions become the middle of the kernel, layer scales and pointwise convolutions become matrix
products. All of it is exact algebra: only rounding differs. On a CPU the products then run on sorted weights
(`model/packed.py`).
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_tcgn.model.layers import CMTBlock, CMTFeedForward, ConvNeXtBlock, InterleavedAttention, to_map, to_tokens
from napari_tcgn.model.packed import InPlaceGelu, pack_products
from napari_tcgn.model.tcgn import GRID, TCGN

STAGE_SIDES = {"a": 56, "b": 28, "c": 14, "d": 7}
STEM_SIDE = 112


@torch.no_grad()
def for_inference(net: TCGN, products: torch.dtype | None = None) -> TCGN:
    """Return a copy of a network that predicts the same, faster, and cannot be trained.

    Parameters
    ----------
    net : TCGN
        Is left as it is.
    products : torch.dtype, optional
        Precision of the large products (attention, feed-forward, ConvNeXt); by default as `net`. The attention that
        draws the graph and the graph convolutions keep the network's own: a rounded attention draws other edges.

    Returns
    -------
    TCGN
        In eval mode. Its state_dict is its own, not that of the published checkpoints.
    """
    net = copy.deepcopy(net).eval().requires_grad_(False)
    _fold_stem(net)
    for name, side in STAGE_SIDES.items():
        blocks: nn.ModuleList = getattr(net, f"blocks_{name}")
        for i, block in enumerate(blocks):
            assert isinstance(block, CMTBlock)
            blocks[i] = FoldedCMTBlock(block, side)
    for gnn in (net.gnn_block0, net.gnn_block1):
        gnn.CMT_encoder1 = FoldedCMTBlock(gnn.CMT_encoder1, GRID)  # type: ignore[assignment]
        fusion = gnn.transformer_fusion_encoder
        fusion.node_transformer = FoldedCMTBlock(fusion.node_transformer, GRID)  # type: ignore[assignment]
    for module in list(net.modules()):
        if isinstance(module, ConvNeXtBlock):
            _fold_layer_scale(module)
        for name, child in module.named_children():
            if isinstance(child, InterleavedAttention):
                setattr(module, name, PlainAttention(child))
            elif isinstance(child, nn.GELU):
                setattr(module, name, InPlaceGelu())
    net._fc = _norm_after(net._fc, net._bn)
    net._bn = nn.Identity()  # type: ignore[assignment]
    if products is not None:
        _round_products(net, products)
    pack_products(net)
    return net


def _round_products(net: TCGN, dtype: torch.dtype) -> None:
    """Compute the large products in a shorter precision; what is added up between them stays as it is.

    Measured on a real section, shortening the sums, the first convolutions or the last layers as well moves a gene's
    correlation several times further than all of these products together (docs/speed.md).
    """
    for block in [module for module in net.modules() if isinstance(module, FoldedCMTBlock)]:
        block.attn, block.mlp = Rounded(block.attn, dtype), Rounded(block.mlp, dtype)
    for gnn in (net.gnn_block0, net.gnn_block1):
        gnn.convnext1 = Rounded(gnn.convnext1, dtype)  # type: ignore[assignment]
    for embed in (net.patch_embed_b, net.patch_embed_c, net.patch_embed_d):
        embed.proj = Rounded(embed.proj, dtype)  # type: ignore[assignment]
    for attention in (net.channel_attention0, net.channel_attention1):
        attention.transformer = Rounded(attention.transformer, dtype)  # type: ignore[assignment]


class Rounded(nn.Module):
    """A module that computes in another precision than its neighbours."""

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.module, self.dtype = module.to(dtype), dtype

    def forward(self, x: Tensor, *others: Tensor) -> Tensor:
        """Transform x as the module does, in and out in the precision of x."""
        y: Tensor = self.module(x.to(self.dtype), *others)
        return y.to(x.dtype)


class FoldedCMTBlock(nn.Module):
    """`CMTBlock` without BatchNorm and with its first shortcut inside the kernel."""

    def __init__(self, block: CMTBlock, side: int) -> None:
        super().__init__()
        self.proj = _with_shortcut(block.proj)
        self.norm1, self.norm2 = block.norm1, block.norm2
        if block.attn.sr is not None:
            block.attn.sr = nn.Sequential(_norm_after(*_ends(block.attn.sr)))
        self.attn: nn.Module = block.attn
        self.mlp: nn.Module = FoldedFeedForward(block.mlp, side)

    def forward(self, x: Tensor, relative_pos: Tensor) -> Tensor:
        """Transform tokens [B, N, C] with a relative position table [heads, N, M]."""
        x = to_tokens(self.proj(to_map(x)))
        x = x + self.attn(self.norm1(x), relative_pos)
        return x + self.mlp(self.norm2(x))


class FoldedFeedForward(nn.Module):
    """`CMTFeedForward` as matrix product, depthwise convolution with a constant map, matrix product."""

    def __init__(self, mlp: CMTFeedForward, side: int) -> None:
        super().__init__()
        expand, norm = _ends(mlp.conv1)
        self.conv1 = nn.Sequential(_as_linear(expand), InPlaceGelu())
        self.proj = OffsetConv(_with_shortcut(mlp.proj), norm, side)
        self.gelu = InPlaceGelu()
        self.conv2 = _as_linear(_norm_after(*_ends(mlp.conv2)))
        scale, shift = _affine(mlp.proj_bn)
        self.conv2.bias.add_(self.conv2.weight @ shift)
        self.conv2.weight.mul_(scale)

    def forward(self, x: Tensor) -> Tensor:
        """Transform tokens [B, N, C]."""
        hidden = self.conv1(x)  # [B, N, hidden]
        return self.conv2(to_tokens(self.gelu(self.proj(to_map(hidden)))))


class OffsetConv(nn.Module):
    """A BatchNorm and the zero-padded convolution behind it: a convolution and a constant map [1, out, H, W]."""

    offset: Tensor

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, side: int) -> None:
        super().__init__()
        scale, shift = _affine(norm)
        constant = shift.view(1, -1, 1, 1).expand(1, -1, side, side)
        self.register_buffer("offset", conv(constant).contiguous(memory_format=torch.channels_last))
        self.conv = copy.deepcopy(conv)
        self.conv.bias = None
        # Input channels: the second axis of a full convolution, the first of a depthwise one.
        self.conv.weight.mul_(scale.view(1, -1, 1, 1) if conv.groups == 1 else scale.view(-1, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve [B, in, H, W]."""
        y: Tensor = self.conv(x)
        return y.add_(self.offset.to(y.dtype))


class Pointwise(nn.Module):
    """Layers over the channels of a channels-last map, as matrix products over its last axis."""

    def __init__(self, *steps: nn.Module) -> None:
        super().__init__()
        self.steps = nn.Sequential(*steps)

    def forward(self, x: Tensor) -> Tensor:
        """Transform [B, in, H, W]."""
        y: Tensor = self.steps(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return y


class PlainAttention(nn.Module):
    """`InterleavedAttention` with its projection sorted into queries, keys and values."""

    def __init__(self, attention: InterleavedAttention) -> None:
        super().__init__()
        self.width, self.heads, self.add_identity = attention.width, attention.heads, attention.add_identity
        # Rows stand as head, feature, q/k/v; they are wanted as q/k/v, head, feature.
        order = torch.arange(3 * self.width).view(self.heads, -1, 3).permute(2, 0, 1).flatten()
        self.qkv = copy.deepcopy(attention.qkv)
        self.qkv.weight.copy_(attention.qkv.weight[order])
        self.qkv.bias.copy_(attention.qkv.bias[order])

    def forward(self, x: Tensor) -> Tensor:
        """Attend within x [B, N, E]."""
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # each [B, heads, N, E/heads]
        scale = self.width**-0.5
        bias = torch.eye(x.shape[1], dtype=q.dtype, device=x.device) * scale if self.add_identity else None
        mixed: Tensor = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)
        return mixed.transpose(1, 2).flatten(2)


def _ends(steps: nn.Sequential) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """Return the convolution that a sequence begins with and the BatchNorm that it ends with."""
    conv, norm = steps[0], steps[-1]
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    return conv, norm


def _affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return the scale and shift [C] that a BatchNorm is in eval mode."""
    assert norm.running_var is not None
    assert norm.running_mean is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return scale, norm.bias - norm.running_mean * scale


def _bias(conv: nn.Conv2d) -> Tensor:
    """Return the bias of a convolution; those that are folded have one."""
    assert conv.bias is not None
    return conv.bias


def _norm_after(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """Return the convolution that does a convolution and the BatchNorm behind it."""
    # Not torch's `fuse_conv_bn_eval`: it sums the bias in another order, which moves the last bit of predictions.
    scale, shift = _affine(norm)
    folded = copy.deepcopy(conv)
    folded.weight.mul_(scale.view(-1, 1, 1, 1))
    _bias(folded).mul_(scale).add_(shift)
    return folded


def _with_shortcut(conv: nn.Conv2d) -> nn.Conv2d:
    """Return the depthwise 3x3 convolution that does x + conv(x)."""
    folded = copy.deepcopy(conv)
    folded.weight[:, 0, 1, 1].add_(1)
    return folded


def _as_linear(conv: nn.Conv2d) -> nn.Linear:
    """Return a 1x1 convolution as the same product over the last axis."""
    linear = nn.Linear(conv.in_channels, conv.out_channels, dtype=conv.weight.dtype, device=conv.weight.device)
    linear.requires_grad_(False)
    linear.weight.copy_(conv.weight[:, :, 0, 0])
    linear.bias.copy_(_bias(conv))
    return linear


def _fold_layer_scale(block: ConvNeXtBlock) -> None:
    """Put the layer scale into the last product, and do both pointwise convolutions as products."""
    gamma = block.layer_scaler.gamma
    expand, last = block.block[2], block.block[4]
    assert isinstance(expand, nn.Conv2d)
    assert isinstance(last, nn.Conv2d)
    last.weight.mul_(gamma.view(-1, 1, 1, 1))
    _bias(last).mul_(gamma)
    products = Pointwise(_as_linear(expand), InPlaceGelu(), _as_linear(last))
    block.block = nn.Sequential(block.block[0], block.block[1], products)
    block.layer_scaler = nn.Identity()  # type: ignore[assignment]


def _fold_stem(net: TCGN) -> None:
    """Put the three BatchNorms of the stem into the convolutions behind them."""
    net.stem_conv2 = OffsetConv(net.stem_conv2, net.stem_norm1, STEM_SIDE)  # type: ignore[assignment]
    net.stem_conv3 = OffsetConv(net.stem_conv3, net.stem_norm2, STEM_SIDE)  # type: ignore[assignment]
    scale, shift = _affine(net.stem_norm3)
    embed = net.patch_embed_a.proj  # without padding: the shift is a bias
    _bias(embed).add_(embed.weight.sum((2, 3)) @ shift)
    embed.weight.mul_(scale.view(1, -1, 1, 1))
    net.stem_norm1 = net.stem_norm2 = net.stem_norm3 = nn.Identity()  # type: ignore[assignment]
