"""How the spots of a result are drawn: discs, half-transparent discs, rings or not at all, and how large.

All functions run on the main thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.ui.layers.per_layer import PerLayer

if TYPE_CHECKING:
    from napari.layers import Points

DISCS, HALF, RINGS, NOTHING = "discs", "half-transparent", "rings", "nothing"
RIM = 0.15  # width of a ring, as a share of the diameter of its middle
CLEAR = np.zeros(4)
PARTS = ("face", "border")


@dataclass(frozen=True, slots=True)
class Drawn:
    """How one layer's spots are drawn.

    Attributes
    ----------
    style : {"discs", "half-transparent", "rings", "nothing"}
        "nothing" while a surface shows the values: the layer stays visible, so that the spot under the cursor is named
        and whoever hides the layer hides both.
    size : int
        In percent of the true diameter.
    fade : bool
        Whether uncertain spots are faint.
    """

    style: str = DISCS
    size: int = 100
    fade: bool = False


_drawn: PerLayer[Drawn] = PerLayer()
_left_out: PerLayer[NDArray[np.bool_]] = PerLayer()


def drawn_of(layer: Points) -> Drawn:
    """Return how a layer's spots are drawn."""
    return _drawn.get(layer) or Drawn()


def draw_as(layer: Points, drawn: Drawn, diameter_px: float) -> None:
    """Draw the spots of a layer another way; `set_colours` must follow, for they may have none now.

    Parameters
    ----------
    layer : napari points layer
    drawn : Drawn
    diameter_px : float
        True diameter of a spot.
    """
    _drawn[layer] = drawn
    with layer.events.blocker_all():  # napari would send the points to the GPU after each
        # napari draws a border half outside of the size; a ring's outer edge is the spot's.
        layer.size = diameter_px * drawn.size / 100 / (1 + RIM if drawn.style == RINGS else 1)
        layer.border_width = RIM if drawn.style == RINGS else 0.0
        for part in PARTS:
            _write(layer, part, CLEAR)
    if drawn.style == NOTHING:
        layer.refresh()


def take_over(layer: Points, other: Points) -> None:
    """Draw a layer whose spots were added as large as those of another one in the same way."""
    drawn = drawn_of(other)
    _drawn[layer] = Drawn(DISCS if drawn.style == NOTHING else drawn.style, drawn.size)
    if drawn.style == RINGS:
        layer.border_width, layer.face_color = RIM, CLEAR


def leave_out(layer: Points, which: NDArray[np.bool_] | None) -> bool:
    """Leave some spots of a layer (bool [n]; None: none) undrawn; whether that changed: `set_colours` must follow."""
    before = _left_out.get(layer)
    if before is which or (before is not None and which is not None and np.array_equal(before, which)):
        return False
    if which is None:
        _left_out.forget(layer)
    else:
        _left_out[layer] = which
    return True


def set_colours(layer: Points, colours: NDArray[np.float32]) -> None:
    """Give the spots of a layer their colours (float32 RGBA [n, 4]) in the way that they are drawn."""
    style = drawn_of(layer).style
    if style == NOTHING:
        return
    if style == HALF:
        colours = colours * np.array([1, 1, 1, 0.5], dtype=np.float32)
    left_out = _left_out.get(layer)
    if left_out is not None and len(left_out) == len(colours):  # else points were changed by hand
        colours = np.where(left_out[:, None], np.float32(0), colours)
    part = "border" if style == RINGS else "face"
    event = getattr(layer.events, f"{part}_color")
    # napari's canvas listens to two events of a change and would send all points to the GPU twice.
    with event.blocker():
        sent = _write(layer, part, colours)
    if not sent:
        event()


def _write(layer: Points, part: str, colours: NDArray[np.floating[Any]]) -> bool:
    """Write the colours of the faces or borders; returns whether napari has sent them to the canvas.

    In place where it can be: napari would check 100,000 colours and copy them several times.
    """
    now = getattr(layer, f"{part}_color")
    mode = str(getattr(layer, f"{part}_color_mode"))
    if len(now) == len(layer.data) and now.flags.writeable and mode == "direct":
        now[...] = colours
        return False
    setattr(layer, f"{part}_color", colours)
    return True
