"""Which gene every result layer shows and how it is coloured: the one owner of the colour scales in a viewer.

Points layers of napari have neither a slider of limits nor linked limits, so the dock keeps them.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari.layers import Points
from psygnal import Signal

from napari_tcgn.ui.layers import composite, drawing, layer_names, result_layers, store
from napari_tcgn.ui.layers.colour_scale import ColourScale
from napari_tcgn.ui.layers.per_layer import PerLayer, unwrap

if TYPE_CHECKING:
    import numpy as np
    from napari.layers import Layer
    from napari.utils.events import Event
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_tcgn.ui.state import DockState, Look

SHARED = ("low", "high", "automatic", "percent", "centre")  # what linked layers have in common

_scales: PerLayer[ColourScale] = PerLayer()
_pinned: PerLayer[str] = PerLayer()
_painted: PerLayer[int] = PerLayer()  # how many spots had values when the layer was coloured


class Colours:
    """The colours of the result layers of one viewer, and how their spots are drawn.

    Parameters
    ----------
    viewer : napari.Viewer
    state : DockState
        Its `look` is followed.

    Attributes
    ----------
    painted : signal (layer)
        After a layer has been coloured anew.
    linked_changed : signal
    same_gene : bool
        Whether linked layers also show the same gene, where they have it.
    """

    painted = Signal(object)
    linked_changed = Signal()

    def __init__(self, viewer: Viewer, state: DockState) -> None:
        self._viewer, self._state = viewer, state
        self._linked: weakref.WeakSet[Points] = weakref.WeakSet()
        self._with_surface: weakref.WeakSet[Points] = weakref.WeakSet()
        self._pairs: list[weakref.WeakSet[Points]] = []
        self.same_gene = True
        state.events.look.connect(self._on_look)
        viewer.layers.events.inserted.connect(self._on_inserted)
        self._on_look(state.look)

    def close(self) -> None:
        """Follow the look and the viewer's layers no longer, which outlive the dock."""
        self._state.events.look.disconnect(self._on_look)
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)

    # -- what is shown -------------------------------------------------------------------------------------------

    def show(self, layer: Points, gene: str) -> None:
        """Colour a result layer by a gene, and the layers linked to it."""
        genes = {unwrap(layer): gene}
        pair = self.paired_with(layer)
        for other in [*(self.linked_to(layer) if self.same_gene else ()), *pair]:
            result = store.result_of(other)
            if result is not None and result.has(gene) and other not in _pinned:
                genes[other] = gene
        self._paint(layer, genes)
        for other in pair:
            if other in genes and other not in self.linked_to(layer):
                self._paint(other, genes)

    def refresh(self) -> None:
        """Colour anew every layer whose result has got values since it was coloured last."""
        for layer in self.result_layers():
            result = store.result_of(layer)
            assert result is not None  # `result_layers` returns no others
            if int(result.done.sum()) != _painted.get(layer):
                self._paint(layer, {})

    def label_partial(self) -> None:
        """Say of every result that nobody fills in any more whether it is partial."""
        for layer in self.result_layers():
            result = store.result_of(layer)
            assert result is not None  # `result_layers` returns no others
            result_layers.name_result(layer, result, result_layers.shown_gene(layer), result.partial)

    def result_layers(self) -> list[Points]:
        """Return the layers of the viewer that show a result."""
        return [unwrap(layer) for layer in self._viewer.layers if store.shows_result(layer)]

    # -- scales --------------------------------------------------------------------------------------------------

    def scale(self, layer: Points) -> ColourScale:
        """Return a layer's colour scale."""
        known = _scales.get(layer)
        if known is None:  # never coloured here: as it was added
            low, high = layer.face_contrast_limits or (0.0, 1.0)
            known = ColourScale(layer.face_colormap.name, float(low), float(high))
        return known

    def change(self, layer: Points, **changes: Any) -> None:
        """Change some of a layer's scale (fields of `ColourScale`) and colour it, and what is linked to it."""
        _scales[layer] = replace(self.scale(layer), **changes)
        shared = {name: value for name, value in changes.items() if name in SHARED}
        for other in self.linked_to(layer) if shared else ():
            _scales[other] = replace(self.scale(other), **shared)
        self._paint(layer, {})
        for other in self.paired_with(layer) if "colormap" in changes else ():
            if self.scale(other).colormap != changes["colormap"]:
                self.change(other, colormap=changes["colormap"])

    # -- how spots are drawn -------------------------------------------------------------------------------------

    def show_surface_of(self, layer: Points, shown: bool) -> None:
        """Say whether a surface shows the values of a layer, whose spots are not drawn then."""
        (self._with_surface.add if shown else self._with_surface.discard)(unwrap(layer))
        self._draw(layer)

    def leave_out(self, layer: Points, which: NDArray[np.bool_] | None) -> None:
        """Leave some spots of a result layer (bool [spots]; None: none) undrawn, for something else lies there."""
        if drawing.leave_out(layer, which):
            self._paint_one(unwrap(layer), result_layers.shown_gene(layer), self.scale(layer))

    def _on_look(self, _look: Look) -> None:
        for layer in self._viewer.layers:
            self._draw(layer)

    def _on_inserted(self, event: Event) -> None:
        if store.shows_result(event.value):  # three genes are drawn like the result that they are made from
            self._draw(event.value)

    def _draw(self, layer: Layer) -> None:
        """Draw the spots of a layer as the look says, if they are drawn otherwise."""
        mixed, result = composite.composite_of(layer), store.result_of(layer)
        shown = mixed.result if mixed is not None else result
        if shown is None or not isinstance(layer, Points):
            return
        style: str = self._state.look.style
        if style == "surface":
            style = drawing.NOTHING if layer in self._with_surface else drawing.DISCS
        drawn = drawing.Drawn(style, self._state.look.size, self._state.look.fade)
        if drawing.drawn_of(layer) == drawn:
            return
        drawing.draw_as(layer, drawn, shown.diameter_px)
        if mixed is not None:
            composite.show_composite(layer, mixed)
        else:
            self._paint(layer, {})

    # -- linked limits -------------------------------------------------------------------------------------------

    def link(self, chosen: Iterable[Points]) -> None:
        """Let layers share their limits; the first one's scale is taken over by all. Others are linked no longer."""
        chosen = [unwrap(layer) for layer in chosen]
        self._linked = weakref.WeakSet(chosen if len(chosen) > 1 else ())
        if self._linked:
            self.change(chosen[0], **{name: getattr(self.scale(chosen[0]), name) for name in SHARED})
        self.linked_changed.emit()

    def linked_to(self, layer: Points) -> list[Points]:
        """Return the other layers that share a layer's limits, in the order of the viewer."""
        if unwrap(layer) not in self._linked:
            return []
        return [other for other in self.result_layers() if other in self._linked and other is not unwrap(layer)]

    # -- pairs ---------------------------------------------------------------------------------------------------

    def pair(self, one: Points, other: Points) -> None:
        """Let two layers show the same gene in the same colour map from now on, whatever their limits."""
        self._pairs = [pair for pair in self._pairs if len(pair) > 1]  # those whose layers are there
        self._pairs.append(weakref.WeakSet([unwrap(one), unwrap(other)]))
        self.change(one, colormap=self.scale(one).colormap)

    def paired_with(self, layer: Points) -> list[Points]:
        """Return the layers that are paired with a layer, in the order of the viewer."""
        layer = unwrap(layer)
        others = {other for pair in self._pairs if layer in pair for other in pair if other is not layer}
        return [other for other in self.result_layers() if other in others]

    def share_limits(self, layer: Points, shared: bool) -> None:
        """Let a layer and those paired with it share their limits, or let each have its own, which follow its gene."""
        pair = [unwrap(layer), *self.paired_with(layer)]
        linked = [one for one in self.linked_to(layer) if one not in pair]
        if shared:
            self.link([*pair, *linked])
            return
        if pair[0] in self._linked:
            self.link([pair[0], *linked])
        for one in pair:
            self.change(one, automatic=True)

    # -- layers that stay with their gene ------------------------------------------------------------------------

    def pin(self, layer: Points, gene: str) -> Points:
        """Add a layer that shows a gene of a layer's result and stays with it; returns the layer."""
        result = store.result_of(layer)
        assert result is not None  # only result layers are pinned
        added = result_layers.add_result_like(self._viewer, layer, result, gene)
        _pinned[added] = gene
        _scales[added] = self.scale(layer)
        self._paint(added, {})
        return added

    def pinned(self, layer: Points) -> bool:
        """Whether a layer stays with its gene."""
        return layer in _pinned

    def browsing_layer(self, layer: Points) -> Points:
        """Return the layer in which the genes of a pinned layer's result are browsed; added anew if it is gone."""
        if layer not in _pinned:
            return layer
        result = store.result_of(layer)
        assert result is not None  # only result layers are pinned
        for other in self.result_layers():
            if other not in _pinned and store.result_of(other) is result:
                return other
        added = result_layers.add_result_like(self._viewer, layer, result, result_layers.shown_gene(layer))
        _scales[added] = self.scale(layer)
        return added

    # ------------------------------------------------------------------------------------------------------------

    def _paint(self, layer: Points, genes: dict[Points, str]) -> None:
        """Colour a layer and all that share its limits; `genes` says which gene where it changes."""
        group = [unwrap(layer), *self.linked_to(layer)]
        shown = {one: genes.get(one) or result_layers.shown_gene(one) for one in group}
        values = []
        if self.scale(layer).automatic:
            for one, gene in shown.items():
                result = store.result_of(one)
                assert result is not None  # `linked_to` returns no others
                values.append(result.values_of(gene))
        limits = self.scale(layer).fitted(values)
        for one, gene in shown.items():
            self._paint_one(one, gene, replace(self.scale(one), low=limits.low, high=limits.high))

    def _paint_one(self, layer: Points, gene: str, scale: ColourScale) -> None:
        result = store.result_of(layer)
        assert result is not None  # only result layers are coloured
        _scales[layer] = scale
        _painted[layer] = int(result.done.sum())
        result_layers.colour_by_gene(layer, gene, scale.limits, scale.colormap)
        # What is being filled in is not called partial; what a run has left behind stays so.
        partial = result.partial and layer_names.says_partial(layer.name)
        result_layers.name_result(layer, result, gene, partial)
        self.painted.emit(layer)
