"""A second result beside the first one, in the same camera: its layer moved to the right of the slide.

napari's grid gives every layer a cell of its own, without the slide under the spots; moving a layer and showing the
slide a second time keeps both under one camera and one scale bar.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_tcgn.ui.per_layer import bare
from napari_tcgn.ui.placement import moved_affine, shift
from napari_tcgn.ui.session import Session

GAP = 0.04  # between the two, as a share of the width
BESIDE = " · beside"
VIEW_OF = "napari_tcgn_view_of"  # in the metadata of the slide's second view


class SideBySide:
    """Shows one result to the right of another one, with the slide under both.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._moved: Any = None
        self._home: Any = None  # the affine that the moved layer had
        self._slide: Any = None  # the slide's second view

    @property
    def is_open(self) -> bool:
        """Whether two layers stand side by side."""
        return self._moved is not None and self._moved in self._session.viewer.layers

    def open(self, left: Any, right: Any, image: Any) -> None:
        """Move `right` beside `left`, which lies on `image` (None: on no slide of this viewer)."""
        self.close()
        if image is not None:
            width = (image.data[0] if image.multiscale else image.data).shape[1]
            affine = moved_affine(image, shift(0, (1 + GAP) * width))
            self._slide = self._second_view(image, affine)
        else:
            width = float(np.ptp(left.data[:, 1]) + np.max(left.size))
            affine = moved_affine(left, shift(0, (1 + GAP) * width))
        self._moved, self._home = bare(right), np.array(right.affine.affine_matrix)
        right.affine = affine
        self._session.viewer.reset_view()

    def close(self) -> None:
        """Put the moved layer back onto the slide."""
        viewer = self._session.viewer
        moved, slide, self._moved, self._slide = self._moved, self._slide, None, None
        if slide is not None and slide in viewer.layers:
            viewer.layers.remove(slide)
        if moved is not None and moved in viewer.layers:
            moved.affine = self._home
            viewer.reset_view()

    def _second_view(self, image: Any, affine: Any) -> Any:
        viewer = self._session.viewer
        added = viewer.add_image(
            image.data,
            name=f"{image.name}{BESIDE}",
            rgb=image.rgb,
            multiscale=image.multiscale,
            scale=image.scale,
            translate=image.translate,
            rotate=image.rotate,
            shear=image.shear,
            affine=affine,
            units=image.units,
            metadata={VIEW_OF: image.name},
        )
        viewer.layers.move(viewer.layers.index(added), viewer.layers.index(image) + 1)
        return bare(added)
