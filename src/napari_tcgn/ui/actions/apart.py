"""Slides that stand in a row instead of being hidden: their images moved in the world, with what lies on them."""

from __future__ import annotations

import numpy as np
from napari.layers import Image, Shapes

from napari_tcgn.ui.layers import canvas
from napari_tcgn.ui.layers.half_names import extent_of
from napari_tcgn.ui.layers.lies_on import image_under
from napari_tcgn.ui.layers.per_layer import PerLayer, unwrap
from napari_tcgn.ui.layers.placement import shift
from napari_tcgn.ui.session import Session

GAP = 0.06  # between two slides, as a share of the width of the right one


class Apart:
    """Places the slides of a session in a row, the first one where it is, and puts them back.

    Spots, results and surfaces follow their image; spots are counted in px of the image, so that nothing that is
    predicted or written changes.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._shifts: PerLayer[float] = PerLayer()  # how far each image was moved to the right, in the world
        self._placed: list[Image] = []
        session.story.told.connect(self._on_told)
        session.state.events.mpp.connect(self._arrange)

    def disconnect_all(self) -> None:
        """Put the slides back and follow the session no longer."""
        self._session.story.told.disconnect(self._on_told)
        self._session.story.apart = False
        self._arrange()

    def place(self, apart: bool) -> None:
        """Place the slides in a row, or put them back on top of each other."""
        story = self._session.story
        if apart == story.apart:
            return
        story.apart = apart
        self._arrange()
        story.retell()
        seen = [layer for layer in self._session.viewer.layers if isinstance(unwrap(layer), Image) and layer.visible]
        if seen:
            canvas.frame(self._session.viewer, seen)

    def _on_told(self) -> None:
        if self._session.story.apart and self._placed != self._images():
            self._arrange()

    def _images(self) -> list[Image]:
        return [unwrap(work.image) for work in self._session.slides]

    def _arrange(self) -> None:
        images = self._placed = self._images()
        end: float | None = None  # right side of the slide before
        for image in images:
            left, right = extent_of(image)[1:]
            home = left - (self._shifts.get(image) or 0.0)
            wanted = home if end is None or not self._session.story.apart else end + GAP * (right - left)
            self._move(image, wanted - left)
            self._shifts[image] = wanted - home
            end = wanted + right - left

    def _move(self, image: Image, by: float) -> None:
        """Move an image to the right in the world; points and masks follow its events, drawn shapes are moved here."""
        if np.isclose(by, 0.0):
            return
        drawn = [one for one in self._session.viewer.layers if isinstance(unwrap(one), Shapes)]
        for layer in [image, *(one for one in drawn if image_under(one) is image)]:
            layer.affine = shift(0, by) @ np.asarray(layer.affine.affine_matrix, float)
