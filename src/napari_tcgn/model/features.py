"""What a patch looks like in a few numbers: the simple models against which TCGN has to prove itself."""

from __future__ import annotations

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
    stains = torch.einsum("bchw,cs->bshw", density, apart)  # haematoxylin, eosin, residual
    if which == "haematoxylin":
        return stains[:, 0].mean((1, 2))[:, None]
    colour = torch.stack([density.mean((2, 3)), density.std((2, 3))], 2)  # [B, 3, 2]
    flat = stains.flatten(2)  # [B, 3, pixels]
    # At half the resolution: a quarter of the sorting, and less noise of single pixels.
    order = F.avg_pool2d(stains, 2).flatten(2).sort(2).values  # [B, 3, pixels / 4]
    levels = torch.stack([order[:, :, int(share * (order.shape[2] - 1))] for share in (0.1, 0.5, 0.9)])  # [3, B, 3]
    stain = torch.cat([torch.stack([flat.mean(2), flat.std(2)], 2), levels.permute(1, 2, 0)], 2)  # [B, 3, 5]
    texture = torch.cat([_texture(F.avg_pool2d(stains[:, :1], s) if s > 1 else stains[:, :1]) for s in (1, 2, 4)], 1)
    return torch.cat([colour.flatten(1), stain.flatten(1), texture], 1)


def _texture(x: Tensor) -> Tensor:
    """Return mean and spread of the edges, and the mean local spread, of a map [B, 1, H, W]: [B, 3]."""
    sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=x.dtype, device=x.device) / 8
    gradient = F.conv2d(x, torch.stack([sobel, sobel.T])[:, None])  # [B, 2, H - 2, W - 2]
    edges = gradient.square().sum(1).sqrt()
    local = (F.avg_pool2d(x.square(), 3, 1) - F.avg_pool2d(x, 3, 1).square()).clamp(min=0).sqrt()
    return torch.stack([edges.mean((1, 2)), edges.std((1, 2)), local.mean((1, 2, 3))], 1)
