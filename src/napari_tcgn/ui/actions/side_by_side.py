"""A second result to the right of the first one, in the same camera: its layer moved to the right of the slide.

napari's grid gives every layer a cell of its own, without the slide under the spots; moving a layer and showing the
slide a second time keeps both under one camera and one scale bar.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_tcgn.ui.layers import canvas, slide_layers
from napari_tcgn.ui.layers.per_layer import unwrap
from napari_tcgn.ui.layers.placement import moved_affine, placement_events, shift
from napari_tcgn.ui.session import Session

if TYPE_CHECKING:
    from napari.layers import Layer, Points
    from napari.utils.events import Event

GAP = 0.04  # between the two, as a share of the width
SUFFIX = " · beside"


class SideBySide:
    """Shows one result to the right of another one, with the slide under both.

    The pair ends by itself when one of its layers or its slide goes, when the slide is scaled, moved or turned, and
    when another slide is chosen: nothing of it stays behind.

    Parameters
    ----------
    session : Session
    ended : callable
        Told when a pair has ended by itself.
    """

    def __init__(self, session: Session, ended: Callable[[], object]) -> None:
        self._session, self._ended = session, ended
        self._left: Points | None = None
        self._right: Points | None = None  # the layer that was moved
        self._moved: NDArray[np.float64] | None = None  # the affine with which it lies there
        self._image: Image | None = None  # the slide under them, if it is in this viewer
        self._second: Image | None = None  # the slide's second view
        session.viewer.layers.events.removed.connect(self._on_removed)
        session.state.events.image.connect(self._on_other_slide)

    def disconnect_all(self) -> None:
        """End the pair and stop listening to the viewer, which outlives the dock."""
        self.close()
        self._session.viewer.layers.events.removed.disconnect(self._on_removed)
        self._session.state.events.image.disconnect(self._on_other_slide)

    @property
    def is_open(self) -> bool:
        """Whether two layers stand side by side."""
        return self._right is not None

    def shows(self, layer: Layer | None) -> bool:
        """Whether a layer is the one that was moved to the right."""
        return layer is not None and unwrap(layer) is self._right

    def open(self, left: Points, right: Points, image: Image | None) -> None:
        """Move `right` to the right of `left`, which lies on `image` (None: on no slide of this viewer)."""
        self.close()
        if image is not None:
            width = (image.data[0] if image.multiscale else image.data).shape[1]
            affine = moved_affine(image, shift(0, (1 + GAP) * width))
            self._second = self._second_view(image, affine)
            for event in placement_events(image):
                event.connect(self._on_placed)
        else:
            width = float(np.ptp(left.data[:, 1]) + np.max(left.size))
            affine = moved_affine(left, shift(0, (1 + GAP) * width))
        right.affine = self._moved = affine
        self._left, self._right, self._image = unwrap(left), unwrap(right), image
        canvas.frame(self._session.viewer, [left, right])

    def close(self) -> None:
        """Put the moved layer back onto the slide."""
        left, right, moved = self._left, self._right, self._moved
        image, second = self._image, self._second
        self._left = self._right = self._image = self._second = None
        below = image if image is not None else left
        if right is None or below is None or self._session.closed:
            return
        viewer = self._session.viewer
        if image is not None:
            for event in placement_events(image):
                event.disconnect(self._on_placed)
        if second is not None and second in viewer.layers:
            viewer.layers.remove(second)
        home = np.array(below.affine.affine_matrix)
        # Also what was made on the moved layer: its scores, its surface, genes as layers of their own.
        for layer in viewer.layers:
            if layer.ndim == 2 and moved is not None and np.allclose(layer.affine.affine_matrix, moved):
                layer.affine = home

    def _on_removed(self, event: Event) -> None:
        gone = unwrap(event.value)
        if any(gone is unwrap(one) for one in (self._left, self._right, self._image, self._second) if one is not None):
            self._end()

    def _on_other_slide(self, image: Image | None) -> None:
        if self._image is not None and image != self._image:
            self._end()

    def _on_placed(self, event: Event | None = None) -> None:
        self._end()

    def _end(self) -> None:
        self.close()
        self._ended()

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
            viewer.layers.move(viewer.layers.index(added), viewer.layers.index(image) + 1)
        return unwrap(added)
