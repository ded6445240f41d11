"""From uint8 patches to the network's input, in one batched operation on the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from napari_tcgn.model.card import ModelCard


def prepare_patches(patches: Tensor, card: ModelCard) -> Tensor:
    """Resize, orient and normalise upright RGB patches as the card says.

    The same function serves training and prediction.

    Parameters
    ----------
    patches : uint8 [B, H, W, 3]
        On any device; rows are image rows.
    card : ModelCard

    Returns
    -------
    float32 [B, 3, input_px, input_px]
        Bilinear with half-pixel centres; antialiased when shrinking only. Patches with more detail than the network
        saw in training lose it first (`ModelCard.detail_px`).
    """
    x = patches.permute(0, 3, 1, 2).float() / 255  # [B, 3, rows, columns]
    if card.orientation == "transposed":
        x = x.transpose(2, 3)  # [B, 3, columns, rows]
    if max(x.shape[2:]) > card.detail_px:
        x = _resized(x, card.detail_px)
    x = _resized(x, card.input_px)
    mean = torch.tensor(card.mean, device=x.device)[:, None, None]
    std = torch.tensor(card.std, device=x.device)[:, None, None]
    return (x - mean) / std


def _resized(x: Tensor, side: int) -> Tensor:
    if x.shape[2:] == (side, side):
        return x
    shrinking = max(x.shape[2:]) > side
    return F.interpolate(x, (side, side), mode="bilinear", align_corners=False, antialias=shrinking)
