"""What a step of training lowers for a batch of spots, by the settings of the run."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_tcgn.options import TrainSettings
from napari_tcgn.training.data.dataset import Dataset
from napari_tcgn.training.fit.likelihood import NegativeBinomial
from napari_tcgn.training.fit.loss import correlation_loss, masked_mse
from napari_tcgn.training.fit.subspace import Subspace


class Objective:
    """The loss of a run.

    Parameters
    ----------
    dataset : Dataset
    settings : TrainSettings
    subspace : Subspace, optional
        Where the output is confined to one: its directions count alike in the correlation loss.

    Attributes
    ----------
    likelihood : NegativeBinomial or None
        What has numbers of its own to learn.
    """

    def __init__(self, dataset: Dataset, settings: TrainSettings, subspace: Subspace | None) -> None:
        self._data, self._loss, self._subspace = dataset, settings.loss, subspace
        self.likelihood: NegativeBinomial | None = None
        if settings.loss == "negative-binomial":
            measured = dataset.measured[dataset.section_of[dataset.train]]
            self.likelihood = NegativeBinomial(dataset.counts[dataset.train], measured).to(dataset.counts.device)

    def __call__(self, predicted: Tensor, batch: Tensor) -> Tensor:
        """Return the loss (scalar) of predictions [B, genes] for training spots `batch` (int64 [B])."""
        data = self._data
        section_of = data.section_of[batch]
        taught, measured = data.taught[batch], data.measured[section_of]
        if self.likelihood is not None:
            loss: Tensor = self.likelihood(predicted, data.counts[batch], measured)
            return loss
        loss = masked_mse(predicted, taught, measured)
        if self._loss == "mse":
            return loss
        if self._subspace is not None:
            centre, scores = self._subspace.centre, self._subspace.scores
            # A gene that the section does not have adds nothing to a direction.
            predicted, taught = (scores(torch.where(measured, values, centre)) for values in (predicted, taught))
            measured = torch.ones_like(predicted, dtype=torch.bool)
        return loss + correlation_loss(predicted, taught, measured, section_of)
