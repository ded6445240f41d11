"""Smooth surfaces instead of spots, while the look says so: one for every result layer that is visible."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from napari.layers import Points

from napari_tcgn.ui.layers import layer_names, result_layers, store
from napari_tcgn.ui.layers.per_layer import PerLayer, unwrap
from napari_tcgn.ui.layers.placement import placement_events
from napari_tcgn.ui.layers.surface_layer import add_surface, colour_surface, place_surface, show_surface
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.tasks.background import Failure
from napari_tcgn.ui.tasks.later import Later
from napari_tcgn.ui.tasks.latest import Latest

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from napari.utils.events import Event

    from napari_tcgn.stats import Surface

SURFACE, SPOTS = "surface", "discs"


class Surfaces:
    """Image layers that follow the gene, the colours, the place and the visibility of result layers.

    Until a surface is computed the spots are seen, and again when it goes. A surface that is removed in napari's list
    is not wanted: spots are drawn again.

    Parameters
    ----------
    session : Session
    failed : callable (Failure)
        Told why there is no surface, whereupon spots are drawn again.
    """

    def __init__(self, session: Session, failed: Callable[[Failure], object]) -> None:
        self._session, self._tell = session, failed
        self._images: PerLayer[Image] = PerLayer()  # by points layer, as all of these
        self._surfaces: PerLayer[Surface] = PerLayer()
        self._computed: PerLayer[tuple[str, int, float]] = PerLayer()  # gene, spots with values, bandwidth
        self._work: PerLayer[Latest[Surface]] = PerLayer()
        self._removing = False
        session.state.events.look.connect(self.update)
        session.colours.painted.connect(self._on_painted)
        session.viewer.layers.events.removed.connect(self._on_removed)
        self._later = Later(self.update)  # what a layer shows is said after it has been added
        session.viewer.layers.events.inserted.connect(self._later.ask)
        self.update()

    def disconnect_all(self) -> None:
        """Take the surfaces away and stop listening to the viewer, which outlives the dock."""
        session = self._session
        session.state.events.look.disconnect(self.update)
        session.colours.painted.disconnect(self._on_painted)
        session.viewer.layers.events.removed.disconnect(self._on_removed)
        session.viewer.layers.events.inserted.disconnect(self._later.ask)
        self._later.stop()
        for layer in self._work.layers():
            self._drop(layer)

    def update(self, *_: object) -> None:
        """Make the surfaces that are wanted, and drop the others."""
        if self._session.state.look.style != SURFACE:
            for layer in self._work.layers():
                self._drop(layer)
            return
        for layer in self._session.colours.result_layers():
            self._compute(layer)

    def _compute(self, layer: Points) -> None:
        result = store.result_of(layer)
        assert result is not None  # surfaces are made of results only
        if layer not in self._work:
            self._watch(layer)
        gene, bandwidth = result_layers.shown_gene(layer), self._session.state.look.bandwidth
        wanted = gene, int(result.done.sum()), bandwidth
        if not layer.visible or self._computed.get(layer) == wanted:
            return
        self._computed[layer] = wanted
        values, spots = result.values_of(gene), result.spots

        def work() -> Surface:
            from napari_tcgn.stats import smooth_surface

            return smooth_surface(spots.x, spots.y, values, bandwidth)

        latest = self._work.get(layer)
        assert latest is not None  # watched above
        latest.ask(work)

    def _watch(self, layer: Points) -> None:
        self._work[layer] = Latest(self._session.background, partial(self._show, layer), self._on_failed)
        layer.events.visible.connect(self._on_visible)
        for event in placement_events(layer):
            event.connect(self._on_placed)

    def _show(self, layer: Points, surface: Surface) -> None:
        session, image, result = self._session, self._images.get(layer), store.result_of(layer)
        if result is None or layer not in session.viewer.layers or layer not in self._work:
            return
        scale = session.colours.scale(layer)
        name = layer_names.surface_name(result.library_id, result_layers.shown_gene(layer), result.kind)
        self._surfaces[layer] = surface
        if image is not None:
            show_surface(image, layer, surface, scale, name)
            return
        with session.selection_kept():
            image = self._images[layer] = unwrap(add_surface(session.viewer, layer, surface, scale, name))
        image.visible = layer.visible
        session.colours.show_surface_of(layer, True)

    def _on_failed(self, failure: Failure) -> None:
        self._session.state.change_look(style=SPOTS)
        self._tell(failure)

    def _on_visible(self, event: Event) -> None:
        layer, image = event.source, self._images.get(event.source)
        if image is not None:
            image.visible = layer.visible
        self._compute(layer)

    def _on_placed(self, event: Event) -> None:
        image, surface = self._images.get(event.source), self._surfaces.get(event.source)
        if image is not None and surface is not None:
            place_surface(image, event.source, surface)

    def _on_painted(self, layer: Points) -> None:
        if self._session.state.look.style != SURFACE:
            return
        image = self._images.get(layer)
        if image is not None:
            colour_surface(image, self._session.colours.scale(layer))
        self._compute(unwrap(layer))

    def _on_removed(self, event: Event) -> None:
        gone = unwrap(event.value)
        if gone in self._work:
            self._drop(gone)
        elif not self._removing and any(self._images.get(layer) is gone for layer in self._images.layers()):
            self._session.state.change_look(style=SPOTS)

    def _drop(self, layer: Layer) -> None:
        """Draw the spots of a layer again, and no surface."""
        assert isinstance(layer, Points)  # surfaces are made of points only
        latest, image = self._work.get(layer), self._images.get(layer)
        if latest is not None:
            latest.cancel()
        layer.events.visible.disconnect(self._on_visible)
        for event in placement_events(layer):
            event.disconnect(self._on_placed)
        for of_layer in (self._work, self._images, self._surfaces, self._computed):
            of_layer.forget(layer)
        viewer = self._session.viewer
        self._removing = True
        if image is not None and image in viewer.layers:
            viewer.layers.remove(image)
        self._removing = False
        if layer in viewer.layers:
            self._session.colours.show_surface_of(layer, False)
