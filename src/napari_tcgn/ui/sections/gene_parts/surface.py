"""Smooth surface or spots."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from napari.layers import Points

from napari_tcgn.ui.layers import result_layers, store
from napari_tcgn.ui.layers.per_layer import PerLayer, unwrap
from napari_tcgn.ui.layers.placement import placement_events
from napari_tcgn.ui.layers.surface_layer import add_surface, colour_surface, place_surface, show_surface
from napari_tcgn.ui.sections.base import Part
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.tasks.background import Failure
from napari_tcgn.ui.tasks.latest import Latest
from napari_tcgn.ui.widgets.controls import number_box, set_quietly, tick_box

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.utils.events import Event

    from napari_tcgn.stats import Surface


class SurfacePart(Part):
    """An image layer that follows the gene and the colour scale of the chosen result."""

    def __init__(self, session: Session) -> None:
        super().__init__("Smooth surface", "Show a smooth surface instead of spots, or below them")
        self.session = session
        self.surface_box = tick_box(
            "smooth surface",
            "An image layer: the mean of the spots around each place, weighted by a Gaussian of their distance; "
            "transparent away from spots. It follows the gene and the colours",
        )
        self.spots_box = tick_box("spots", "Show the spots on top of the surface", ticked=True)
        tip = "Standard deviation of the Gaussian; a pitch is from spot to spot"
        self.bandwidth_box = number_box(tip, 0.2, 5, 0.5, decimals=1, step=0.1, suffix=" pitches")
        self.bandwidth_box.setKeyboardTracking(False)
        self.form.addRow(self.surface_box)
        self.form.addRow("bandwidth", self.bandwidth_box)
        self.form.addRow(self.spots_box)
        self._images: PerLayer[Image] = PerLayer()  # by points layer
        self._surfaces: PerLayer[Surface] = PerLayer()
        self._wanted: weakref.WeakSet[Points] = weakref.WeakSet()  # points layers
        self._latest = Latest(session.background, self._show_surface, self._on_failed)
        self.surface_box.toggled.connect(self._on_surface)
        self.spots_box.toggled.connect(self._on_spots)
        self.bandwidth_box.valueChanged.connect(self._compute)
        session.colours.painted.connect(self._on_painted)
        session.state.events.result_layer.connect(self._show_state)
        session.viewer.layers.events.removed.connect(self._on_removed)
        self._show_state()

    def disconnect_all(self) -> None:
        """Stop listening to the viewer, which outlives the dock."""
        self.session.viewer.layers.events.removed.disconnect(self._on_removed)

    def _show_state(self) -> None:
        layer = self.session.state.result_layer
        image = self._images.get(layer)
        for widget in (self.surface_box, self.bandwidth_box, self.spots_box):
            widget.setEnabled(layer is not None)
        set_quietly(self.surface_box, image is not None)
        set_quietly(self.spots_box, layer is None or bool(layer.visible))

    def _on_surface(self, wanted: bool) -> None:
        layer = self.session.state.result_layer
        assert layer is not None  # the boxes are disabled without one
        if wanted:
            self._wanted.add(unwrap(layer))
            self._compute()
            return
        self._wanted.discard(unwrap(layer))
        image = self._images.get(layer)
        layer.visible = True
        set_quietly(self.spots_box, True)
        if image is not None and image in self.session.viewer.layers:
            self.session.viewer.layers.remove(image)

    def _on_spots(self, shown: bool) -> None:
        layer = self.session.state.result_layer
        assert layer is not None  # the boxes are disabled without one
        layer.visible = shown

    def _compute(self, *_: object) -> None:
        layer = unwrap(self.session.state.result_layer)
        result = store.result_of(layer)
        if layer is None or result is None or layer not in self._wanted:
            return
        gene, bandwidth = result_layers.shown_gene(layer), self.bandwidth_box.value()
        values, spots = result.values_of(gene), result.spots

        def work() -> tuple[Points, str, Surface]:
            from napari_tcgn.stats import smooth_surface

            return layer, gene, smooth_surface(spots.x, spots.y, values, bandwidth)

        self._latest.ask(work)

    def _show_surface(self, computed: tuple[Points, str, Surface]) -> None:
        layer, gene, surface = computed
        self.message.say("")
        viewer, image, scale = self.session.viewer, self._images.get(layer), self.session.colours.scale(layer)
        result = store.result_of(layer)
        if result is None or layer not in viewer.layers or layer not in self._wanted:
            return
        name = f"{result_layers.result_name(gene, result.kind)} · surface"
        self._surfaces[layer] = surface
        if image is None:
            self._images[layer] = unwrap(add_surface(viewer, layer, surface, scale, name))
            for event in placement_events(layer):
                event.connect(self._on_placed)
        else:
            show_surface(image, layer, surface, scale, name)

    def _on_failed(self, failure: Failure) -> None:
        self.message.fail(failure)
        for layer in [layer for layer in self._wanted if layer not in self._images]:
            self._wanted.discard(layer)
        self._show_state()

    def _on_placed(self, event: Event) -> None:
        layer = event.source
        image, surface = self._images.get(layer), self._surfaces.get(layer)
        if image is not None and surface is not None:
            place_surface(image, layer, surface)

    def _on_painted(self, layer: Points) -> None:
        image = self._images.get(layer)
        if image is None:
            return
        colour_surface(image, self.session.colours.scale(layer))
        if unwrap(layer) is unwrap(self.session.state.result_layer):
            self._compute()

    def _on_removed(self, event: Event) -> None:
        removed = unwrap(event.value)
        for layer in self._images.layers():
            if isinstance(layer, Points) and self._images.get(layer) is removed:
                self._images.forget(layer)
                self._wanted.discard(layer)
                layer.visible = True
        self._show_state()
