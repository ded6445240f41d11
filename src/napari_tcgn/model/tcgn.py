"""TCGN: Transformer with Convolution and Graph-Node co-embedding.

Xiao et al., "Transformer with Convolution and Graph-Node co-embedding: An accurate and interpretable vision
backbone for predicting gene expressions from local histopathological image", Medical Image Analysis 2024,
doi 10.1016/j.media.2023.103040. Written from a description of the architecture; the state_dict equals that of
the published checkpoints key for key.

A CMT trunk reads a 224 x 224 patch in four stages (56, 28, 14, 7 px maps). After stages a and b a GNN block
draws a graph over 14 x 14 tokens and embeds its nodes and edges; the result joins stage c as 48 further channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from napari_tcgn.errors import ModelError
from napari_tcgn.model.graph import CensNet, Graph, build_graph, edge_features, edges_to_nodes
from napari_tcgn.model.layers import (
    CMTBlock,
    ConvNeXtStage,
    PatchEmbedding,
    TransformerEncoderBlock,
    to_map,
    to_tokens,
)

SizeName = Literal["tiny", "xs", "small"]

INPUT_PX = 224
GRID = 14  # nodes of the graph: 14 x 14
NODES = GRID * GRID
GRAPH_CHANNELS = 48
EDGE_CHANNELS = 12


@dataclass(frozen=True, slots=True)
class TCGNConfig:
    """What distinguishes the named sizes: stem width, and per stage width, depth and MLP ratio."""

    stem: int
    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    mlp_ratio: float
    heads: tuple[int, int, int, int] = (1, 2, 4, 8)
    reductions: tuple[int, int, int, int] = (8, 4, 2, 1)
    fc_dim: int = 1280
    dropout: float = 0.1


CONFIGS: dict[str, TCGNConfig] = {
    "tiny": TCGNConfig(16, (46, 92, 184, 368), (2, 2, 10, 2), 3.6),
    "xs": TCGNConfig(16, (52, 104, 208, 416), (3, 3, 12, 3), 3.77),
    "small": TCGNConfig(32, (64, 128, 256, 512), (3, 3, 16, 3), 4.0),
}


class NodeAttention(nn.Module):
    """Attention between the tokens of two paths, and node values (called MHSA in the paper)."""

    def __init__(self, width: int, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.k = nn.Linear(width, width)
        self.q = nn.Linear(width, width)
        self.value_transform = nn.Linear(width, width)

    def forward(self, conv_tokens: Tensor, cmt_tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return node values [B, N, D] and attention [B, heads, N, N] from two [B, N, D].

        The attention decides which edges exist, so it is never rounded below float32; the identity favours
        self-loops. The CMT tokens act through the graph only.
        """
        values = self.value_transform(conv_tokens)
        q, k = self.q(cmt_tokens), self.k(conv_tokens)
        width = q.shape[2]
        q, k = (t.float() if t.dtype in (torch.bfloat16, torch.float16) else t for t in (q, k))
        q, k = (t.unflatten(2, (self.heads, -1)).transpose(1, 2) for t in (q, k))  # [B, heads, N, D/heads]
        with torch.autocast(q.device.type, enabled=False):
            scores = q @ k.transpose(2, 3) * width**-0.5
            identity = torch.eye(scores.shape[2], dtype=scores.dtype, device=scores.device)
            return values, (scores + identity).softmax(3)


class TransformerFusion(nn.Module):
    """Fuse node features and the edge features gathered at the nodes to 48 channels per node."""

    def __init__(self) -> None:
        super().__init__()
        width = GRAPH_CHANNELS + EDGE_CHANNELS
        self.edge_transformer = TransformerEncoderBlock(EDGE_CHANNELS, heads=2)
        self.node_transformer = CMTBlock(GRAPH_CHANNELS, heads=2, hidden=4 * GRAPH_CHANNELS)
        self.channel_attention_196 = TransformerEncoderBlock(NODES, heads=4)
        self.linear_fusion = nn.Linear(width, GRAPH_CHANNELS)

    def forward(self, nodes: Tensor, edges_at_nodes: Tensor, relative_pos: Tensor) -> Tensor:
        """Fuse [B, N, 48] and [B, N, 12] to [B, N, 48]."""
        nodes = self.node_transformer(nodes, relative_pos)
        edges = self.edge_transformer(edges_at_nodes)
        channels = torch.cat([nodes, edges], 2).transpose(1, 2)  # [B, 60, N]: channels are the tokens
        return self.linear_fusion(self.channel_attention_196(channels).transpose(1, 2))


