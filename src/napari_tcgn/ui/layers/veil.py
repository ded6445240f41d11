"""A white veil over the slides that lie under results, so that the colours of the results can be read.

All functions run on the main thread.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from napari.layers import Image

from napari_tcgn.ui.layers import slide_layers, store
from napari_tcgn.ui.layers.per_layer import PerLayer, unwrap
from napari_tcgn.ui.layers.placement import lies_on, picture_placement, placement_events
from napari_tcgn.ui.tasks.later import Later

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils.events import Event
    from napari.viewer import Viewer

    from napari_tcgn.ui.state import DockState

VEIL = f"{store.KEY}_veil"  # in the metadata of a veil
WHITE = np.full((1, 1, 3), 255, dtype=np.uint8)


class Veils:
    """One white px just above each slide on which a result is seen; as dense as the look says.

    A veil that is removed in napari's list is not wanted: the look's `dim` becomes 0. One that is hidden there stays
    so until a result is shown anew.

    Parameters
    ----------
    viewer : napari.Viewer
    state : DockState
    """

    def __init__(self, viewer: Viewer, state: DockState) -> None:
        self._viewer, self._state = viewer, state
        self._veils: PerLayer[Image] = PerLayer()  # by the image that they lie on
        self._wanted: PerLayer[bool] = PerLayer()  # by the image
        self._watched: PerLayer[bool] = PerLayer()
        self._removing = False
        self._taken_away: weakref.WeakSet[Layer] = weakref.WeakSet()  # images whose veil the user has removed
        self._later = Later(self._update)  # a list must not change while it tells of a change
        events = viewer.layers.events
        events.inserted.connect(self._on_inserted)
        events.removed.connect(self._on_removed)
        state.events.look.connect(self._later.ask)
        for layer in viewer.layers:
            self._watch(layer)
        self._later.ask()

    def close(self, viewer_is_gone: bool) -> None:
        """Take the veils away, if there still is a viewer, and follow it no longer."""
        self._later.stop()
        events = self._viewer.layers.events
        events.inserted.disconnect(self._on_inserted)
        events.removed.disconnect(self._on_removed)
        self._state.events.look.disconnect(self._later.ask)
        for layer in self._watched.layers():
            layer.events.visible.disconnect(self._later.ask)
        for image in self._veils.layers() if not viewer_is_gone else ():
            self._remove(image)

    def _watch(self, layer: Layer) -> None:
        if layer not in self._watched and VEIL not in layer.metadata:
            self._watched[layer] = True
            unwrap(layer).events.visible.connect(self._later.ask)

    def _on_inserted(self, event: Event) -> None:
        self._watch(event.value)
        self._later.ask()

    def _on_removed(self, event: Event) -> None:
        gone = unwrap(event.value)
        if not self._removing:
            for image in self._veils.layers():
                if self._veils.get(image) is gone:
                    self._forget(image)
                    self._taken_away.add(image)
        self._later.ask()

    def _update(self) -> None:
        layers = self._viewer.layers
        # Alone, and not together with what it lay on.
        if any(image in layers for image in self._taken_away):
            self._state.change_look(dim=0)
        self._taken_away.clear()
        dim = self._state.look.dim
        seen = [layer for layer in layers if layer.visible and store.made_from(layer) is not None]
        for image in self._veils.layers():
            if image not in layers or dim == 0:
                self._remove(image)
        for image in [unwrap(layer) for layer in layers if _can_be_dimmed(layer)] if dim else ():
            wanted = image.visible and any(lies_on(layer, image) for layer in seen)
            if wanted and image not in self._veils:
                self._add(image)
            veil = self._veils.get(image)
            if veil is None:
                continue
            if wanted != self._wanted.get(image):
                self._wanted[image] = veil.visible = wanted
            if veil.opacity != dim / 100:
                veil.opacity = dim / 100

    def _add(self, image: Image) -> None:
        veil = Image(
            WHITE,
            rgb=True,
            name=f"{image.name} · dimmed",
            opacity=self._state.look.dim / 100,
            metadata={VEIL: True},
            **_placement(image),
        )
        layers = self._viewer.layers
        active = layers.selection.active
        with layers.selection.events.active.blocker():  # napari selects what is added
            layers.insert(layers.index(image) + 1, veil)
            layers.selection.active = active
        self._veils[image], self._wanted[image] = veil, True
        for event in placement_events(image):
            event.connect(self._on_placed)

    def _on_placed(self, event: Event) -> None:
        veil = self._veils.get(event.source)
        for name, value in _placement(event.source).items() if veil is not None else ():
            setattr(veil, name, value)

    def _remove(self, image: Layer) -> None:
        veil = self._veils.get(image)
        self._forget(image)
        self._removing = True
        if veil is not None and veil in self._viewer.layers:
            self._viewer.layers.remove(veil)
        self._removing = False

    def _forget(self, image: Layer) -> None:
        for event in placement_events(image):
            event.disconnect(self._on_placed)
        self._veils.forget(image)
        self._wanted.forget(image)


def is_veil(layer: Layer) -> bool:
    """Whether a layer is a veil over a slide."""
    return VEIL in layer.metadata


def _can_be_dimmed(layer: Layer) -> TypeGuard[Image]:
    """Whether a layer is a slide, its second view, or the small picture of a result."""
    return isinstance(layer, Image) and (
        slide_layers.may_be_slide(layer) or slide_layers.is_thumbnail(layer) or slide_layers.VIEW_OF in layer.metadata
    )


def _placement(image: Image) -> dict[str, Any]:
    height, width = (image.data[0] if image.multiscale else image.data).shape[:2]
    return picture_placement(image, np.array([1 / height, 1 / width]))
