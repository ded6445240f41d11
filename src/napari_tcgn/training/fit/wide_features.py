"""Features of squares wider than the patches that are in memory, read from the slides of the sections once more."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from threading import Event

import numpy as np
import torch
from numpy.typing import NDArray

from napari_tcgn.engine import choose_patches, cut_batch, leaves_image, patch_source, reading_order
from napari_tcgn.model import FeatureExtractor, ModelCard
from napari_tcgn.slide import open_slide
from napari_tcgn.training.data.cut import unpacked
from napari_tcgn.training.data.section import MeasuredSection

BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class WideFeatures:
    """Features of a section's spots.

    Attributes
    ----------
    values : float64 [n, features]
    padded : int
        Spots whose widest square reaches over the edge of the image (filled up with white).
    """

    values: NDArray[np.float64]
    padded: int


def wide_features(section: MeasuredSection, card: ModelCard, device: str = "cpu") -> WideFeatures:
    """Read the patches of a card around the spots of a section, as a prediction would, and return their features.

    Only a batch of patches is held at a time.

    Raises
    ------
    SlideError
        If the image cannot be read, or a patch has no px to speak of.
    """
    extract, spots = FeatureExtractor(card, device), section.spots
    with unpacked(section.files.image) as image, closing(open_slide(image, mpp=section.mpp)) as slide:
        patch = choose_patches(slide, card)
        source, level = patch_source(slide, card, patch)
        order = reading_order(spots.x, spots.y, patch.side_px)
        found = []
        for batch in np.split(order, range(BATCH, len(order), BATCH)):
            patches = cut_batch(source, spots.x[batch], spots.y[batch], patch.side_px, level, Event())
            found.append(extract(patches).cpu())
        values = np.empty((len(order), found[0].shape[1]))
        values[order] = torch.cat(found).double().numpy()
        padded = int(leaves_image(spots.x, spots.y, patch.side_px, *slide.level_dimensions[0]).sum())
    return WideFeatures(values, padded)
