"""Whether a slide lies outside what a model was trained on, in sentences for the dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_tcgn.model.card import ModelCard
    from napari_tcgn.slide.base import Slide

TOLERANCE = 1.25  # times the µm per px of training


def warnings_of(card: ModelCard, slide: Slide) -> list[str]:
    """Return what a user should know before this model runs on this slide; it may read the slide."""
    try:
        from napari_tcgn.predict.domain import domain_warnings
    except ModuleNotFoundError:
        return _scale_warnings(card, slide)
    return list(domain_warnings(card, slide))


def _scale_warnings(card: ModelCard, slide: Slide) -> list[str]:
    trained = card.domain.get("mpp")
    if not trained or slide.mpp is None:
        return []
    low, high = min(trained), max(trained)
    if low / TOLERANCE <= slide.mpp <= high * TOLERANCE:
        return []
    span = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return [
        f"The slide has {slide.mpp:g} µm per pixel and the model was trained at {span}: "
        f"it meets a {'finer' if slide.mpp < low else 'coarser'} image than it knows, and predictions are less certain."
    ]
