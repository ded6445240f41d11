"""Two results side by side in the same camera: the right one's layers moved to the right of the slide.

napari's grid gives every layer a cell of its own, without the slide under the spots; moving a layer and showing the
slide a second time keeps both under one camera and one scale bar.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Points
from numpy.typing import NDArray

from napari_tcgn.ui.layers import canvas, half_names, slide_layers, store
from napari_tcgn.ui.layers.layer_names import DOT
from napari_tcgn.ui.layers.lies_on import lay_on
from napari_tcgn.ui.layers.per_layer import unwrap
from napari_tcgn.ui.layers.placement import moved_affine, placement_events, shift
from napari_tcgn.ui.session import Session

if TYPE_CHECKING:
    from napari.layers import Layer, Shapes
    from napari.utils.events import Event

GAP = 0.04  # between the two, as a share of the width
SUFFIX = " · beside"


class SideBySide:
    """Shows one result to the right of another one, with the slide, or its small picture, under both.

    The pair ends by itself when one of its layers or its slide goes, when the slide is scaled, moved or turned, and
    when another slide or result is shown: nothing of it stays behind.

    Parameters
    ----------
    session : Session
    changed : callable
        Told when a pair has ended by itself, or was swapped.
    """

    def __init__(self, session: Session, changed: Callable[[], object]) -> None:
        self._session, self._changed = session, changed
        self._left: Points | None = None
        self._right: Points | None = None  # the layer that was moved
        self._image: Image | None = None  # the slide or picture under them, if it is in this viewer
        self._second: Image | None = None  # its second view
        self._names: Shapes | None = None  # the text above the halves
        session.viewer.layers.events.removed.connect(self._on_removed)
        session.story.partner_of = self.partner_of
        session.story.told.connect(self._on_told)
        session.colours.painted.connect(self._on_painted)
        session.colours.linked_changed.connect(self._write_names)

    def disconnect_all(self) -> None:
        """End the pair and stop listening to the viewer, which outlives the dock."""
        self.close()
        self._session.viewer.layers.events.removed.disconnect(self._on_removed)
        self._session.story.told.disconnect(self._on_told)

    @property
    def is_open(self) -> bool:
        """Whether two layers stand side by side."""
        return self._right is not None

    def shows(self, result: store.Result | None) -> bool:
        """Whether a result is one of the two that stand side by side."""
        return result is not None and result in (store.result_of(self._left), store.result_of(self._right))

    def partner_of(self, layer: Layer) -> Points | None:
        """Return the layer in the other half than a result of the pair, or what was made from it; None for others."""
        source = store.made_from(layer)
        if source is None or not self.is_open:
            return None
        if source is store.result_of(self._left):
            return self._right
        return self._left if source is store.result_of(self._right) else None

    def open(self, left: Points, right: Points, frame: bool = True) -> None:
        """Move `right` to the right of `left`; `frame`: let the camera show both."""
        self._put_back()
        image = self._image_under(left)
        below = image if image is not None else left
        if image is not None:
            width = float((image.data[0] if image.multiscale else image.data).shape[1])
        else:
            width = float(np.ptp(left.data[:, 1]) + np.max(left.size))
        affine = moved_affine(below, shift(0, (1 + GAP) * width))
        self._left, self._right, self._image = unwrap(left), unwrap(right), image
        self._move(self._right, affine)
        if image is not None:
            self._second = self._second_view(image, affine)
            for event in placement_events(image):
                event.connect(self._on_placed)
        self._add_names(self._left, self._right)
        shown = self._session.story.focus
        if shown is None or self.partner_of(shown) is None:
            self._session.story.tell(left)
        self._session.story.retell()
        if frame:
            shown_ones = [one for one in (left, right, self._names) if one is not None]
            canvas.frame(self._session.viewer, shown_ones)

    def swap(self) -> None:
        """Exchange the halves; without a pair nothing happens."""
        left, right = self._left, self._right
        if left is not None and right is not None:
            self.open(right, left, frame=False)
            self._changed()

    def close(self) -> None:
        """Put the moved layer back onto the slide, and show only the one of the two that is chosen."""
        was_open = self.is_open
        self._put_back()
        if was_open and not self._session.closed:
            self._session.story.retell()

    def _put_back(self) -> None:
        left, right, image, made = self._left, self._right, self._image, (self._second, self._names)
        self._left = self._right = self._image = self._second = self._names = None
        below = image if image is not None else left
        if right is None or below is None or self._session.closed:
            return
        viewer = self._session.viewer
        if image is not None:
            for event in placement_events(image):
                event.disconnect(self._on_placed)
        for layer in made:
            if layer is not None and layer in viewer.layers:
                viewer.layers.remove(layer)
        self._move(right, np.array(below.affine.affine_matrix))

    def _move(self, right: Points, affine: NDArray[np.float64]) -> None:
        """Move a result, with what was made from it: its scores, three genes, genes as layers of their own."""
        result = store.result_of(right)
        for layer in self._session.viewer.layers:  # a surface follows its points
            if isinstance(unwrap(layer), Points) and store.made_from(layer) is result:
                layer.affine = affine
        if right not in self._session.viewer.layers:
            right.affine = affine

    def _image_under(self, layer: Points) -> Image | None:
        """Return the slide that a result lies on, or the small picture that came with it."""
        slides, layers = self._session.slides, self._session.viewer.layers
        work = slides.owner_of(layer)
        if work is not None:
            return work.image
        group = slides.group_of(layer)
        images = [one for one in map(unwrap, layers) if isinstance(one, Image) and slides.group_of(one) == group]
        return next(filter(slide_layers.is_thumbnail, images), None)

    # -- the names of the halves ---------------------------------------------------------------------------------

    def _add_names(self, left: Points, right: Points) -> None:
        extents = [half_names.extent_of(one) for one in (left, right)]
        slide = getattr(store.result_of(left), "library_id", "")
        with self._session.selection_kept():
            names = half_names.add_names(
                self._session.viewer, f"{slide}{DOT}names of the halves", extents, self._texts(), left
            )
        self._names = names
        if self._image is not None:
            lay_on(names, self._image)

    def _texts(self) -> list[str]:
        texts = []
        for layer, other in ((self._left, self._right), (self._right, self._left)):
            result = store.result_of(layer)
            assert layer is not None  # asked for only while a pair stands
            assert result is not None
            low, high = self._session.colours.scale(layer).limits
            how = "shared" if other in self._session.colours.linked_to(layer) else "own"
            texts.append(f"{result.kind}\n{how} limits {low:.3g} to {high:.3g}")
        return texts

    def _write_names(self) -> None:
        if self._names is not None and not self._session.closed:
            half_names.write_names(self._names, self._texts())

    def _on_painted(self, layer: Points) -> None:
        if self.shows(store.result_of(layer)):
            self._write_names()

    # -- what ends a pair ----------------------------------------------------------------------------------------

    def _on_removed(self, event: Event) -> None:
        gone = unwrap(event.value)
        if any(gone is unwrap(one) for one in (self._left, self._right, self._image, self._second) if one is not None):
            self._end()

    def _on_told(self) -> None:
        focus = self._session.story.focus
        if self.is_open and (focus is None or self.partner_of(focus) is None):
            self._end()

    def _on_placed(self, event: Event | None = None) -> None:
        self._end()

    def _end(self) -> None:
        self.close()
        self._changed()

    def _second_view(self, image: Image, affine: NDArray[np.float64]) -> Image:
        viewer = self._session.viewer
        with self._session.selection_kept():
            added = viewer.add_image(
                image.data,
                name=f"{image.name}{SUFFIX}",
                rgb=image.rgb,
                multiscale=image.multiscale,
                scale=image.scale,
                translate=image.translate,
                rotate=image.rotate,
                shear=image.shear,
                affine=affine,
                units=image.units,
                metadata={slide_layers.VIEW_OF: image.name},
            )
            assert isinstance(added, Image)  # several only for channels
            lay_on(added, image)
            viewer.layers.move(viewer.layers.index(added), viewer.layers.index(image) + 1)
        return unwrap(added)
