"""Spots as napari points layers; the one place where (x, y) px become (row, column).

All functions run on the main thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.options import BINS
from napari_tcgn.spots import Spots, array_mpp, pitch_of
from napari_tcgn.ui.layers import layer_names
from napari_tcgn.ui.layers.lies_on import lay_on
from napari_tcgn.ui.layers.placement import move, placement_of

if TYPE_CHECKING:
    from napari.layers import Image, Points
    from napari.viewer import Viewer

NOT_PREDICTED = (0.75, 0.75, 0.75, 0.35)  # grey, and the tissue shines through
SMALLEST, LARGEST = 2, 10_000  # px of a point on the canvas, napari's own limits
RIM, RIM_COLOUR = 0.1, (0.0, 0.0, 0.0, 0.9)  # of a disc's diameter
UNKNOWN_SIZE = 50.0  # px, of a single spot that nothing is known of


def points_of(spots: Spots) -> NDArray[np.float64]:
    """Return spots as napari points (float64 [n, 2]: row, column in px).

    Spots count px from the image's corner, so that the middle of the first px is 0.5; napari counts from the middle
    of the first px, which is 0.
    """
    return np.column_stack([spots.y, spots.x]) - 0.5


def diameter_px(spots: Spots, mpp: float | None) -> float:
    """Return how large a spot is drawn, in px: where the µm per px is unknown, as the array has it."""
    mpp = mpp if mpp is not None else array_mpp(spots)
    if mpp is not None:
        return spots.diameter_um / mpp
    return pitch_of(spots.x, spots.y) / 2 if len(spots) > 1 else UNKNOWN_SIZE


def add_spots(viewer: Viewer, image: Image, spots: Spots, mpp: float | None) -> Points:
    """Show spots that nothing is predicted for yet; returns the points layer."""
    layer: Points = viewer.add_points(  # type: ignore[attr-defined]  # napari adds the method at run time
        points_of(spots),
        name=layer_names.spots_name(image.name),
        features={"spot": spots.ids.astype(object)},
        **(_disc_style(spots, mpp) | _not_predicted(spots)),
        **placement_of(image),
    )
    lay_on(layer, image, waits=True)
    return layer


def show_other_spots(layer: Points, image: Image, spots: Spots, mpp: float | None) -> None:
    """Let a layer of spots show others on the same image, in one redraw."""
    with layer.events.blocker_all():
        layer.data = points_of(spots)
        layer.features = {"spot": spots.ids.astype(object)}
        for name, value in (_disc_style(spots, mpp) | _not_predicted(spots)).items():
            setattr(layer, name, value)
    move(layer, image.affine.affine_matrix)  # it may have been moved by hand
    layer.refresh()


def set_spot_size(layer: Points, image: Image, spots: Spots, mpp: float | None) -> None:
    """Follow a change of the slide's µm per px."""
    layer.scale, layer.units = image.scale, image.units
    layer.size = diameter_px(spots, mpp)


def _disc_style(spots: Spots, mpp: float | None) -> dict[str, Any]:
    # Sizes are in px like the positions, so that the drawn diameter is the spot's diameter in µm.
    return {"size": diameter_px(spots, mpp), "border_width": 0, "symbol": spots.shape}


def _not_predicted(spots: Spots) -> dict[str, Any]:
    """Look of spots before a run: discs with a rim, seen on pale and on dark tissue; bins adjoin and need none."""
    face = {"face_color": np.array(NOT_PREDICTED)}
    if spots.shape == "square":
        # Not widened to 2 px where they are smaller on the canvas: many on top of each other would hide the tissue.
        return face | unblurred(spots.layout) | {"canvas_size_limits": (0, LARGEST), "border_width": 0.0}
    return face | {
        "border_width": RIM, "border_color": np.array(RIM_COLOUR),
        "antialiasing": 1.0, "canvas_size_limits": (SMALLEST, LARGEST),
    }  # fmt: skip


def unblurred(layout: str) -> dict[str, Any]:
    """Let small points show their own colour: where they are a few px, napari's blurred border covers all of it."""
    return {"border_color": np.zeros(4)} | ({"antialiasing": 0.0} if layout == BINS else {})
