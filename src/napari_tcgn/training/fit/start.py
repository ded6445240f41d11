"""Where the last layer of a network starts."""

from __future__ import annotations

import torch
from torch import nn

from napari_tcgn.options import LossName
from napari_tcgn.training.data.dataset import Dataset
from napari_tcgn.training.fit.likelihood import mean_share, scaled_share


def last_layer(net: nn.Module) -> tuple[str, nn.Linear]:
    """Return the layer with one output per gene, and its name."""
    return [(name, module) for name, module in net.named_modules() if isinstance(module, nn.Linear)][-1]


def start_from_nothing(net: nn.Module) -> None:
    """Set the last layer to zero: the first prediction is that of the line that the network adds to."""
    _, last = last_layer(net)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)


def start_from_mean(net: nn.Module, data: Dataset, loss: LossName) -> None:
    """Set the output bias to the mean of the training spots, over the sections that have the gene.

    It is the mean of what they are taught; for the likelihood of counts, the scale of the gene's share of all counts.
    """
    measured = data.measured[data.section_of[data.train]]  # [n, genes]
    if loss == "negative-binomial":
        mean = scaled_share(mean_share(data.counts[data.train], measured))
    else:
        mean = torch.where(measured, data.taught[data.train], 0).sum(0) / measured.sum(0).clamp(min=1)
    with torch.no_grad():
        last_layer(net)[1].bias.copy_(mean)
