"""What a patch looks like in a few numbers: the simple models against which TCGN has to prove itself."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# Patches are brought to this side first, so that the numbers mean the same at every resolution of the slide.
FEATURE_PX = 112

FEATURES: dict[str, tuple[str, ...]] = {
    "haematoxylin": ("haematoxylin mean",),
    "colour-texture": (
        *(f"{channel} {what}" for channel in ("red", "green", "blue") for what in ("mean", "spread")),
        *(
            f"{stain} {what}"
            for stain in ("haematoxylin", "eosin", "residual")
            for what in ("mean", "spread", "10 %", "50 %", "90 %")
        ),
        *(f"haematoxylin {what}, scale {s}" for s in (1, 2, 4) for what in ("edges", "edges' spread", "roughness")),
    ),
}


def image_features(rgb: Tensor, which: str) -> Tensor:
    """Return the features of patches.

    Parameters
    ----------
    rgb : float32 [B, 3, H, W]
        From 0 to 1.
    which : {"haematoxylin", "colour-texture"}

    Returns
    -------
    float32 [B, features]
        In the order of ``FEATURES[which]``. Colours and stains are optical densities.

    Notes
    -----
    Stains are separated with the vectors of Ruifrok and Johnston (2001).
    """
    from skimage.color import hed_from_rgb

    density = -rgb.clamp(1 / 256, 1).log()  # [B, 3, H, W]
    apart = torch.as_tensor(hed_from_rgb, dtype=rgb.dtype, device=rgb.device)
    stains = (apart.T @ density.flatten(2)).unflatten(2, rgb.shape[2:])  # haematoxylin, eosin, residual
    if which == "haematoxylin":
        return stains[:, 0].mean((1, 2))[:, None]
    colour = torch.stack(_mean_and_spread(density), 2)  # [B, 3, 2]
    # At half the resolution: a quarter of the sorting, and less noise of single pixels.
    order = _sorted(F.avg_pool2d(stains, 2).flatten(2))  # [B, 3, pixels / 4]
    levels = torch.stack([order[:, :, int(share * (order.shape[2] - 1))] for share in (0.1, 0.5, 0.9)])  # [3, B, 3]
    stain = torch.cat([torch.stack(_mean_and_spread(stains), 2), levels.permute(1, 2, 0)], 2)  # [B, 3, 5]
    texture = torch.cat([_texture(F.avg_pool2d(stains[:, :1], s) if s > 1 else stains[:, :1]) for s in (1, 2, 4)], 1)
    return torch.cat([colour.flatten(1), stain.flatten(1), texture], 1)


def _mean_and_spread(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of maps [B, C, H, W] over their pixels: [B, C] each.

    By hand: `Tensor.std` takes seven times as long on a CPU.
    """
    flat = x.flatten(2)
    mean = flat.mean(2)
    return mean, ((flat - mean[:, :, None]).square().sum(2) / (flat.shape[2] - 1)).sqrt()


def _sorted(x: Tensor) -> Tensor:
    """Sort along the last axis; on a CPU NumPy does it several times faster."""
    if x.device.type == "cpu" and not x.requires_grad:
        return torch.from_numpy(np.sort(x.numpy(), axis=-1))
    return x.sort(-1).values


def _texture(x: Tensor) -> Tensor:
    """Return mean and spread of the edges, and the mean local spread, of a map [B, 1, H, W]: [B, 3]."""
    x = x[:, 0]
    # Sobel's two filters and the mean of 3 x 3 pixels, each as sums along one axis and then the other.
    across, down = x[:, :, 2:] - x[:, :, :-2], x[:, 2:] - x[:, :-2]
    gradient_x = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
    gradient_y = down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]
    edges = (gradient_x.square() + gradient_y.square()).sqrt() / 8
    local = (_mean_of_nine(x.square()) - _mean_of_nine(x).square()).clamp(min=0).sqrt()
    mean, spread = _mean_and_spread(edges[:, None])
    return torch.stack([mean[:, 0], spread[:, 0], local.mean((1, 2))], 1)


def _mean_of_nine(x: Tensor) -> Tensor:
    rows = x[:, 2:] + x[:, 1:-1] + x[:, :-2]
    return (rows[:, :, 2:] + rows[:, :, 1:-1] + rows[:, :, :-2]) / 9
