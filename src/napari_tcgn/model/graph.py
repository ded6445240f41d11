"""The graph TCGN draws over the tokens of a patch, and its convolutions, in exact O(edges) form.

For every image the strongest pairs of the mean attention become directed edges. Node convolutions weigh
neighbours by edge features; edge convolutions weigh adjacent edges by node features (CensNet, Jiang et al.,
IEEE TPAMI 2020; as used in Xiao et al. 2024). The published formulation multiplies edges x edges matrices;
here every product with the incidence matrix T is a gather or a scatter, and the column maximum of the edge
adjacency is found from two extreme values per node.

Shapes: B images, N nodes (tokens), E edge slots. Images have different numbers of edges: unused slots point to
the dummy node N and are not `valid`. Nothing depends on other images of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

EDGES_PER_NODE = 4
# Ties at the cut may add edges. The published code adds them without limit, which on a constant patch means all 38,416
# pairs; beyond this many the cut is made by position instead.
EXTRA_EDGES = 48


@dataclass(frozen=True, slots=True)
class Graph:
    """Edges of every image and the constants of the convolutions (no gradients).

    Attributes
    ----------
    src, dst : int64 [B, E]
        Nodes i and j of edge (i, j), in row-major order; N in unused slots.
    valid : bool [B, E]
    loop : bool [B, E]
        i = j.
    reverse : int64 [B, E]
        Slot of edge (j, i); 0 where it is absent.
    has_reverse : bool [B, E]
        Edge (j, i) is another selected edge.
    edges_per_node : float [B]
        k = number of edges / N.
    adjacency : float [B, E]
        out-degree normalised node adjacency on the edges, 0 in unused slots.
    edge_norm : float [B, E]
        r_e = (number of adjacent edges, itself included, + 1) ** -1/2.
    other_max, other_min : float [B, E, 2]
        Per endpoint, the extreme T_ne r_e over other edges e there (not the edge itself nor its reverse).
    has_other : bool [B, E, 2]
        Whether there is any such edge.
    nodes : int
        N.
    """

    src: Tensor
    dst: Tensor
    valid: Tensor
    loop: Tensor
    reverse: Tensor
    has_reverse: Tensor
    edges_per_node: Tensor
    adjacency: Tensor
    edge_norm: Tensor
    other_max: Tensor
    other_min: Tensor
    has_other: Tensor
    nodes: int


def select_edges(attention: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Choose the strongest node pairs of every image (paper: k nearest neighbours by mean attention).

    The cut is the smallest n >= 4 N whose n-th largest value is unique, so that no tie is split; if there is
    none up to 4 N + 48, exactly 4 N pairs are taken and ties are broken by position.

    Parameters
    ----------
    attention : float [B, heads, N, N]

    Returns
    -------
    slots : int64 [B, E]
        Flat pair index i * N + j in ascending order, N * N in unused slots; E = 4 N + 48.
    table : int64 [B, N * N]
        Slot of every pair, E where the pair is no edge.
    count : int64 [B]
        Number of edges.
    """
    batch, _, nodes, _ = attention.shape
    pairs = nodes * nodes
    least, most = EDGES_PER_NODE * nodes, EDGES_PER_NODE * nodes + EXTRA_EDGES
    mean = attention.detach().mean(1).flatten(1)  # [B, N*N]
    top, place = mean.topk(most + 1, dim=1)  # values descending, and their pairs
    above, at, below = top[:, least - 2 : most - 1], top[:, least - 1 : most], top[:, least : most + 1]
    unique = (above > at) & (at > below)  # is value number least, least + 1, … unique?
    # argmax gives the first True; without any it gives 0, which is the fallback n = least
    count = least + unique.int().argmax(1)  # [B]
    within = torch.arange(most, device=mean.device) < count[:, None]  # [B, E]
    slots = place[:, :most].masked_fill(~within, pairs).sort(1).values
    # Which of several equal values topk takes is open; where the cut goes through them it takes the first ones here.
    # The look at the values costs nothing on the CPU; elsewhere it would wait for the device.
    split = ~unique.any(1)  # [B]
    if mean.device.type != "cpu" or split.any():
        slots = torch.where(split[:, None], _first_of_equals(mean, at[:, :1], least, most), slots)
    numbers = torch.arange(most, device=mean.device).expand(batch, -1)
    table = slots.new_full((batch, pairs + 1), most).scatter_(1, slots, numbers.masked_fill(slots == pairs, most))
    return slots, table[:, :pairs], count


