"""A grid of spots moved and turned by hand on the canvas."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_tcgn.options import GridSettings
from napari_tcgn.spots import GridSource, grid_origin
from napari_tcgn.ui.layers.placement import move, moved_affine, shift, turn
from napari_tcgn.ui.session import Session

if TYPE_CHECKING:
    from napari.layers import Image, Points
    from napari.utils.events import Event

KEY_TURN = 0.5  # degrees
KEY_STEP = 0.1  # of the pitch
KEY_PAUSE = 400  # ms after the last key until the grid is laid anew
HELP = (
    "Drag on the picture: the grid moves; with Shift it turns. Arrow keys move it by a tenth of the pitch, "
    "Shift with left and right turns it by half a degree (click on the picture first)."
)

Moved = Callable[[float, float, float], object]


class GridDrag:
    """Lets the mouse and the arrow keys move the layer of spots; only its transform changes until they are let go.

    Parameters
    ----------
    session : Session
    moved : callable (origin_x_um, origin_y_um, rotation_deg)
        Told where the grid was left.
    """

    def __init__(self, session: Session, moved: Moved) -> None:
        self._session, self._moved = session, moved
        self.layer: Points | None = None
        self._settings: GridSettings | None = None
        self._motion = np.eye(3)
        self._degrees = 0.0
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(KEY_PAUSE)
        self._timer.timeout.connect(self._commit)

    @property
    def _image(self) -> Image:
        """The slide that the grid lies on."""
        image = self._session.state.image
        assert image is not None
        return image

    @property
    def _mpp(self) -> float:
        mpp = self._session.state.mpp
        assert mpp is not None  # a grid is laid on a slide of known µm per px
        return mpp

    def attach(self) -> None:
        """Take hold of the grid that is shown."""
        session = self._session
        layer, spots = session.spots_layer, session.state.spots
        assert layer is not None  # a grid is laid
        assert spots is not None
        assert isinstance(spots.source, GridSource)
        assert spots.source.settings is not None  # laid here, not read
        self._settings = spots.source.settings
        self._motion, self._degrees = np.eye(3), 0.0
        session.story.tell(layer)  # a run that has ended hides it
        session.viewer.layers.selection.active = layer
        layer.mode = "pan_zoom"
        layer.mouse_pan = False  # the drag belongs to the grid, not to the camera; the wheel still zooms
        if layer is self.layer:
            return
        self.detach()
        self.layer = layer
        layer.mouse_drag_callbacks.append(self._drag)
        for key, motion in _KEYS.items():
            layer.bind_key(key, self._on_key(*motion), overwrite=True)

    def detach(self) -> None:
        """Let go; what was not committed is undone."""
        self._timer.stop()
        layer, self.layer = self.layer, None
        if layer is None:
            return
        if self._drag in layer.mouse_drag_callbacks:
            layer.mouse_drag_callbacks.remove(self._drag)
        for key in _KEYS:
            layer.bind_key(key, None, overwrite=True)
        layer.mouse_pan = True
        self._motion = np.eye(3)
        if not self._session.closed and layer in self._session.viewer.layers:
            self._show(layer)

    def put_back(self) -> None:
        """Show the grid where it was laid last."""
        self._motion, self._degrees = np.eye(3), 0.0
        if self.layer is not None:
            self._show(self.layer)

    def _drag(self, layer: Points, event: Event) -> Generator[None, None, None]:
        """Follow a press, its moves and the release (napari's protocol of mouse drag callbacks)."""
        if event.button != 1 or self._session.state.running:
            return
        turning = "Shift" in event.modifiers
        before, degrees_before = self._motion, self._degrees
        start = self._px(event)
        centre = self._centre(before)
        dragged = False
        yield
        while event.type == "mouse_move":
            here = self._px(event)
            if turning:
                degrees = _angle(here - centre) - _angle(start - centre)
                self._degrees = degrees_before + degrees
                self._motion = turn(degrees, centre) @ before
            else:
                self._motion = shift(*(here - start)) @ before
            self._show(layer)
            dragged = True
            yield
        if dragged:
            self._commit()

    def _on_key(self, down: float, right: float, degrees: float) -> Callable[[Points], None]:
        def act(layer: Points) -> None:
            if self._settings is None or self._session.state.running:
                return
            step = KEY_STEP * self._settings.pitch / self._mpp  # px
            motion = turn(degrees, self._centre(self._motion)) if degrees else shift(down * step, right * step)
            self._motion = motion @ self._motion
            self._degrees += degrees
            self._show(layer)
            self._timer.start()

        return act

    def _px(self, event: Event) -> NDArray[np.float64]:
        """Return where the mouse is, (row, column) in px of the slide."""
        place = self._image.world_to_data(event.position)
        return np.asarray(place, dtype=np.float64)[-2:]

    def _centre(self, motion: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the middle of the grid as it lies now."""
        spots = self._session.state.spots
        assert spots is not None  # they are being moved
        middle = np.array([np.ptp(spots.y) / 2 + spots.y.min(), np.ptp(spots.x) / 2 + spots.x.min(), 1.0])
        centre: NDArray[np.float64] = (motion @ (middle - [0.5, 0.5, 0.0]))[:2]
        return centre

    def _show(self, layer: Points) -> None:
        move(layer, moved_affine(self._image, self._motion))

    def _commit(self) -> None:
        """Tell the origin and rotation that the grid has now."""
        self._timer.stop()
        if self._settings is None or self.layer is None:
            return
        mpp = self._mpp
        x, y = grid_origin(self._settings)
        row, column, _ = self._motion @ np.array([y / mpp - 0.5, x / mpp - 0.5, 1.0])
        rotation = (self._settings.rotation_deg + self._degrees + 180) % 360 - 180
        self._moved((column + 0.5) * mpp, (row + 0.5) * mpp, rotation)


# key: rows down, columns to the right (steps), degrees clockwise
_KEYS = {
    "Up": (-1.0, 0.0, 0.0),
    "Down": (1.0, 0.0, 0.0),
    "Left": (0.0, -1.0, 0.0),
    "Right": (0.0, 1.0, 0.0),
    "Shift-Left": (0.0, 0.0, -KEY_TURN),
    "Shift-Right": (0.0, 0.0, KEY_TURN),
}


def _angle(arm: NDArray[np.float64]) -> float:
    """Return the clockwise angle of a (row, column) arm from the right, in degrees."""
    return float(np.degrees(np.arctan2(arm[0], arm[1])))
