"""Random rotation and flips of a whole batch in one sampling step on its device."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import affine_grid, grid_sample


def augment(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Rotate every image by its own angle from U(-180°, 180°), then mirror it left-right and top-bottom, each with ½.

    Parameters
    ----------
    images : float [B, C, H, W]
        Normalised square images, H = W.
    generator : torch.Generator
        A CPU generator, so that a seed means the same on every device.

    Returns
    -------
    float [B, C, H, W]
        Nearest neighbour; what comes from outside an image is 0, the mean colour after normalisation.
    """
    batch = len(images)
    angle = (torch.rand(batch, generator=generator) * 2 - 1) * math.pi  # [B]
    mirror = torch.randint(0, 2, (batch, 2), generator=generator) * 2.0 - 1.0  # [B, (x, y)] of ±1
    return rotate_and_mirror(images, angle, mirror)


def rotate_and_mirror(images: torch.Tensor, angle: torch.Tensor, mirror: torch.Tensor) -> torch.Tensor:
    """Rotate counter-clockwise around the centre, then mirror.

    Parameters
    ----------
    images : float [B, C, H, W]
    angle : float [B]
        In radians.
    mirror : float [B, 2]
        -1 mirrors along x (left-right) or y (top-bottom), 1 leaves it.

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
