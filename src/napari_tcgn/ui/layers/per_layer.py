"""Something remembered of each layer, for as long as the layer lives."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from napari.layers import Layer

T = TypeVar("T")
AnyLayer = TypeVar("AnyLayer", bound="Layer | None")


def unwrap(layer: AnyLayer) -> AnyLayer:
    """Return the layer itself: widgets see layers through a proxy that lives for a moment only."""
    itself: AnyLayer = getattr(layer, "__wrapped__", layer)
    return itself


class PerLayer(Generic[T]):
    """A dictionary by layer that keeps no layer alive."""

    def __init__(self) -> None:
        self._of: weakref.WeakKeyDictionary[Layer, T] = weakref.WeakKeyDictionary()

    def __setitem__(self, layer: Layer, value: T) -> None:
        self._of[unwrap(layer)] = value

    def __contains__(self, layer: Layer | None) -> bool:
        return layer is not None and unwrap(layer) in self._of

    def get(self, layer: Layer | None) -> T | None:
        """Return what is remembered of a layer, None if nothing is."""
        return None if layer is None else self._of.get(unwrap(layer))

    def forget(self, layer: Layer) -> None:
        """Remember nothing of a layer any more."""
        self._of.pop(unwrap(layer), None)

    def layers(self) -> list[Layer]:
        """Return the layers of which something is remembered."""
        return list(self._of)
