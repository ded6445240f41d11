"""How strongly a slide is stained: statistics of haematoxylin and eosin over its tissue."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.slide.base import Slide
from napari_tcgn.slide.density import optical_density
from napari_tcgn.slide.tissue import TissueMask

# Always at the same scale: blurring narrows the spread of colours, so figures of other scales do not compare.
STAIN_UM = 8.0  # µm per px
MAX_SIDE = 6000  # px, of slides wider than 48 mm
UNKNOWN_SIDE = 1000  # px, where the slide has no µm per px
MAX_PIXELS = 500_000  # of tissue that are looked at


@dataclass(frozen=True, slots=True)
class StainStatistics:
    """Stain of a slide's tissue, in optical density (natural logarithm).

    Attributes
    ----------
    haematoxylin_mean, haematoxylin_sd, eosin_mean, eosin_sd : float
        Stains are separated with the vectors of Ruifrok and Johnston (2001).
    """

    haematoxylin_mean: float
    haematoxylin_sd: float
    eosin_mean: float
    eosin_sd: float

    def to_record(self) -> dict[str, float]:
        """Return the figures for a run record or a model card."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def stain_side(slide: Slide) -> int:
    """Return the longer side (px) of the picture of a slide that its stain is measured in."""
    side = UNKNOWN_SIDE if slide.mpp is None else round(max(slide.level_dimensions[0]) * slide.mpp / STAIN_UM)
    return min(MAX_SIDE, max(1, side))


def pixels_on_tissue(picture: NDArray[np.uint8], scale: float, tissue: TissueMask) -> NDArray[np.uint8]:
    """Return the colours of a picture's tissue, or an even choice of half a million of them.

    Parameters
    ----------
    picture : uint8 [h, w, 3]
    scale : float
        Its px per full-resolution px.
    tissue : TissueMask

    Returns
    -------
    uint8 [n, 3]
        Empty if there is no tissue.
    """
    height, width = tissue.mask.shape
    row = ((np.arange(picture.shape[0]) + 0.5) / scale * tissue.scale).astype(np.intp).clip(0, height - 1)
    column = ((np.arange(picture.shape[1]) + 0.5) / scale * tissue.scale).astype(np.intp).clip(0, width - 1)
    inside = np.flatnonzero(tissue.mask[np.ix_(row, column)])
    return picture.reshape(-1, 3)[inside[:: -(-len(inside) // MAX_PIXELS) or 1]]


def stain_statistics(pixels: NDArray[np.uint8]) -> StainStatistics:
    """Measure the stain of tissue pixels, uint8 [n, 3], n at least 1."""
    from skimage.color import hed_from_rgb

    stains = optical_density(pixels) @ hed_from_rgb[:, :2].astype(np.float32)  # [n, haematoxylin and eosin]
    mean, sd = stains.mean(axis=0, dtype=np.float64), stains.std(axis=0, dtype=np.float64)
    return StainStatistics(float(mean[0]), float(sd[0]), float(mean[1]), float(sd[1]))


def stain_of_patches(patches: NDArray[np.uint8], um: float) -> StainStatistics:
    """Measure the stain of the tissue in patches, at the same scale as `Overview.stain`.

    Parameters
    ----------
    patches : uint8 [n, side, side, 3]
    um : float
        Side of a patch in µm.
    """
    side = patches.shape[1]
    block = min(side, max(1, round(STAIN_UM * side / um)))
    whole = side // block * block
    shrunk = [
        part[:, :whole, :whole].reshape(len(part), side // block, block, side // block, block, 3).mean(axis=(2, 4))
        for part in np.array_split(patches, -(-len(patches) // 64))  # not all of them as floating point at once
    ]
    return stain_statistics(np.rint(np.concatenate(shrunk)).astype(np.uint8).reshape(-1, 3))
