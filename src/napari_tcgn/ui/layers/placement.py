"""Where layers lie on each other: px of an image, of an overlay and of shapes, whatever the image's transforms are.

Coordinates here are napari's: (row, column), whole numbers at the middle of a px.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MICROMETRE = "um"


def world_matrix(layer: Any) -> NDArray[np.float64]:
    """Return what leads from a 2D layer's px to the world (float64 [3, 3], homogeneous)."""
    origin, down, right = (np.asarray(layer.data_to_world(p), float)[-2:] for p in ((0, 0), (1, 0), (0, 1)))
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
    return shift(*centre) @ matrix @ shift(*-centre)


def moved_affine(image: Any, motion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the affine that a layer with the image's other transforms needs to lie `motion` (px) away from it.

    Moving a layer so costs the same for one spot and for a hundred thousand.
    """
    world = world_matrix(image)
    return world @ motion @ np.linalg.inv(world) @ np.asarray(image.affine.affine_matrix, float)


def picture_placement(image: Any, scale: float) -> dict[str, Any]:
    """Return the transforms with which a small picture of an image lies on it.

    Parameters
    ----------
    image : napari image layer
    scale : float
        Px of the picture per px of the image.
    """
    affine = np.asarray(image.affine.affine_matrix, float)
    # Px 0 of the picture covers several px of the image: its middle is not the middle of the image's first px.
    first = (0.5 / scale - 0.5,) * 2
    corner = np.linalg.inv(affine) @ np.array([*np.asarray(image.data_to_world(first), float)[-2:], 1.0])
    return {
        "scale": np.asarray(image.scale[-2:], float) / scale,
        "translate": corner[:2],
        "rotate": image.rotate,
        "shear": image.shear,
        "affine": affine,
        "units": image.units,
    }


def px_of(image: Any, layer: Any, vertices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vertices of another layer (float64 [n, 2]) in px of an image."""
    matrix = np.linalg.inv(world_matrix(image)) @ world_matrix(layer)
    return vertices @ matrix[:2, :2].T + matrix[:2, 2]


def placement_events(layer: Any) -> tuple[Any, ...]:
    """Events of everything that says where an image lies in the world."""
    events = layer.events
    return events.scale, events.units, events.translate, events.rotate, events.shear, events.affine


def placement_of(image: Any) -> dict[str, Any]:
    """Return how an image or points lie in the world: points in their px with the same transforms lie on them."""
    return {
        "scale": image.scale,
        "translate": image.translate,
        "rotate": image.rotate,
        "shear": image.shear,
        "affine": image.affine.affine_matrix,
        "units": image.units,
    }


def place(layer: Any, image: Any) -> None:
    """Lay points on an image anew, after the image was scaled, moved or turned."""
    for name, value in placement_of(image).items():
        setattr(layer, name, value)


def move(layer: Any, affine: NDArray[np.float64]) -> None:
    """Give a layer another affine without slicing and sending its data again, as setting `layer.affine` would do.

    Costs the same for one spot and for a hundred thousand, so that a grid can follow the mouse.
    """
    layer.affine.affine_matrix = affine
    layer.events.affine()
