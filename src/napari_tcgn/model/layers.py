"""Building blocks of TCGN: patch embedding, CMT block, transformer encoder, ConvNeXt stage.

Submodule names follow the published checkpoints, so that their state_dict loads key for key.
Sources: Xiao et al., Medical Image Analysis 2024 (TCGN); Guo et al., CVPR 2022 (CMT);
Liu et al., CVPR 2022 (ConvNeXt).

Shapes: B images, N tokens in row-major order of an H x W map, C channels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def to_map(tokens: Tensor) -> Tensor:
    """View square tokens [B, N, C] as a map [B, C, H, W] (channels-last in memory, no copy)."""
    side = math.isqrt(int(tokens.shape[1]))
    return tokens.unflatten(1, (side, side)).permute(0, 3, 1, 2)


def to_tokens(x: Tensor) -> Tensor:
    """Turn a map [B, C, H, W] into tokens [B, N, C]."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


class PatchEmbedding(nn.Module):
    """Non-overlapping patches of a map, projected and normalised: [B, in, H, W] -> [B, N, out]."""

    def __init__(self, in_channels: int, out_channels: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, out_channels, patch, stride=patch)
        self.norm = nn.LayerNorm(out_channels, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        """Embed [B, in, H, W] as [B, H*W/patch**2, out]."""
        return self.norm(to_tokens(self.proj(x)))


class CMTAttention(nn.Module):
    """Multi-head attention with keys and values on a coarser map and a relative position bias."""

    def __init__(self, channels: int, heads: int, reduction: int, qkv_bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(channels, channels, bias=qkv_bias)
        self.k = nn.Linear(channels, channels, bias=qkv_bias)
        self.v = nn.Linear(channels, channels, bias=qkv_bias)
        self.proj = nn.Linear(channels, channels)
        self.sr: nn.Sequential | None = None
        if reduction > 1:
            reduce = nn.Conv2d(channels, channels, reduction, stride=reduction, groups=channels)
            self.sr = nn.Sequential(reduce, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor, relative_pos: Tensor) -> Tensor:
        """Attend within x [B, N, C] with a bias [heads, N, M], M = N / reduction**2."""
        reduced = x if self.sr is None else to_tokens(self.sr(to_map(x)))  # [B, M, C]

        def heads(tokens: Tensor) -> Tensor:  # [B, n, C] -> [B, heads, n, C/heads]
            return tokens.unflatten(2, (self.heads, -1)).transpose(1, 2)

        q, k, v = heads(self.q(x)), heads(self.k(reduced)), heads(self.v(reduced))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=relative_pos.unsqueeze(0).to(q.dtype))
        return self.proj(mixed.transpose(1, 2).flatten(2))


class CMTFeedForward(nn.Module):
    """Inverted residual feed-forward: 1x1, depthwise 3x3 with a shortcut, 1x1, each with BatchNorm."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.GELU(), nn.BatchNorm2d(hidden))
        self.proj = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.proj_bn = nn.BatchNorm2d(hidden)
        self.conv2 = nn.Sequential(nn.Conv2d(hidden, channels, 1), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Transform tokens [B, N, C]."""
        y = self.conv1(to_map(x))  # [B, hidden, H, W]
        y = self.proj_bn(F.gelu(self.proj(y) + y))
        return to_tokens(self.conv2(y))


class CMTBlock(nn.Module):
    """Local perception unit, attention and inverted residual feed-forward (CMT, section 3)."""

    def __init__(
        self, channels: int, heads: int, hidden: int, reduction: int = 1, qkv_bias: bool = False, eps: float = 1e-5
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=eps)
        self.attn = CMTAttention(channels, heads, reduction, qkv_bias)
        self.norm2 = nn.LayerNorm(channels, eps=eps)
        self.mlp = CMTFeedForward(channels, hidden)
        self.proj = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, x: Tensor, relative_pos: Tensor) -> Tensor:
        """Transform tokens [B, N, C] with a relative position table [heads, N, M]."""
        x = x + to_tokens(self.proj(to_map(x)))
        x = x + self.attn(self.norm1(x), relative_pos)
        return x + self.mlp(self.norm2(x))


class InterleavedAttention(nn.Module):
    """Multi-head attention with one interleaved qkv projection and no output projection.

    As published: output channels of `qkv` are laid out head, feature, then q/k/v innermost; scores are
    divided by the root of the FULL width; the optional identity is added before that division.
    """

    def __init__(self, width: int, heads: int, add_identity: bool, dropout: float) -> None:
        super().__init__()
        self.width, self.heads, self.add_identity, self.dropout = width, heads, add_identity, dropout
        self.qkv = nn.Linear(width, 3 * width)

    def forward(self, x: Tensor) -> Tensor:
        """Attend within x [B, N, E]."""
        qkv = self.qkv(x).unflatten(2, (self.heads, -1, 3))  # [B, N, heads, E/heads, 3]
        q, k, v = qkv.permute(4, 0, 2, 1, 3)  # each [B, heads, N, E/heads]
        scale = self.width**-0.5
        bias = torch.eye(x.shape[1], dtype=q.dtype, device=x.device) * scale if self.add_identity else None
        p = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=p, scale=scale)
        return mixed.transpose(1, 2).flatten(2)


class TransformerEncoderBlock(nn.Module):
    """Pre-norm transformer encoder: [B, N, E] -> [B, N, E]."""

    def __init__(self, width: int, heads: int, add_identity: bool = False, dropout: float = 0.1) -> None:
        super().__init__()
        self.layernorm1 = nn.LayerNorm(width, eps=1e-5)
        self.Attention = InterleavedAttention(width, heads, add_identity, dropout)
        self.layernorm2 = nn.LayerNorm(width, eps=1e-5)
        self.FFN = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Transform x [B, N, E]."""
        x = x + self.drop(self.Attention(self.layernorm1(x)))
        return x + self.drop(self.FFN(self.layernorm2(x)))


class LayerScale(nn.Module):
    """One learned factor per channel of a map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels,), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        """Scale x [B, C, H, W]."""
        return x * self.gamma[:, None, None]


class ConvNeXtBlock(nn.Module):
    """Depthwise 7x7, GroupNorm and a pointwise bottleneck with layer scale."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels, 7, padding=3, groups=channels, bias=False),
            nn.GroupNorm(1, channels),
            nn.Conv2d(channels, 4 * channels, 1),
            nn.GELU(),
            nn.Conv2d(4 * channels, channels, 1),
        )
        self.layer_scaler = LayerScale(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Transform x [B, C, H, W]."""
        return x + self.layer_scaler(self.block(x))


class ConvNeXtStage(nn.Sequential):
    """Halve the map, then `depth` ConvNeXt blocks: [B, in, H, W] -> [B, out, H/2, W/2]."""

    def __init__(self, in_channels: int, out_channels: int, depth: int) -> None:
        super().__init__(
            nn.Sequential(nn.GroupNorm(1, in_channels), nn.Conv2d(in_channels, out_channels, 2, stride=2)),
            *(ConvNeXtBlock(out_channels) for _ in range(depth)),
        )
