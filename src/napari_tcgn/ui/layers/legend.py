"""What the canvas says of the map that is seen: slide, gene, what it is, unit, how much is there, and its colour bar.

All functions run on the main thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Points

from napari_tcgn.ui.layers import canvas, result_layers, store
from napari_tcgn.ui.layers.composite import INK, Composite, composite_of
from napari_tcgn.ui.layers.drawing import drawn_of
from napari_tcgn.ui.layers.per_layer import PerLayer, unwrap
from napari_tcgn.ui.layers.placement import centre_of, lies_on
from napari_tcgn.ui.tasks.later import Later

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils.events import Event, EventEmitter
    from napari.viewer import Viewer

    from napari_tcgn.ui.layers.colours import Colours
    from napari_tcgn.ui.state import DockState

FAINT = "faint: uncertain"


class Legend:
    """Labels the map that is seen, or the two that are seen side by side.

    Of maps that lie on each other the uppermost visible one is seen. With more than two beside each other these are
    that of the selected layer, and the uppermost other one.

    Parameters
    ----------
    viewer : napari.Viewer
    state : DockState
    colours : Colours
    """

    def __init__(self, viewer: Viewer, state: DockState, colours: Colours) -> None:
        self._viewer, self._state, self._colours = viewer, state, colours
        self._watched: PerLayer[bool] = PerLayer()
        self._later = Later(self.update)  # what a layer shows is said after it has been added
        self._events = (
            viewer.layers.events.removed,
            viewer.layers.events.reordered,
            viewer.layers.selection.events.active,
            *canvas.size_events(viewer),
        )
        for event in self._events:
            event.connect(self._later.ask)
        viewer.layers.events.inserted.connect(self._on_inserted)
        self._signals = (
            colours.painted,
            state.events.look,
            state.events.progress,
            state.events.running,
            state.events.result_version,
        )
        for signal in self._signals:
            signal.connect(self._later.ask)
        for layer in viewer.layers:
            canvas.show_scale_of(viewer, layer)
            self._watch(layer)
        self._later.ask()

    def close(self, viewer_is_gone: bool) -> None:
        """Take the labels away, if there still is a viewer, and follow it no longer."""
        self._later.stop()
        for event in self._events:
            event.disconnect(self._later.ask)
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        for signal in self._signals:
            signal.disconnect(self._later.ask)
        for layer in self._watched.layers():
            for event in _events_of(layer):
                event.disconnect(self._later.ask)
        if not viewer_is_gone:
            self._show({})

    def _watch(self, layer: Layer) -> None:
        layer = unwrap(layer)
        if isinstance(layer, Points) and store.made_from(layer) is not None and layer not in self._watched:
            self._watched[layer] = True
            for event in _events_of(layer):
                event.connect(self._later.ask)

    def _on_inserted(self, event: Event) -> None:
        canvas.show_scale_of(self._viewer, event.value)
        self._watch(event.value)
        self._later.ask()

    def update(self) -> None:
        """Say what is seen now."""
        seen = seen_maps(self._viewer)
        places = canvas.PLACES if len(seen) > 1 else canvas.PLACES[:1]
        self._show(dict(zip(places, seen, strict=False)))

    def _show(self, seen: dict[str, Points]) -> None:
        first, second = (seen.get(place) for place in canvas.PLACES)
        share = 1.0 if second is None else 0.5
        canvas.show_label(self._viewer, canvas.PLACES[0], self.lines(first), share)
        canvas.show_label(self._viewer, canvas.PLACES[1], self.lines(second, beside=first), share)
        for one in self._watched.layers():
            place = next((place for place, layer in seen.items() if layer is one), "")
            assert isinstance(one, Points)  # no others are watched
            has_bar = self._state.look.label and composite_of(one) is None
            canvas.show_colour_bar(one, place if has_bar else "")

    def lines(self, layer: Points | None, beside: Points | None = None) -> list[tuple[str, str]]:
        """Return what is said of a map: lines, each with its colour ("": that of plain text).

        Of one beside another, slide and unit are not said again. Without labels, partial results still say it.
        """
        mixed, result, first = composite_of(layer), _result_of(layer), _result_of(beside)
        if layer is None or result is None:
            return []
        if not self._state.look.label:
            return self._share(result)
        slide = "" if first is not None and first.library_id == result.library_id else f"{result.library_id} · "
        if mixed is not None:
            return [(f"{slide}three genes", ""), *_channels(mixed), *self._share(result)]
        unit = "" if first is not None and first.output_scale == result.output_scale else result.output_scale
        scale = self._colours.scale(layer)
        limits = f"{number(scale.low)} to {number(scale.high)} {unit}".strip()
        gene = result_layers.shown_gene(layer)
        known = result.interval_of(gene) is not None or result.domain_p is not None
        faint = [(FAINT, "")] if drawn_of(layer).fade and known else []
        return [(f"{slide}{gene} · {result.kind}", ""), (limits, ""), *faint, *self._share(result)]

    def _share(self, result: store.Result) -> list[tuple[str, str]]:
        """Say how many spots have values, where a run has not predicted all of them."""
        filling = self._state.running and store.made_from(self._state.result_layer) is result
        if filling and result.partial:
            return [(f"{int(result.done.sum()):,} of {len(result.done):,} spots so far", "")]
        sentence = partial_sentence(result)
        return [(sentence, "")] if sentence else []


def partial_sentence(result: store.Result) -> str:
    """Return how much of a partial result there is; "" for one that was run to its end, or not run at all."""
    if result.stopped:
        return f"Partial result: {len(result.done):,} spots"
    if result.prediction is None or not result.partial:
        return ""
    return f"Partial result: {int(result.done.sum()):,} of {len(result.done):,} spots"


def seen_maps(viewer: Viewer) -> list[Points]:
    """Return the layers of one gene or three that are seen, at most two beside each other, from left to right."""
    shown = [
        unwrap(layer)
        for layer in reversed(viewer.layers)
        if isinstance(layer, Points) and layer.visible and store.made_from(layer) is not None
    ]
    seen: list[Points] = []
    for layer in shown:
        if not any(lies_on(layer, other) for other in seen):
            seen.append(layer)
    active = viewer.layers.selection.active
    if isinstance(active, Points) and unwrap(active) in shown:
        seen.sort(key=lambda layer: not lies_on(active, layer))
    return sorted(seen[:2], key=lambda layer: float(centre_of(layer)[1]))


def _result_of(layer: Points | None) -> store.Result | None:
    """Return the result whose values a map shows."""
    return store.result_of(layer) or store.made_from(layer)


def number(value: float) -> str:
    """Return a colour limit for people."""
    return f"{value:.3g}"


def _channels(mixed: Composite) -> list[tuple[str, str]]:
    found = zip(mixed.genes, mixed.fitted_limits(), mixed.palette, strict=True)
    return [(f"{gene}  {number(low)} to {number(high)}", INK[channel]) for gene, (low, high), channel in found]


def _events_of(layer: Layer) -> tuple[EventEmitter, ...]:
    return layer.events.visible, layer.events.affine, layer.events.translate
