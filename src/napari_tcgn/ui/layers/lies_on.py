"""Which image the layers lie on that show no result: spots that wait for a run, a region, a mask, a second view."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from napari_tcgn.ui.layers.per_layer import PerLayer, unwrap

if TYPE_CHECKING:
    from napari.layers import Image, Layer

_images: PerLayer[weakref.ref[Image]] = PerLayer()
_waiting: PerLayer[bool] = PerLayer()


def lay_on(layer: Layer, image: Image, waits: bool = False) -> None:
    """Say that a layer lies on an image; `waits`: it shows spots that wait for a run."""
    _images[layer] = weakref.ref(unwrap(image))
    if waits:
        _waiting[layer] = True


def image_under(layer: Layer | None) -> Image | None:
    """Return the image that was named for a layer; None if none was, or it is gone."""
    found = _images.get(layer)
    return None if found is None else found()


def shows_waiting_spots(layer: Layer | None) -> bool:
    """Whether a layer shows spots that wait, or have waited, for a run."""
    return layer in _waiting
