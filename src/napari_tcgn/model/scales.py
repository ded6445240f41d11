"""The squares around a spot that a model of several scales looks at, cut out of the one patch that it is handed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_tcgn.model.card import ModelCard


def scale_crops(patches: Tensor, card: ModelCard) -> list[Tensor]:
    """Return the centre of every patch at each of a card's scales, all of one side in px.

    Parameters
    ----------
    patches : uint8 [B, H, W, 3]
        H = W; each covers `card.patch_um`, the pixel under the spot at ``[H // 2, W // 2]``.
    card : ModelCard

    Returns
    -------
    list of float32 [B, 3, input_px, input_px]
        From 0 to 1, the smallest scale first. Rounded to 8 bits after resizing, on every device: so the CPU can resize
        bytes, which takes a tenth of the time of floats.
    """
    side = patches.shape[1]
    found = []
    for scale in card.scales_um:
        crop = max(1, round(side * scale / card.patch_um))
        start = side // 2 - crop // 2
        images = patches[:, start : start + crop, start : start + crop].permute(0, 3, 1, 2)
        if crop > card.scale_px(scale):
            images = _resized(images, card.scale_px(scale))
        found.append(_resized(images, card.input_px).float() / 255)
    return found


def _resized(images: Tensor, side: int) -> Tensor:
    """Resize uint8 images [B, 3, n, n]: bilinear with half-pixel centres, antialiased when shrinking."""
    if images.shape[2] == side:
        return images
    shrinking = images.shape[2] > side
    if images.device.type == "cpu":
        return F.interpolate(images, (side, side), mode="bilinear", align_corners=False, antialias=shrinking)
    resized = F.interpolate(images.float(), (side, side), mode="bilinear", align_corners=False, antialias=shrinking)
    return resized.round().clamp(0, 255).to(torch.uint8)
