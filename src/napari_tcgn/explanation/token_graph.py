"""The graphs that a TCGN drew over the tokens of a patch, as it used them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.explanation.result import TokenGraph
from napari_tcgn.model import GRID, Graph, ModelCard, TCGNPredictor, build_graph


def token_graphs(predictor: TCGNPredictor, patch: NDArray[np.uint8]) -> tuple[TokenGraph, TokenGraph]:
    """Return the graphs of both GNN blocks for a patch [n, n, 3]."""
    first, second = (
        _graph(block, attention.float().cpu().numpy(), build_graph(attention), predictor.card)
        for block, attention in enumerate(predictor.attention(patch[None]))
    )
    return first, second


def _graph(block: int, attention: NDArray[np.float32], graph: Graph, card: ModelCard) -> TokenGraph:
    used = graph.valid[0].cpu().numpy()
    edges = np.stack([graph.src[0].cpu().numpy()[used], graph.dst[0].cpu().numpy()[used]], axis=1)
    weight = attention[0][:, edges[:, 0], edges[:, 1]].T  # [edges, 2 heads]
    order = np.argsort(-weight.mean(axis=1), kind="stable")
    row, column = np.divmod(np.arange(GRID**2), GRID)
    if card.orientation == "transposed":  # of the network's input; points are given on the patch
        row, column = column, row
    xy = (np.stack([column, row], axis=1) + 0.5) / GRID
    return TokenGraph(block, xy.astype(np.float32), edges[order], weight[order].astype(np.float32))
