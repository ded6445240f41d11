"""Which spots and results belong to which slide, when several are open in one viewer."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_tcgn.ui.layers import slide_layers, store
from napari_tcgn.ui.layers.lies_on import image_under
from napari_tcgn.ui.layers.per_layer import PerLayer, unwrap

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from napari.layers import Image, Layer, Points

    from napari_tcgn.slide import Slide
    from napari_tcgn.spots import Spots


@dataclass(eq=False)
class SlideWork:
    """What was done on one slide, put aside while the dock works on another.

    Attributes
    ----------
    image : napari image layer
    slide : Slide
    mpp : float or None
    spots : Spots or None
    spots_layer, result_layer : napari points layer or None
    results_made : int
        How many runs have begun to show a result.
    results : set of Result
        Those that were made on it.
    was_chosen : bool
        Whether a dock that was closed worked on it last.
    """

    _image: weakref.ref[Image]  # so that the work may be remembered of the layer and does not keep it alive
    slide: Slide
    mpp: float | None = None
    spots: Spots | None = None
    spots_layer: Points | None = None
    result_layer: Points | None = None
    results_made: int = 0
    results: weakref.WeakSet[store.Result] = field(default_factory=weakref.WeakSet)
    was_chosen: bool = False

    @property
    def image(self) -> Image:
        """The image layer; it is there as long as the viewer or a dock works with it."""
        image = self._image()
        assert image is not None
        return image


_LEFT: PerLayer[SlideWork] = PerLayer()  # by docks that were closed; the viewer and its layers stay


class Slides:
    """The slides of one viewer that the dock has worked on."""

    def __init__(self) -> None:
        self._works: list[SlideWork] = []
        # By the values and not by the layer: two genes of one result may be two layers.
        self._owners: weakref.WeakKeyDictionary[store.Result, SlideWork] = weakref.WeakKeyDictionary()

    def __iter__(self) -> Iterator[SlideWork]:
        return iter(tuple(self._works))

    def of(self, image: Layer | None) -> SlideWork | None:
        """Return the work on an image layer."""
        return None if image is None else next((work for work in self._works if work.image == image), None)

    def add(self, image: Image, slide: Slide) -> SlideWork:
        """Begin to work on a slide."""
        self._works.append(SlideWork(weakref.ref(unwrap(image)), slide, slide.mpp))
        return self._works[-1]

    def forget(self, work: SlideWork) -> None:
        """Forget a slide whose layer is gone; its results belong to no slide then."""
        self._works.remove(work)
        for result in [result for result, owner in self._owners.items() if owner is work]:
            del self._owners[result]

    def leave(self, chosen: SlideWork | None) -> None:
        """Let go of all slides, for the next dock in the same viewer to go on with them.

        Parameters
        ----------
        chosen : SlideWork or None
            The slide that was worked on.
        """
        for work in self:
            work.was_chosen = work is chosen
            _LEFT[work.image] = work
            self.forget(work)

    def take_over(self, layers: Iterable[Layer]) -> list[SlideWork]:
        """Go on with the slides among a viewer's layers that a dock before has let go of; returns them.

        What was removed from the viewer meanwhile is not taken.
        """
        layers = list(layers)
        found = [work for layer in layers if (work := _LEFT.get(layer)) is not None]
        for work in found:
            _LEFT.forget(work.image)
            if work.spots_layer not in layers:
                work.spots_layer = work.spots = None
            if work.result_layer not in layers:
                work.result_layer = None
            self._works.append(work)
            self._owners.update({result: work for result in work.results})
        return found

    def claim(self, result: store.Result, image: Image) -> None:
        """Say that a result was made on a slide."""
        work = self.of(image)
        if work is not None:
            self._owners[result] = work
            work.results.add(result)

    def owner_of(self, layer: Layer | None) -> SlideWork | None:
        """Return the slide that a layer lies on, or that it was made from a result of, if there is one."""
        result = store.made_from(layer) or store.marks(layer)
        if result is None:
            return self.of(image_under(layer))
        if result in self._owners:
            return self._owners[result]
        # A result that was read from a file: it names its slide.
        return next((work for work in self._works if work.slide.name == result.library_id), None)

    def group_of(self, layer: Layer | None) -> Hashable | None:
        """Return what a layer shares with all others of its slide; None for one that has to do with no slide.

        The work on the slide, the name of the section for results of no open slide, or an image that nothing was done
        on yet.
        """
        layer = unwrap(layer)
        work = self.of(layer) or self.owner_of(layer)
        if layer is None or work is not None:
            return work
        if (image := image_under(layer)) is not None:
            return self.group_of(image)
        result = store.made_from(layer) or store.marks(layer)
        if result is not None:
            return result.library_id
        return layer if slide_layers.may_be_slide(layer) else None

    def name_of_new_result(self, image: Image) -> str:
        """Return the `kind` of the next result on a slide, numbered from its second on."""
        work = self.of(image)
        if work is None:
            return "predicted"
        work.results_made += 1
        return "predicted" if work.results_made == 1 else f"predicted {work.results_made}"

    def layers_on(self, work: SlideWork, layers: Iterable[Layer]) -> list[Layer]:
        """Return those layers that lie on a slide."""
        return [layer for layer in layers if self.owner_of(layer) is work]

    def newest_result_layer(self, work: SlideWork | None, layers: Iterable[Layer]) -> Points | None:
        """Return the uppermost result layer on a slide, or on none; measurements and scores only if there is no other.

        None if there is no result.
        """
        uppermost_first = reversed(list(layers))
        on_it = [layer for layer in uppermost_first if store.shows_result(layer) and self.owner_of(layer) is work]
        return min(on_it, key=_has_no_card, default=None)


def _has_no_card(layer: Points) -> bool:
    """Whether no model predicted what a layer shows."""
    result = store.result_of(layer)
    return result is None or result.card is None
