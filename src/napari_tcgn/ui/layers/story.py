"""One story on the canvas: one slide with one result; what would lie on top of it is hidden until its turn comes.

What the user has hidden by hand stays hidden, and layers that have nothing to do with slides are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Points
from psygnal import Signal

from napari_tcgn.ui.layers import explanation_layers, slide_layers, store
from napari_tcgn.ui.layers.lies_on import shows_waiting_spots
from napari_tcgn.ui.layers.per_layer import PerLayer, unwrap
from napari_tcgn.ui.layers.slides import Slides, SlideWork
from napari_tcgn.ui.layers.spot_layers import points_of
from napari_tcgn.ui.layers.surface_layer import points_of_surface

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils.events import Event
    from napari.viewer import Viewer

    from napari_tcgn.ui.state import DockState

# Not of one story but of all: a dock that is opened again must know what the one before it has hidden.
_hidden: PerLayer[bool] = PerLayer()
_watched: PerLayer[bool] = PerLayer()


class Story:
    """Shows the layers of one slide and, of what was made on it, one thing at a time.

    Parameters
    ----------
    viewer : napari.Viewer
    slides : Slides
    state : DockState
        Its result is shown when it becomes another one, or when another gene of it is chosen.

    Attributes
    ----------
    told : signal
        After what is shown may have changed.
    partner_of : callable (layer) -> layer or None
        The layer that stands beside one, and is then shown with it.
    apart : bool
        Whether the slides stand apart, so that all are shown, each with what was chosen on it last.
    """

    told = Signal()

    def __init__(self, viewer: Viewer, slides: Slides, state: DockState) -> None:
        self._viewer, self._slides, self._state = viewer, slides, state
        self._turns: PerLayer[int] = PerLayer()  # the larger, the later a layer was the one to show
        self._turn = 0
        self._group: Hashable | None = None
        self._held = self.apart = False
        self.partner_of: Callable[[Layer], Layer | None] = lambda layer: None
        state.events.result_layer.connect(self.tell)
        state.events.gene.connect(self._on_gene)

    @property
    def focus(self) -> Layer | None:
        """The result, three genes or waiting spots that are shown on the slide in view; None if it has none."""
        return self._focus_of(self._group)

    def tell(self, layer: Layer | None) -> None:
        """Show a layer with its slide, or a slide with what was shown on it last, and hide the other slides."""
        layer = unwrap(layer)
        layer = points_of_surface(layer) or layer
        group = self._slides.group_of(layer)
        if layer is None or group is None or self._held:
            return
        self._group = group
        if _is_choice(layer):
            self._turn += 1
            self._turns[layer] = self._turn
        self.retell()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Change what the dock works on without showing it yet."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    def retell(self) -> None:
        """Show and hide what the story in hand wants, after layers have come, gone or changed."""
        if self._group is None:
            return
        focus = self.focus
        partner = None if focus is None else unwrap(self.partner_of(focus))
        # A pair takes the place of the slide to the right.
        apart = self.apart and partner is None and isinstance(self._group, SlideWork)
        for layer in list(self._viewer.layers):
            group = self._slides.group_of(layer)
            if group is None:
                continue
            if group == self._group:
                shown = [one for one in (focus, partner) if one is not None]
            elif apart and isinstance(group, SlideWork):
                shown = [one for one in (self._focus_of(group),) if one is not None]
            else:
                self._set(layer, False)
                continue
            self._set(layer, self._belongs(unwrap(layer), group, shown))
        self.told()

    def shows(self, layer: Layer | None) -> bool:
        """Whether a layer is not hidden by the story."""
        return layer is not None and layer not in _hidden

    def reveal(self, layer: Layer) -> None:
        """Show a layer: now, or where the story has no place for it, when its turn comes."""
        if not layer.visible:
            _mark(layer)
            self.retell()

    def _on_gene(self) -> None:
        layer = self._state.result_layer
        if layer is not None and not self.shows(layer):
            self.tell(layer)

    def _focus_of(self, group: Hashable | None) -> Layer | None:
        """Return what was chosen last of a slide's, else its newest result, else its spots."""
        if group is None:
            return None
        there = [unwrap(one) for one in self._viewer.layers if _is_choice(one) and self._slides.group_of(one) == group]
        chosen = [one for one in there if one in self._turns]
        if chosen:
            return max(chosen, key=lambda one: self._turns.get(one) or 0)
        results = [one for one in there if store.shows_result(one)]
        return (results or there or [None])[-1]

    def _belongs(self, layer: Layer, group: Hashable, shown: list[Layer]) -> bool:
        """Whether a layer of a slide in view is shown with what is chosen there."""
        if (points := points_of_surface(layer)) is not None:
            return points in shown
        if explanation_layers.is_explanation(layer):
            return any(explanation_layers.belongs_to(layer, one) for one in shown)
        if (ringed := store.marks(layer)) is not None:
            return any(store.made_from(one) is ringed for one in shown)
        if isinstance(layer, Image):
            # The small picture of a result is too coarse to lie on its slide.
            return not (slide_layers.is_thumbnail(layer) and isinstance(group, SlideWork))
        if not _is_choice(layer) or layer in shown:
            return True
        return shows_waiting_spots(layer) and any(_fills(layer, store.result_of(one)) for one in shown)

    def _set(self, layer: Layer, shown: bool) -> None:
        if not shown and layer.visible:
            layer.visible = False
            _mark(layer)
        elif shown and layer in _hidden:
            layer.visible = True


def _mark(layer: Layer) -> None:
    """Remember that a layer is hidden by a story and not by hand."""
    if layer not in _watched:
        layer.events.visible.connect(_on_visible)
        _watched[layer] = True
    _hidden[layer] = True


def _on_visible(event: Event) -> None:
    """Forget that a layer was hidden here when it is shown, by whomever: if it is hidden then, it is by hand."""
    if event.source.visible:
        _hidden.forget(event.source)


def _is_choice(layer: Layer) -> bool:
    """Whether of layers such as this one only one at a time is shown on a slide."""
    return isinstance(layer, Points) and (store.made_from(layer) is not None or shows_waiting_spots(layer))


def _fills(waiting: Layer, result: store.Result | None) -> bool:
    """Whether a result was made at the spots of a layer, and some of them still wait."""
    if result is None or result.prediction is None or not result.partial:
        return False
    return np.array_equal(waiting.data, points_of(result.spots))