def _first_of_equals(mean: Tensor, cut: Tensor, least: int, most: int) -> Tensor:
    """Return the `least` largest pairs as slots [B, E], the first ones of those that equal the cut [B, 1].

    Parameters
    ----------
    mean : float [B, N * N]
    cut : float [B, 1]
        The value number `least` in descending order.
    """
    above = mean > cut
    tied = mean == cut
    chosen = above | (tied & (tied.cumsum(1) <= least - above.sum(1, keepdim=True)))
    rank = (chosen.cumsum(1) - 1).masked_fill(~chosen, most)  # [B, N*N] slot of every chosen pair
    flat = torch.arange(mean.shape[1], device=mean.device).expand(len(mean), -1)
    # Every pair that is not chosen is written to the surplus slot, which is cut off.
    return flat.new_full((len(mean), most + 1), mean.shape[1]).scatter_(1, rank, flat)[:, :most]


@torch.no_grad()
def build_graph(attention: Tensor) -> Graph:
    """Select edges from attention [B, heads, N, N] and derive the constants of the convolutions.

    Sources: selection and normalisations as in TCGN; nodes without an outgoing edge get the factor 0.
    """
    batch, _, nodes, _ = attention.shape
    dtype = attention.dtype
    slots, table, count = select_edges(attention)
    most = slots.shape[1]
    valid = slots < nodes * nodes
    src = torch.where(valid, slots // nodes, nodes)  # [B, E]
    dst = torch.where(valid, slots % nodes, nodes)
    loop = (src == dst) & valid

    mirrored = (dst * nodes + src).masked_fill(~valid, 0)
    reverse = table.gather(1, mirrored)
    has_reverse = (reverse < most) & valid & ~loop
    reverse = reverse.masked_fill(~has_reverse, 0)

    ones = valid.to(dtype)
    zeros = ones.new_zeros(batch, nodes + 1)
    out_degree = zeros.scatter_add(1, src, ones)  # [B, N+1]
    touching = out_degree.scatter_add(1, dst, (valid & ~loop).to(dtype))  # self-loops counted once
    factor = out_degree.rsqrt().masked_fill(out_degree == 0, 0)
    adjacency = factor.gather(1, src) * factor.gather(1, dst) * ones

    at_src, at_dst = touching.gather(1, src), touching.gather(1, dst)
    adjacent = torch.where(loop, at_src, at_src + at_dst - 1 - has_reverse.to(dtype))  # c_e, itself included
    # 1 in unused slots: an infinite value would make NaN gradients, even where a mask discards it
    edge_norm = torch.where(valid, adjacent + 1, 1).rsqrt()

    other_max, other_min, has_other = _extremes_at_endpoints(src, dst, valid, loop, has_reverse, edge_norm, nodes)
    return Graph(
        src, dst, valid, loop, reverse, has_reverse, count.to(dtype) / nodes,
        adjacency, edge_norm, other_max, other_min, has_other, nodes,
    )  # fmt: skip


def _extremes_at_endpoints(
    src: Tensor, dst: Tensor, valid: Tensor, loop: Tensor, has_reverse: Tensor, edge_norm: Tensor, nodes: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the largest and smallest T_ne r_e of other edges at both endpoints of every edge.

    An edge and its reverse have the same r and the same endpoints, so they count as one: leaving out an edge with its
    reverse leaves out one entry. The extreme over the other entries of a node is its extreme, or the second one where
    the extreme is this very value and no other entry has it.
    """
    batch = src.shape[0]
    u = torch.where(loop, 2 * edge_norm, edge_norm)  # [B, E]
    once = valid & ~(has_reverse & (src > dst))
    node = torch.cat([src, dst], 1)  # [B, 2E]
    value = torch.cat([u, u], 1)
    listed = torch.cat([once, once & ~loop], 1)  # a self-loop touches its node once

    def without_own(largest: bool) -> Tensor:  # [B, E, 2]
        reduce, empty = ("amax", -1.0) if largest else ("amin", torch.inf)
        blank = u.new_full((batch, nodes + 1), empty)
        entries = value.masked_fill(~listed, empty)
        first = blank.scatter_reduce(1, node, entries, reduce)  # [B, N+1]
        same = entries == first.gather(1, node)
        second = blank.scatter_reduce(1, node, entries.masked_fill(same, empty), reduce)
        often = blank.new_zeros(blank.shape).scatter_add(1, node, (same & listed).to(u.dtype)) > 1
        second = torch.where(often, first, second)
        ends = [
            torch.where(u == first.gather(1, end), second.gather(1, end), first.gather(1, end)) for end in (src, dst)
        ]
        return torch.stack(ends, 2)

    largest, smallest = without_own(True), without_own(False)
    has_other = (largest > 0) & valid[:, :, None]
    return largest.masked_fill(~has_other, 0), smallest.masked_fill(~has_other, 0), has_other


def edges_to_nodes(graph: Graph, values: Tensor) -> Tensor:
    """Add the values [B, E, F] of every edge to both its endpoints, twice for a self-loop: T z, [B, N, F]."""
    values = values * graph.valid[:, :, None]
    both = torch.cat([graph.src, graph.dst], 1)[:, :, None].expand(-1, -1, values.shape[2])  # [B, 2E, F]
    zeros = values.new_zeros(values.shape[0], graph.nodes + 1, values.shape[2])
    return zeros.scatter_add(1, both, values.repeat(1, 2, 1))[:, :-1]


def at_endpoints(graph: Graph, values: Tensor) -> tuple[Tensor, Tensor]:
    """Gather node values [B, N, F] at the source and target of every edge: two [B, E, F], 0 in unused slots."""
    padded = torch.cat([values, values.new_zeros(values.shape[0], 1, values.shape[2])], 1)
    src, dst = (end[:, :, None].expand(-1, -1, values.shape[2]) for end in (graph.src, graph.dst))
    return padded.gather(1, src), padded.gather(1, dst)


def edge_features(graph: Graph, nodes: Tensor, attention: Tensor, proximity: Tensor) -> Tensor:
    """Describe every edge by six numbers: [B, E, 6], 0 in unused slots.

    Parameters
    ----------
    nodes : float [B, N, D]
        Node features X.
    attention : float [B, 2, N, N]
    proximity : float [N, N]
        1 / (1 + grid distance / 3).

    Notes
    -----
    In order: attention of both heads, their mean, proximity, inverse root of the feature distance
    (scaled by D // 2), cosine similarity mapped to 0 … 1 (0.5 for a zero vector).
    """
    half = nodes.shape[2] // 2
    pair = (graph.src * graph.nodes + graph.dst).masked_fill(~graph.valid, 0)  # [B, E]

    def on_edges(table: Tensor) -> Tensor:  # [B, N, N] -> [B, E]
        return table.flatten(1).gather(1, pair)

    first, second = on_edges(attention[:, 0]), on_edges(attention[:, 1])
    near = proximity.flatten()[pair]
    product = nodes @ nodes.transpose(1, 2)  # [B, N, N]
    square = nodes.square().sum(2)  # squared norms, [B, N]
    dot = on_edges(product)
    square_src, square_dst = (end.squeeze(2) for end in at_endpoints(graph, square.unsqueeze(2)))
    distance = ((square_src - 2 * dot + square_dst + half) / half).masked_fill(~graph.valid, 1)
    both = square_src * square_dst
    cosine = dot * both.masked_fill(both == 0, 1).rsqrt() * (both > 0)
    features = torch.stack([first, second, (first + second) / 2, near, distance.rsqrt(), (1 + cosine) / 2], 2)
    return features * graph.valid[:, :, None]


class NodeConv(nn.Module):
    """Graph convolution of nodes, neighbours weighted by edge features: (M * A) X W + b."""

    def __init__(self, node_in: int, node_out: int, edge_width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(node_in, node_out))
        self.p = nn.Parameter(torch.empty(1, edge_width))
        self.bias = nn.Parameter(torch.empty(node_out))
        reset_graph_conv(self)

    def forward(self, graph: Graph, nodes: Tensor, edges: Tensor) -> Tensor:
        """Convolve nodes [B, N, in] over edges [B, E, F]: [B, N, out]."""
        batch, n = nodes.shape[0], graph.nodes
        d = (edges @ self.p.T).squeeze(2)  # [B, E]
        there_and_back = d + d.gather(1, graph.reverse) * graph.has_reverse
        weight = graph.adjacency * torch.where(graph.loop, 1.0, there_and_back)
        pair = (graph.src * n + graph.dst).masked_fill(~graph.valid, n * n)
        mix = weight.new_zeros(batch, n * n + 1).scatter(1, pair, weight)[:, :-1].view(batch, n, n)
        return mix @ (nodes @ self.weight) + self.bias


class EdgeConv(nn.Module):
    """Graph convolution of edges, adjacent edges weighted by node features, columns scaled to maximum 1."""

    def __init__(self, edge_in: int, edge_out: int, node_width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(edge_in, edge_out))
        self.p = nn.Parameter(torch.empty(1, node_width))
        self.bias = nn.Parameter(torch.empty(edge_out))
        reset_graph_conv(self)

    def forward(self, graph: Graph, nodes: Tensor, edges: Tensor) -> Tensor:
        """Convolve edges [B, E, in] through shared nodes [B, N, D]: [B, E, out]."""
        g = nodes @ self.p.T  # [B, N, 1]
        ends = torch.cat(at_endpoints(graph, g), 2)  # g_i, g_j: [B, E, 2]
        total = ends.sum(2)  # [B, E]
        column_max = self._column_max(graph, ends, total)
        q = (edges @ self.weight) / column_max[:, :, None] * graph.valid[:, :, None]  # [B, E, out]
        s_src, s_dst = at_endpoints(graph, edges_to_nodes(graph, q))
        through_nodes = ends[:, :, :1] * s_src + ends[:, :, 1:] * s_dst
        own = 1 - total * torch.where(graph.loop, 2.0, 1.0)  # 1 - sum of T_ne ** 2 g_n
        return graph.edge_norm[:, :, None] * (through_nodes + own[:, :, None] * q) + self.bias

    @staticmethod
    def _column_max(graph: Graph, ends: Tensor, total: Tensor) -> Tensor:
        """Return the largest entry of every column of the edge adjacency, divided by r_f: [B, E]."""
        r = graph.edge_norm
        own_weight = torch.where(graph.loop, 2.0, 1.0)[:, :, None]
        extreme = torch.where(ends >= 0, graph.other_max, graph.other_min)
        others = torch.where(graph.has_other, own_weight * ends * extreme, r[:, :, None])  # [B, E, 2]
        back = torch.where(graph.has_reverse, r * total, r)
        return torch.maximum(torch.maximum(r, back), others.amax(2))


def reset_graph_conv(layer: NodeConv | EdgeConv) -> None:
    """Initialise as published: uniform within 1/sqrt(out) for weight and bias, standard normal for p."""
    bound = layer.weight.shape[1] ** -0.5
    nn.init.uniform_(layer.weight, -bound, bound)
    nn.init.uniform_(layer.bias, -bound, bound)
    nn.init.normal_(layer.p)


class CensNet(nn.Module):
    """Co-embedding of nodes and edges: node, edge and node convolution in turn."""

    def __init__(self, node_width: int, node_out: int = 48, edge_in: int = 6, edge_out: int = 12) -> None:
        super().__init__()
        self.gc1 = NodeConv(node_width, node_width, edge_in)
        self.gc2 = EdgeConv(edge_in, edge_out, node_width)
        self.gc3 = NodeConv(node_width, node_out, edge_out)
        self.drop = nn.Dropout(0.1)

    def forward(self, graph: Graph, nodes: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
        """Embed nodes [B, N, D] and edges [B, E, 6] as [B, N, 48] and [B, E, 12]."""
        x = self.drop(self.gc1(graph, nodes, edges).relu())
        z = self.drop(edges.relu())
        z = self.drop(self.gc2(graph, x, z).relu())
        x = self.drop(x.relu())  # dropped twice, as published
        return self.gc3(graph, x, z), z
