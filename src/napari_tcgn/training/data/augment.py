"""Random rotation and flips of a whole batch in one sampling step on its device, and random changes of its stain."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn.functional import affine_grid, grid_sample


def augment(images: torch.Tensor, generator: torch.Generator, zoom: float = 0.0) -> torch.Tensor:
    """Rotate every image by its own angle from U(-180°, 180°), then mirror it left-right and top-bottom, each with ½.

    Parameters
    ----------
    images : float [B, C, H, W]
        Normalised square images, H = W.
    generator : torch.Generator
        A CPU generator, so that a seed means the same on every device.
    zoom : float
        Every image is also shown larger or smaller, by its own factor from U(1 - zoom, 1 + zoom).

    Returns
    -------
    float [B, C, H, W]
        Nearest neighbour; what comes from outside an image is 0, the mean colour after normalisation.
    """
    batch = len(images)
    angle = (torch.rand(batch, generator=generator) * 2 - 1) * math.pi  # [B]
    mirror = torch.randint(0, 2, (batch, 2), generator=generator) * 2.0 - 1.0  # [B, (x, y)] of ±1
    size = 1 + zoom * (torch.rand(batch, generator=generator) * 2 - 1) if zoom > 0 else torch.ones(batch)  # [B]
    return rotate_and_mirror(images, angle, mirror * size[:, None])


def rotate_and_mirror(images: torch.Tensor, angle: torch.Tensor, mirror: torch.Tensor) -> torch.Tensor:
    """Rotate counter-clockwise around the centre, then mirror and shrink.

    Parameters
    ----------
    images : float [B, C, H, W]
    angle : float [B]
        In radians.
    mirror : float [B, 2]
        -1 mirrors along x (left-right) or y (top-bottom), 1 leaves it; 2 shows twice as much, half as large.

    Returns
    -------
    float [B, C, H, W]
    """
    cos, sin = torch.cos(angle), torch.sin(angle)
    # Where each output pixel (x, y, y down) comes from: first undo the mirror, then the rotation.
    back = torch.stack([torch.stack([cos, -sin], dim=1), torch.stack([sin, cos], dim=1)], dim=1)  # [B, 2, 2]
    back = back * mirror[:, None, :]
    theta = torch.cat([back, torch.zeros(len(images), 2, 1)], dim=2)  # [B, 2, 3]
    grid = affine_grid(theta.to(images.device, images.dtype), list(images.shape), align_corners=False)
    return grid_sample(images, grid, mode="nearest", padding_mode="zeros", align_corners=False)


def jitter_stain(
    images: torch.Tensor, mean: Sequence[float], std: Sequence[float], strength: float, generator: torch.Generator
) -> torch.Tensor:
    """Change the amount of haematoxylin, eosin and residual of every image, each by its own factor and offset.

    Parameters
    ----------
    images : float [B, 3, H, W]
        Normalised RGB.
    mean, std : three floats
        Of that normalisation.
    strength : float
        Factors are drawn from U(1 - strength, 1 + strength), offsets of the optical density from
        U(-strength, strength) / 10.
    generator : torch.Generator
        A CPU generator.

    Returns
    -------
    float [B, 3, H, W]

    Notes
    -----
    Stain vectors of Ruifrok and Johnston (2001); factor and offset per stain as in Tellez et al. (2018).
    """
    from skimage.color import hed_from_rgb, rgb_from_hed

    batch = len(images)
    factor = 1 + strength * (torch.rand(batch, 3, generator=generator) * 2 - 1)  # [B, stains]
    offset = strength / 10 * (torch.rand(batch, 3, generator=generator) * 2 - 1)
    to_stains, to_colours = (torch.as_tensor(m, dtype=torch.float32) for m in (hed_from_rgb, rgb_from_hed))
    # Apart, scale and back is one 3 x 3 matrix per image.
    mix = to_stains @ (factor[:, :, None] * to_colours)  # [B, from, to]
    shift = offset @ to_colours  # [B, colours]
    device, dtype = images.device, images.dtype
    centre, spread = (torch.tensor(list(v), device=device, dtype=dtype)[:, None, None] for v in (mean, std))
    density = -(images * spread + centre).clamp(1 / 256, 1).log()  # [B, 3, H, W]
    changed = torch.einsum("bfhw,bft->bthw", density, mix.to(device, dtype)) + shift.to(device, dtype)[:, :, None, None]
    return ((-changed).exp().clamp(0, 1) - centre) / spread
