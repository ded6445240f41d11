"""Loss and correlation of a network on given spots: every spot is scored, none is dropped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_tcgn.engine import default_batch_size
from napari_tcgn.model import ModelCard, prepare_patches
from napari_tcgn.stats import median_pcc, pearson_per_gene
from napari_tcgn.training.data.dataset import Dataset


@dataclass(frozen=True, slots=True, eq=False)
class NetworkScore:
    """How well a network does on some spots.

    Attributes
    ----------
    loss : float
        Mean squared error over the spots and the genes that their section has.
    pcc : float64 [genes]
        Pearson correlation within each section, then the mean over the sections; NaN where no section has one.
    median_pcc : float
        Median over the genes.
    n_spots : int
    """

    loss: float
    pcc: NDArray[np.float64]
    median_pcc: float
    n_spots: int


def predict_spots(net: nn.Module, dataset: Dataset, spots: torch.Tensor, card: ModelCard) -> NDArray[np.float32]:
    """Predict spots of a data set in eval mode; float32 [spots, genes]."""
    net.eval()
    batches = torch.split(spots, default_batch_size(str(spots.device)))
    with torch.inference_mode():
        outputs = [
            net(prepare_patches(dataset.patches[batch], card)).float() + dataset.base[batch] for batch in batches
        ]
    return torch.cat(outputs).cpu().numpy()


def score_spots(net: nn.Module, dataset: Dataset, spots: torch.Tensor, card: ModelCard) -> NetworkScore:
    """Score a network on the given spot numbers (int64 [n])."""
    predicted = predict_spots(net, dataset, spots, card).astype(np.float64)  # [n, genes]
    section_of = dataset.section_of[spots].cpu().numpy()  # [n]
    measured = dataset.measured.cpu().numpy()[section_of]  # [n, genes]
    target = np.where(measured, dataset.target[spots].cpu().numpy(), np.nan)
    # Within each section: a difference between two sections that every gene shares is no skill.
    per_section = np.stack(
        [pearson_per_gene(predicted[section_of == s], target[section_of == s]) for s in np.unique(section_of)]
    )  # [sections, genes]
    known = ~np.isnan(per_section)
    count = known.sum(axis=0)
    total = np.where(known, per_section, 0.0).sum(axis=0)
    pcc = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    squared = np.square(predicted - target)
    return NetworkScore(float(squared[measured].mean()), pcc, median_pcc(pcc), len(spots))