class GNNBlock(nn.Module):
    """Draw a graph over 14 x 14 tokens of a map and embed its nodes and edges.

    Parameters
    ----------
    channels : int
        Channels C of the map.
    map_side : int
        56 or 28.
    """

    proximity: Tensor

    def __init__(self, channels: int, map_side: int) -> None:
        super().__init__()
        width = 2 * channels
        self.relative_pos = nn.Parameter(torch.randn(2, NODES, NODES))
        self.patch_embedding = PatchEmbedding(channels, width, map_side // GRID)
        self.CMT_encoder1 = CMTBlock(width, heads=2, hidden=4 * width)
        if map_side == 4 * GRID:
            self.convnext1 = ConvNeXtStage(channels, channels, depth=2)
            self.convnext2: nn.Module | None = ConvNeXtStage(channels, width, depth=1)
        else:
            self.convnext1 = ConvNeXtStage(channels, width, depth=2)
            self.convnext2 = None
        self.MHSA = NodeAttention(width)
        self.censnet = CensNet(width)
        self.transformer_fusion_encoder = TransformerFusion()
        # A constant, kept out of the state_dict: 1 / (1 + distance on the token grid / 3).
        place = torch.stack(torch.meshgrid(torch.arange(GRID), torch.arange(GRID), indexing="ij"), 2).view(-1, 2)
        distance = torch.cdist(place.double(), place.double())
        self.register_buffer("proximity", (1 / (1 + distance / 3)).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Embed the graph of map x [B, C, H, W] as [B, N, 48]."""
        conv = self.convnext1(x)
        conv_tokens = to_tokens(conv if self.convnext2 is None else self.convnext2(conv))  # [B, N, D]
        cmt_tokens = self.CMT_encoder1(self.patch_embedding(x), self.relative_pos)  # [B, N, D]
        values, attention = self.MHSA(conv_tokens, cmt_tokens)
        with torch.autocast(x.device.type, enabled=False):
            values = values.to(attention.dtype)
            graph = build_graph(attention)
            edges = edge_features(graph, values, attention, self.proximity)  # [B, E, 6]
            nodes, edges = self.censnet(graph, values, edges)  # [B, N, 48], [B, E, 12]
            edges_at_nodes = edges_to_nodes(graph, edges) / graph.edges_per_node[:, None, None]
        return self.transformer_fusion_encoder(nodes.to(x.dtype), edges_at_nodes.to(x.dtype), self.relative_pos)


class ChannelAttention(nn.Module):
    """Let the channels of a 14 x 14 map and of the graph attend to each other; keep the map's."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = TransformerEncoderBlock(NODES, heads=4, add_identity=True)

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        """Mix x [B, N, C] with graph channels [B, N, 48]: [B, N, C]."""
        channels = torch.cat([x, graph], 2).transpose(1, 2)  # [B, C + 48, N]
        return self.transformer(channels)[:, : x.shape[2]].transpose(1, 2)


class TCGN(nn.Module):
    """Predict the expression of genes from normalised patches.

    Parameters
    ----------
    num_classes : int
        Number of genes.
    size : {"tiny", "xs", "small"}
    directions : int
        The head returns so many numbers, and a last layer makes the genes of them: few weights and products for many
        genes. 0: one output per gene, as published.

    Raises
    ------
    ModelError
        If the size is unknown or the number of genes is not positive.
    """

    def __init__(self, num_classes: int = 785, size: SizeName = "tiny", directions: int = 0) -> None:
        super().__init__()
        if size not in CONFIGS:
            raise ModelError(f"TCGN has no size {size!r}.", f"Choose one of {sorted(CONFIGS)}.")
        if num_classes < 1:
            raise ModelError(f"TCGN needs at least one gene, found {num_classes}.", "Give a gene panel.")
        self.size = size
        config = CONFIGS[size]
        a, b, c, d = config.widths
        map_sides = (56, 28, 14, 7)
        for name, heads, side, reduction in zip("abcd", config.heads, map_sides, config.reductions, strict=True):
            table = torch.randn(heads, side * side, (side // reduction) ** 2)
            self.register_parameter(f"relative_pos_{name}", nn.Parameter(table))

        self.stem_conv1 = nn.Conv2d(3, config.stem, 3, stride=2, padding=1)
        self.stem_norm1 = nn.BatchNorm2d(config.stem)
        self.stem_conv2 = nn.Conv2d(config.stem, config.stem, 3, padding=1)
        self.stem_norm2 = nn.BatchNorm2d(config.stem)
        self.stem_conv3 = nn.Conv2d(config.stem, config.stem, 3, padding=1)
        self.stem_norm3 = nn.BatchNorm2d(config.stem)
        self.gelu = nn.GELU()
        self.patch_embed_a = PatchEmbedding(config.stem, a, 2)
        self.patch_embed_b = PatchEmbedding(a, b, 2)
        self.patch_embed_c = PatchEmbedding(b, c, 2)
        self.patch_embed_d = PatchEmbedding(c, d, 2)
        stages = zip("abcd", config.widths, config.depths, config.heads, config.reductions, strict=True)
        for name, width, depth, heads, reduction in stages:
            hidden = int(width * config.mlp_ratio)
            blocks = (CMTBlock(width, heads, hidden, reduction, qkv_bias=True, eps=1e-6) for _ in range(depth))
            self.add_module(f"blocks_{name}", nn.ModuleList(blocks))
        self.gnn_block0 = GNNBlock(a, 56)
        self.channel_attention0 = ChannelAttention()
        self.gnn_block1 = GNNBlock(b, 28)
        self.channel_attention1 = ChannelAttention()

        self._fc = nn.Conv2d(d, config.fc_dim, 1)
        self._bn = nn.BatchNorm2d(config.fc_dim)
        self.drop = nn.Dropout(config.dropout)
        self.head = nn.Sequential(
            nn.Linear(config.fc_dim, 4 * config.fc_dim),
            nn.GELU(),
            nn.Linear(4 * config.fc_dim, directions or num_classes),
        )
        self.from_directions = nn.Linear(directions, num_classes) if directions else nn.Identity()
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Predict expression [B, genes] from normalised patches [B, 3, 224, 224]."""
        if x.shape[1:] != (3, INPUT_PX, INPUT_PX):
            raise ModelError(
                f"TCGN takes patches of shape [B, 3, {INPUT_PX}, {INPUT_PX}], found {list(x.shape)}.",
                "Resize them with prepare_patches.",
            )
        return self.predict_from_features(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the last tokens [B, 49, e_d] of patches [B, 3, 224, 224]."""
        x = self.forward_stem(x)  # [B, stem, 112, 112]
        x = self._stage("a", self.patch_embed_a(x))  # [B, 3136, e_a]
        graph0 = self.gnn_block0(to_map(x))  # [B, 196, 48]
        x = self._stage("b", self.patch_embed_b(to_map(x)))  # [B, 784, e_b]
        graph1 = self.gnn_block1(to_map(x))  # [B, 196, 48]
        x = self.channel_attention0(self.patch_embed_c(to_map(x)), graph0)  # [B, 196, e_c]
        x = self.channel_attention1(self._stage("c", x), graph1)  # [B, 196, e_c]
        return self._stage("d", self.patch_embed_d(to_map(x)))  # [B, 49, e_d]

    def forward_stem(self, x: Tensor) -> Tensor:
        """Reduce patches [B, 3, 224, 224] to [B, stem, 112, 112]."""
        x = self.stem_norm1(self.gelu(self.stem_conv1(x)))
        x = self.stem_norm2(self.gelu(self.stem_conv2(x)))
        return self.stem_norm3(self.gelu(self.stem_conv3(x)))

    def predict_from_features(self, tokens: Tensor) -> Tensor:
        """Turn the last tokens [B, 49, e_d] into expression [B, genes]."""
        return self.predict_from_map(self.last_map(tokens))

    def last_map(self, tokens: Tensor) -> Tensor:
        """Turn the last tokens [B, 49, e_d] into the map that is pooled [B, 1280, 7, 7]."""
        return nn.functional.silu(self._bn(self._fc(to_map(tokens))))

    def predict_from_map(self, last: Tensor) -> Tensor:
        """Pool the last map [B, 1280, 7, 7] and turn it into expression [B, genes]."""
        return self.from_directions(self.head(self.drop(last.mean((2, 3)))))

    def _stage(self, name: str, x: Tensor) -> Tensor:
        relative_pos = getattr(self, f"relative_pos_{name}")
        for block in getattr(self, f"blocks_{name}"):
            x = block(x, relative_pos)
        return x


def whole_head(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a network with directions as those of one with an output per gene.

    The product of the two layers [genes, k] and [k, 5120]; weights without directions are returned as they are.
    """
    if "from_directions.weight" not in state:
        return state
    rest = {name: value for name, value in state.items() if not name.startswith("from_directions.")}
    genes, level = (state[f"from_directions.{name}"].float() for name in ("weight", "bias"))
    rest["head.2.weight"] = genes @ state["head.2.weight"].float()
    rest["head.2.bias"] = genes @ state["head.2.bias"].float() + level
    return rest


def _initialise(module: nn.Module) -> None:
    """Initialise as published: truncated normal linear layers, fan-out normal convolutions."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        fan_out = module.out_channels * module.kernel_size[0] * module.kernel_size[1]
        nn.init.normal_(module.weight, std=(2 / fan_out) ** 0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


__all__ = ["CONFIGS", "TCGN", "GNNBlock", "Graph", "TCGNConfig", "whole_head"]
