"""What a TCGN's last map says for a gene: integrated gradients, and Grad-CAM as published.

Sundararajan et al. (2017) for the first, Selvaraju et al. (2017) for the second. The last map (7 x 7 tokens of 1,280
channels) is pooled and goes through an MLP, so that its parts can be told apart exactly: what they speak for sums to
the prediction of the map less that of an empty one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_tcgn.model import TCGN, ModelCard, prepare_patches

Floats = NDArray[np.float32]
STEPS = 32  # of Gauss and Legendre along the way from the empty map
COMPLETE = 1e-4  # how far the sum may be from the difference


@dataclass(frozen=True, slots=True, eq=False)
class Gradients:
    """The maps of a network's gradients.

    Attributes
    ----------
    integrated : float32 [7, 7]
        Signed, upright; sums to `whole` - `empty`.
    grad_cam : float32 [7, 7]
        Not signed: what speaks against the gene is 0.
    whole, empty : float
        What the network predicts of the patch, and of an empty last map.
    """

    integrated: Floats
    grad_cam: Floats
    whole: float
    empty: float

    @property
    def gap(self) -> float:
        """How far the sum of the map is from the difference of the two predictions."""
        return abs(float(self.integrated.sum(dtype=np.float64)) - (self.whole - self.empty))


def gradients_of(net: TCGN, card: ModelCard, patch: NDArray[np.uint8], gene: int) -> Gradients:
    """Return the maps of a patch.

    Parameters
    ----------
    net : TCGN
        In eval mode.
    card : ModelCard
    patch : uint8 [n, n, 3]
    gene : int
        Number of the gene in the card.
    """
    device = next(net.parameters()).device
    images = prepare_patches(torch.from_numpy(np.ascontiguousarray(patch[None])).to(device), card)
    with torch.no_grad():
        tokens = net.forward_features(images)
    with torch.enable_grad():
        cam = grad_cam(net, tokens, gene)
        last = net.last_map(tokens).detach()
        empty = torch.zeros_like(last)
        found = integrated_gradients(net, last, empty, gene)
    with torch.no_grad():
        whole, reference = (float(net.predict_from_map(one)[0, gene]) for one in (last, empty))
    return Gradients(upright(found, card), upright(cam, card), whole, reference)


def integrated_gradients(net: TCGN, last: Tensor, reference: Tensor, gene: int, steps: int = STEPS) -> Tensor:
    """Integrate the gradient of a gene along the straight way between two last maps [1, C, 7, 7]: [7, 7]."""
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    share, weight = (
        torch.as_tensor(v, dtype=last.dtype, device=last.device)[:, None, None, None]
        for v in ((nodes + 1) / 2, weights / 2)
    )
    way = (reference + share * (last - reference)).requires_grad_(True)  # [steps, C, 7, 7]
    (slope,) = torch.autograd.grad(net.predict_from_map(way)[:, gene].sum(), way)
    return ((last - reference)[0] * (slope * weight).sum(0)).sum(0)


def grad_cam(net: TCGN, tokens: Tensor, gene: int) -> Tensor:
    """Return Grad-CAM [7, 7] on the last tokens [1, 49, C]: channels by their mean gradient, what is negative cut."""
    tokens = tokens.detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(net.predict_from_features(tokens)[0, gene], tokens)
    return (tokens.detach() * slope.mean(1, keepdim=True)).sum(2).relu().view(7, 7)


def upright(values: Tensor, card: ModelCard) -> Floats:
    """Return a map over a network's input as one over the patch: rows are image rows."""
    found: Floats = values.detach().float().cpu().numpy()
    return np.ascontiguousarray(found.T if card.orientation == "transposed" else found)
