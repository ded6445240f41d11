"""Slides as napari image layers: which layer may be one, what it says of its µm per px, and the ruler on it.

All functions run on the main thread.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_tcgn.errors import SlideError
from napari_tcgn.slide import ArraySlide, Slide, give_mpp
from napari_tcgn.ui.layers import store
from napari_tcgn.ui.layers.canvas import show_scale_bar
from napari_tcgn.ui.layers.lies_on import lay_on
from napari_tcgn.ui.layers.placement import MICROMETRE, placement_of, to_world
from napari_tcgn.ui.layers.pyramid import LevelArray, LevelLike

if TYPE_CHECKING:
    from napari.layers import Layer, Shapes
    from napari.viewer import Viewer

THUMBNAIL = f"{store.KEY}_thumbnail"  # in the metadata of an image that came with a result
VIEW_OF = f"{store.KEY}_view_of"  # in the metadata of a slide's second view


def layer_mpp(layer: Image) -> float | None:
    """Return the µm per px that an image layer's scale and units say, None if they do not say it.

    Raises
    ------
    SlideError
        If the pixels are not square.
    """
    down, right = _world_steps(layer)
    units = layer.units[-2:]
    if not all(unit.is_compatible_with(MICROMETRE) for unit in units):
        return None
    um = [(1.0 * unit).to(MICROMETRE).magnitude for unit in units]
    if um[0] != um[1]:
        raise SlideError(f"The axes of layer {layer.name!r} have different units.", "Give both the same unit.")
    down_um, right_um = (float(np.linalg.norm(step)) * um[0] for step in (down, right))
    askew = abs(float(down @ right)) / max(float(np.linalg.norm(down) * np.linalg.norm(right)), 1e-300)
    if abs(down_um / right_um - 1) > 0.01 or askew > 0.01:
        raise SlideError(
            f"The pixels of layer {layer.name!r} are not square ({right_um:g} x {down_um:g} µm"
            f"{', and sheared' if askew > 0.01 else ''}).",
            "Give an image with square pixels.",
        )
    return float(f"{right_um:.9g}")  # a turned layer's comes through sines


def _world_steps(layer: Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far one px down and one px to the right lead in the world (float64 [2] each), in the layer's units."""
    origin, down, right = (to_world(layer, p) for p in ((0, 0), (1, 0), (0, 1)))
    return down - origin, right - origin


def set_layer_mpp(layer: Image, mpp: float) -> None:
    """Give an image layer its µm per px, keeping flips (negative scales), turns and what an affine scales."""
    down, right = _world_steps(layer)
    lengths = float(np.linalg.norm(down)), float(np.linalg.norm(right))
    layer.scale = np.array([float(step) * mpp / length for step, length in zip(layer.scale, lengths, strict=True)])
    layer.units = (MICROMETRE,) * layer.ndim


def may_be_slide(layer: Layer) -> TypeGuard[Image]:
    """Whether a layer looks like an H&E image: 8-bit colours in two dimensions, and none of our own pictures."""
    return (
        isinstance(layer, Image)
        and layer.rgb
        and layer.ndim == 2
        and layer.dtype == np.uint8
        and store.result_of(layer) is None
        and not is_own_picture(layer)
    )


def is_own_picture(layer: Image) -> bool:
    """Whether an image layer is a picture that this plugin has made: of a result, a surface, a slide's second view."""
    return any(str(key).startswith(store.KEY) for key in layer.metadata)


def slide_of(layer: Image) -> Slide:
    """Return the slide behind an image layer: the file it was opened from here, or its own pixels.

    Raises
    ------
    SlideError
        If the layer is not an RGB image of 8 bits in two dimensions, or only the small picture of a result.
    """
    if is_thumbnail(layer):
        raise SlideError(f"Layer {layer.name!r} is the small picture of a result.", "Open the slide itself.")
    mpp = layer_mpp(layer)
    finest = layer.data[0] if layer.multiscale else layer.data
    if isinstance(finest, LevelArray):
        slide: Slide = finest.slide
    else:
        if not layer.rgb or layer.ndim != 2:
            raise SlideError(
                f"Layer {layer.name!r} is not an RGB image (it has {layer.ndim} dimensions and "
                f"{'colours' if layer.rgb else 'one channel'}).",
                "Choose the layer of an H&E image in colour.",
            )
        slide = ArraySlide(list(layer.data) if layer.multiscale else layer.data, layer.name, mpp)
        if layer.source.path is not None:
            slide.path = Path(layer.source.path)
    if mpp is not None and (slide.mpp is None or not math.isclose(slide.mpp, mpp, rel_tol=1e-6)):
        give_mpp(slide, mpp, "layer's scale and units")
    return slide


def is_thumbnail(layer: Image) -> bool:
    """Whether an image layer is the small picture that came with a result: too coarse to predict from."""
    return bool(layer.metadata.get(THUMBNAIL))


def slide_layer_kwargs(slide: Slide) -> dict[str, Any]:
    """Return what `add_image` needs beside the levels of a slide."""
    kwargs: dict[str, Any] = {"name": slide.name, "rgb": True, "multiscale": True}
    if slide.mpp is not None:
        kwargs |= {"scale": (slide.mpp, slide.mpp), "units": (MICROMETRE, MICROMETRE)}
    return kwargs


def add_slide(viewer: Viewer, slide: Slide, levels: list[LevelLike]) -> Image:
    """Show an opened slide as a multiscale RGB layer and return the layer."""
    layer = viewer.add_image(levels, **slide_layer_kwargs(slide))
    assert isinstance(layer, Image)  # several only for channels
    show_scale_bar(viewer)
    return layer


def add_ruler(viewer: Viewer, image: Image, name: str) -> Shapes:
    """Add an empty shapes layer on an image, ready to draw a line; its coordinates are px of the image."""
    ruler: Shapes = viewer.add_shapes(  # type: ignore[attr-defined]  # napari adds the method at run time
        name=name, ndim=2, edge_color="yellow", face_color="transparent", **placement_of(image)
    )
    # Seen at every zoom: about a 400th of the image wide.
    ruler.current_edge_width = max(
        1.0, max(image.data.shape[:2] if not image.multiscale else image.data[0].shape[:2]) / 400
    )
    ruler.mode = "add_line"
    lay_on(ruler, image)
    return ruler
