"""The tissue of the slide in hand, masked at any threshold and shown as an overlay."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.slide import Slide, overview_of
from napari_tcgn.ui.layers.lies_on import lay_on
from napari_tcgn.ui.layers.placement import picture_placement, placement_events
from napari_tcgn.ui.tasks.background import Background, Failure
from napari_tcgn.ui.tasks.latest import Latest

if TYPE_CHECKING:
    from napari.layers import Image, Labels
    from napari.utils.events import Event
    from napari.viewer import Viewer

SUFFIX = " · tissue (preview)"
COLOUR = "#00c8ff"


class TissueView:
    """Shows the mask of a threshold on the slide, as a labels layer that follows a slider.

    Parameters
    ----------
    viewer : napari.Viewer
    background : Background
    failed : callable (Failure)
    """

    def __init__(self, viewer: Viewer, background: Background, failed: Callable[[Failure], object]) -> None:
        self._viewer = viewer
        self._image: Image | None = None
        self.layer: Labels | None = None
        self._scale = 1.0  # px of the mask per px of the image
        self._latest = Latest(background, self._take, failed)

    def show(self, image: Image, slide: Slide, threshold: float | None) -> None:
        """Show the mask of a threshold as soon as it is computed."""

        def compute() -> tuple[Image, NDArray[np.uint8], float]:
            mask = overview_of(slide).tissue(threshold)
            return image, mask.mask.astype(np.uint8), mask.scale

        if image is not self._image:
            self.hide()
            self._image = image
            for event in placement_events(image):
                event.connect(self._place)
        self._latest.ask(compute)

    def hide(self) -> None:
        """Take the overlay away."""
        self._latest.cancel()
        layer, image, self.layer, self._image = self.layer, self._image, None, None
        if image is not None:
            for event in placement_events(image):
                event.disconnect(self._place)
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _place(self, event: Event | None = None) -> None:
        """Keep the overlay on an image that was scaled, moved or turned."""
        if self.layer is not None and self._image is not None:
            for name, value in picture_placement(self._image, self._scale).items():
                setattr(self.layer, name, value)

    def _take(self, shown: tuple[Image, NDArray[np.uint8], float]) -> None:
        image, mask, scale = shown
        if image is not self._image or image not in self._viewer.layers:
            return
        self._scale = scale
        if self.layer is not None and self.layer in self._viewer.layers:
            self.layer.data = mask
            self._place()
            return
        active = self._viewer.layers.selection.active
        self.layer = self._viewer.add_labels(  # type: ignore[attr-defined]  # napari adds the method at run time
            mask,
            name=f"{image.name}{SUFFIX}",
            opacity=0.3,
            colormap={1: COLOUR, None: "transparent"},
            **picture_placement(image, scale),
        )
        lay_on(self.layer, image)
        if active is not None:
            self._viewer.layers.selection.active = active  # the overlay is to be seen, not worked on
