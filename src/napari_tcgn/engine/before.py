"""What can be told of a slide and a model before anything is predicted: how like the training some spots are."""

from __future__ import annotations

from threading import Event

import numpy as np

from napari_tcgn.engine.domain import count_outside, stained_like
from napari_tcgn.engine.patches import choose_patches, cut_batch, patch_source, reading_order
from napari_tcgn.engine.record import DomainRecord
from napari_tcgn.model import Predictor, domain_of
from napari_tcgn.options import StainName
from napari_tcgn.slide import Slide
from napari_tcgn.spots import Spots

SAMPLE, AT_ONCE = 200, 16


def sample_domain(
    slide: Slide, spots: Spots, predictor: Predictor, stain: StainName = "none", most: int = SAMPLE, seed: int = 0
) -> DomainRecord | None:
    """Count how many of some spots look unlike the training patches, without predicting any (some ms per spot).

    Parameters
    ----------
    slide : Slide
        With known µm per px.
    spots : Spots
    predictor : Predictor
    stain : {"none", "reinhard", "macenko"}
        As it will be predicted with.
    most : int
        Spots that are looked at, drawn from all; fewer where there are fewer.
    seed : int

    Returns
    -------
    DomainRecord or None
        None for a model that has nothing to compare with, and without any spot; `outside_warnings` makes a sentence of
        it.

    Raises
    ------
    PixelSizeUnknownError, SlideError, ModelError
        As `run`.
    """
    domain = domain_of(predictor)
    if domain is None or len(spots) == 0:
        return None
    card, count = predictor.card, min(most, len(spots))
    chosen = np.random.default_rng(seed).choice(len(spots), count, replace=False)
    some = spots.select(chosen)
    patch = choose_patches(slide, card)
    source, level = patch_source(stained_like(slide, card, stain), card, patch)
    order = reading_order(some.x, some.y, patch.side_px)
    found = []
    for batch in np.split(order, range(AT_ONCE, count, AT_ONCE)):
        found.append(domain(cut_batch(source, some.x[batch], some.y[batch], patch.side_px, level, Event())))
    return count_outside(np.concatenate(found))
