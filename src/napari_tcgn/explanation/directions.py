"""Into how many directions of expression a model's output is confined: so many different maps can its genes have."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_tcgn.model import Predictor, RidgePredictor, SumPredictor, TCGNPredictor

MOST = 64  # more directions than this are no confinement worth telling
NOTHING = 1e-3  # of the largest singular value: weights are kept rounded


def directions_of(predictor: Predictor) -> int | None:
    """Return how many directions a model's output has; None where it is unknown, or more than 64.

    With k directions the map of any gene is a mixture of the same k maps: two genes may look unlike, but never tell of
    more than k things.
    """
    if isinstance(predictor, SumPredictor):
        parts = directions_of(predictor.network), directions_of(predictor.line)
        total = None if None in parts else sum(part for part in parts if part is not None)
        return total if total is not None and total <= MOST else None
    if isinstance(predictor, TCGNPredictor):
        last, genes = predictor.net.head[-1], predictor.net.from_directions
        assert isinstance(last, torch.nn.Linear)
        slope = last.weight.detach().T  # [inputs, genes or directions]
        return _rank(slope @ genes.weight.detach().T if isinstance(genes, torch.nn.Linear) else slope)
    return _rank(predictor.slope) if isinstance(predictor, RidgePredictor) else None


def _rank(slope: Tensor) -> int | None:
    """Return the rank of a table [inputs, genes], from a few random mixtures of its columns; None above 64."""
    random = torch.Generator().manual_seed(0)
    mixtures = torch.randn(slope.shape[1], MOST + 1, generator=random, dtype=torch.float64)
    values = torch.linalg.svdvals(slope.cpu().double() @ mixtures)
    found = int((values > NOTHING * values[0]).sum())
    return found if found <= MOST else None
