"""Where layers lie on each other: px of an image, of an overlay and of shapes, whatever the image's transforms are.

Coordinates here are napari's: (row, column), whole numbers at the middle of a px.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from napari.utils.events import EventEmitter

MICROMETRE = "um"


def to_world(layer: Layer, px: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where a (row, column) in a layer's px lies in the world (float64 [2]), in the layer's units."""
    place = layer.data_to_world(px)  # type: ignore[no-untyped-call]  # napari's
    return np.asarray(place, dtype=np.float64)[-2:]


def world_matrix(layer: Layer) -> NDArray[np.float64]:
    """Return what leads from a 2D layer's px to the world (float64 [3, 3], homogeneous)."""
    origin, down, right = (to_world(layer, p) for p in ((0, 0), (1, 0), (0, 1)))
    matrix = np.eye(3)
    matrix[:2] = np.column_stack([down - origin, right - origin, origin])
    return matrix


def shift(down: float, right: float) -> NDArray[np.float64]:
    """Return a move in px (float64 [3, 3])."""
    return np.array([[1.0, 0.0, down], [0.0, 1.0, right], [0.0, 0.0, 1.0]])


def turn(degrees: float, centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a clockwise turn (rows run down) around a (row, column) in px (float64 [3, 3])."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    turned: NDArray[np.float64] = shift(*centre) @ matrix @ shift(*-centre)
    return turned


def moved_affine(image: Layer, motion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the affine that a layer with the image's other transforms needs to lie `motion` (px) away from it.

    Moving a layer so costs the same for one spot and for a hundred thousand.
    """
    world = world_matrix(image)
    affine: NDArray[np.float64] = world @ motion @ np.linalg.inv(world) @ np.asarray(image.affine.affine_matrix, float)
    return affine


def picture_placement(image: Image, scale: float | NDArray[np.float64]) -> dict[str, Any]:
    """Return the transforms with which a small picture of an image lies on it.

    Parameters
    ----------
    image : napari image layer
    scale : float, or float64 [2] (down, right)
        Px of the picture per px of the image.
    """
    affine = np.asarray(image.affine.affine_matrix, float)
    # Px 0 of the picture covers several px of the image: its middle is not the middle of the image's first px.
    first = np.broadcast_to(0.5 / np.asarray(scale) - 0.5, 2)
    corner = np.linalg.inv(affine) @ np.array([*to_world(image, first), 1.0])
    return {
        "scale": np.asarray(image.scale[-2:], float) / scale,
        "translate": corner[:2],
        "rotate": image.rotate,
        "shear": image.shear,
        "affine": affine,
        "units": image.units,
    }


def px_of(image: Layer, layer: Layer, vertices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vertices of another layer (float64 [n, 2]) in px of an image."""
    matrix = np.linalg.inv(world_matrix(image)) @ world_matrix(layer)
    placed: NDArray[np.float64] = vertices @ matrix[:2, :2].T + matrix[:2, 2]
    return placed


def centre_of(layer: Layer) -> NDArray[np.float64]:
    """Return where the middle of a layer lies in the world (float64 [2])."""
    centre: NDArray[np.float64] = np.asarray(layer.extent.world, dtype=np.float64)[:, -2:].mean(axis=0)
    return centre


def lies_on(layer: Layer, other: Layer) -> bool:
    """Whether the middle of a layer lies within another one."""
    centre, (first, last) = centre_of(layer), np.asarray(other.extent.world)[:, -2:]
    return bool(np.all((first <= centre) & (centre <= last)))


def placement_events(layer: Layer) -> tuple[EventEmitter, ...]:
    """Events of everything that says where an image lies in the world."""
    events = layer.events
    return events.scale, events.units, events.translate, events.rotate, events.shear, events.affine


def placement_of(layer: Layer) -> dict[str, Any]:
    """Return how an image or points lie in the world: points in their px with the same transforms lie on them."""
    return {
        "scale": layer.scale,
        "translate": layer.translate,
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": layer.affine.affine_matrix,
        "units": layer.units,
    }


def place(layer: Layer, image: Layer) -> None:
    """Lay points on an image anew, after the image was scaled, moved or turned."""
    for name, value in placement_of(image).items():
        setattr(layer, name, value)


def move(layer: Layer, affine: NDArray[np.float64]) -> None:
    """Give a layer another affine without slicing and sending its data again, as setting `layer.affine` would do.

    Costs the same for one spot and for a hundred thousand, so that a grid can follow the mouse.
    """
    layer.affine.affine_matrix = affine
    layer.events.affine()
