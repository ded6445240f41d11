"""The windows of a patch, and the patch with some of them replaced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SettingsError
from napari_tcgn.model import ModelCard

Patch = NDArray[np.uint8]
MOST = 64  # windows along a side
FILLS = ("mean colour", "blur")


@dataclass(frozen=True, slots=True)
class Windows:
    """The squares that a patch is divided into.

    Attributes
    ----------
    count : int
        Along a side.
    side_px : int
        Of the patch.
    """

    count: int
    side_px: int

    @property
    def edges(self) -> NDArray[np.intp]:
        """Where windows begin and end, in px: intp [count + 1]."""
        return np.rint(np.linspace(0, self.side_px, self.count + 1)).astype(np.intp)

    def __len__(self) -> int:
        return self.count**2

    def replaced(self, patch: Patch, fill: Patch, chosen: NDArray[np.bool_]) -> Patch:
        """Return a patch [n, n, 3] with the pixels of another in some windows, bool [count ** 2] in reading order."""
        sizes = np.diff(self.edges)
        mask = chosen.reshape(self.count, self.count).repeat(sizes, axis=0).repeat(sizes, axis=1)
        return np.where(mask[:, :, None], fill, patch)

    def one_by_one(self) -> NDArray[np.bool_]:
        """Return every window alone: bool [windows, windows]."""
        return np.eye(len(self), dtype=bool)


def choose_windows(card: ModelCard, side_px: int, window_um: float | None) -> Windows:
    """Return the windows of a model's patch.

    Parameters
    ----------
    card : ModelCard
    side_px : int
        Of the patch as the model gets it.
    window_um : float or None
        Their side; None: a seventh of the patch, as wide as one value of TCGN's last map; a fourteenth where the model
        looks at squares of several sizes, the inner ones of which would fill one window.

    Raises
    ------
    SettingsError
        If no window would fit, or there would be more than 64 a side.
    """
    several = len(card.scales_um) > 1
    count = (14 if several else 7) if window_um is None else round(card.patch_um / window_um)
    most = min(MOST, side_px // 2)
    if window_um is not None and not 2 <= count <= most:
        raise SettingsError(
            f"Windows of {window_um:g} µm do not divide a patch of {card.patch_um:g} µm ({side_px} px).",
            f"Take from {card.patch_um / most:.3g} to {card.patch_um / 2:.3g} µm (--window-um).",
        )
    return Windows(max(1, min(count, most)), side_px)


def fill_of(patch: Patch, windows: Windows, which: str) -> Patch:
    """Return what windows are replaced by: the patch in its mean colour, or blurred by a window's side.

    Parameters
    ----------
    patch : uint8 [n, n, 3]
    windows : Windows
    which : {"mean colour", "blur"}
    """
    if which == "mean colour":
        return np.broadcast_to(np.rint(patch.mean(axis=(0, 1))).astype(np.uint8), patch.shape)
    from scipy.ndimage import gaussian_filter

    spread = windows.side_px / windows.count
    blurred = gaussian_filter(patch.astype(np.float32), (spread, spread, 0), mode="nearest", truncate=3)
    whole: Patch = np.rint(blurred).astype(np.uint8)
    return whole
