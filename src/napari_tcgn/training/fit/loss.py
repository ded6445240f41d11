"""What a step of training lowers; genes that a section does not have never count."""

from __future__ import annotations

import torch


def masked_mse(predicted: torch.Tensor, target: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error over the measured entries; all three are [B, genes]."""
    squared = torch.where(measured, predicted - target, 0.0).square()
    return squared.sum() / measured.sum()


def correlation_loss(
    predicted: torch.Tensor, target: torch.Tensor, measured: torch.Tensor, section_of: torch.Tensor
) -> torch.Tensor:
    """Return 1 minus the Pearson correlation within sections, averaged over the genes that vary in the batch.

    Both tables are centred per gene over the spots of each section in the batch, so that a difference between two
    sections earns nothing, as in `score_spots`. Every gene counts alike, however little it varies.

    Parameters
    ----------
    predicted, target : float [B, genes]
    measured : bool [B, genes]
    section_of : int64 [B]

    Returns
    -------
    float scalar
        Between 0 and 2; 0 if no gene varies.
    """
    together = (section_of[:, None] == section_of[None, :]).to(predicted.dtype)  # [B, B]
    average = together / together.sum(1, keepdim=True)
    x = torch.where(measured, predicted - average @ predicted, 0.0)  # a section has a gene at all spots or at none
    y = torch.where(measured, target - average @ target, 0.0)
    spread_x, spread_y = x.square().sum(0), y.square().sum(0)  # [genes]
    # The small number keeps the gradient finite where the network is still constant.
    pcc = (x * y).sum(0) / (spread_x * spread_y + 1e-12).sqrt()
    varies = spread_y > 1e-8
    return torch.where(varies, 1 - pcc, 0.0).sum() / varies.sum().clamp(min=1)
