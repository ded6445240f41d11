"""The graph convolutions as the paper writes them, image by image with dense edges x edges matrices, in numpy.

Slow and plain on purpose: what the fast form in `napari_tcgn.model.graph` is compared with, in value and in speed.
"""

from __future__ import annotations

import numpy as np

EDGES_PER_NODE = 4


def dense_edges(attention: np.ndarray) -> np.ndarray:
    """Return the edges (int [E, 2], row-major) of one image's attention [heads, N, N]."""
    mean = attention.mean(0)
    values, counts = np.unique(mean, return_counts=True)
    largest_first, counts = values[::-1], counts[::-1]
    rank = counts.cumsum()  # of the last entry that has the value
    cut = next(v for v, c, n in zip(largest_first, counts, rank, strict=True) if c == 1 and n >= 4 * len(mean))
    return np.argwhere(mean >= cut)


class DenseGraph:
    """Constant matrices of one image's graph.

    Parameters
    ----------
    edges : int [E, 2]
    nodes : int
    """

    def __init__(self, edges: np.ndarray, nodes: int) -> None:
        i, j = edges.T
        self.edges, self.k = edges, len(edges) / nodes
        chosen = np.zeros((nodes, nodes))
        chosen[i, j] = 1
        out = chosen.sum(1)
        factor = np.where(out > 0, 1 / np.sqrt(np.where(out > 0, out, 1)), 0)
        self.node_adjacency = chosen * factor[:, None] * factor[None]  # [N, N]
        self.incidence = np.zeros((nodes, len(edges)))  # [N, E]; 2 for a self-loop
        np.add.at(self.incidence, (i, np.arange(len(edges))), 1)
        np.add.at(self.incidence, (j, np.arange(len(edges))), 1)
        adjacent = (self.incidence.T @ self.incidence) > 0  # [E, E]
        self.edge_degree = adjacent.sum(1) + 1
        self.edge_adjacency = adjacent / np.sqrt(np.outer(self.edge_degree, self.edge_degree))

    def node_conv(self, nodes: np.ndarray, edges: np.ndarray, weight: np.ndarray, p: np.ndarray, bias: np.ndarray):
        """Convolve nodes [N, in] weighted by edges [E, F]: [N, out]."""
        mixing = self.incidence @ np.diag((edges @ p.T).ravel()) @ self.incidence.T  # [N, N]
        np.fill_diagonal(mixing, 1)
        return (mixing * self.node_adjacency) @ nodes @ weight + bias

    def edge_conv(self, nodes: np.ndarray, edges: np.ndarray, weight: np.ndarray, p: np.ndarray, bias: np.ndarray):
        """Convolve edges [E, in] weighted by nodes [N, D]: [E, out]."""
        mixing = self.incidence.T @ np.diag((nodes @ p.T).ravel()) @ self.incidence  # [E, E]
        np.fill_diagonal(mixing, 1)
        mixing = mixing * self.edge_adjacency
        return (mixing / mixing.max(0)) @ edges @ weight + bias


def dense_features(x: np.ndarray, attention: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the six features (float [E, 6]) of every edge from nodes [N, D] and attention [2, N, N]."""
    i, j = edges.T
    side, half = round(len(x) ** 0.5), x.shape[1] // 2
    distance = np.hypot(i // side - j // side, i % side - j % side)
    first, second = attention[:, i, j]
    square = (x**2).sum(1)
    dot = (x[i] * x[j]).sum(1)
    apart = ((square[i] - 2 * dot + square[j] + half) / half) ** -0.5
    cosine = (1 + dot / np.sqrt(square[i] * square[j])) / 2
    return np.stack([first, second, (first + second) / 2, 1 / (1 + distance / 3), apart, cosine], 1)
