"""The patches of all spots of a run: where they lie, memory or disk, and how a batch of them is taken."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class SpotPatches:
    """N patches of several sections, indexed like one tensor uint8 [N, side, side, 3].

    For the CPU every section's patches stay where they are, so that those mapped from the patch cache never have to
    be in memory all at once; other devices hold one copy of them all.

    Parameters
    ----------
    sections : sequence of uint8 [n, side, side, 3]
    device : str
    """

    def __init__(self, sections: Sequence[NDArray[np.uint8]], device: str) -> None:
        side = max(patches.shape[1] for patches in sections)
        # Sections of a coarser scan are brought to the side of the finest one.
        self._sections = [_resized(patches, side) for patches in sections]
        self._starts = np.cumsum([0, *map(len, self._sections)])
        self.shape = (int(self._starts[-1]), side, side, 3)
        self._whole: Tensor | None = None
        if device != "cpu":
            self._whole = torch.from_numpy(np.concatenate(self._sections)).to(device)
            self._sections = []

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, spots: Tensor) -> Tensor:
        """Return the patches uint8 [B, side, side, 3] of spot numbers (int64 [B]), on the device."""
        if self._whole is not None:
            return self._whole[spots]
        numbers = spots.numpy()
        section_of = np.searchsorted(self._starts, numbers, side="right") - 1
        taken = np.empty((len(numbers), *self.shape[1:]), dtype=np.uint8)
        for section in np.unique(section_of):
            here = section_of == section
            taken[here] = self._sections[section][numbers[here] - self._starts[section]]
        return torch.from_numpy(taken)


def _resized(patches: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    if patches.shape[1] == side:
        return patches
    from PIL import Image

    resized = [Image.fromarray(p).resize((side, side), Image.Resampling.BILINEAR) for p in patches]
    return np.stack([np.asarray(image) for image in resized])
