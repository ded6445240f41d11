"""Slides, spots and results as napari layers; the one place where (x, y) px become (row, column) in µm.

All functions run on the main thread.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_tcgn.errors import SlideError
from napari_tcgn.slide import ArraySlide, Slide
from napari_tcgn.spots import Spots
from napari_tcgn.ui.layers import store
from napari_tcgn.ui.layers.colour_scale import colours_of, robust_limits
from napari_tcgn.ui.layers.per_layer import unwrap
from napari_tcgn.ui.layers.pyramid import LevelArray

MICROMETRE = "um"
NOT_PREDICTED = (0.75, 0.75, 0.75, 0.35)  # grey, and the tissue shines through
SMALLEST, LARGEST = 2, 10_000  # px of a point on the canvas, napari's own limits
RIM, RIM_COLOUR = 0.1, (0.0, 0.0, 0.0, 0.9)  # of a disc's diameter
BINS = "visium-hd"  # the layout whose spots are adjoining squares
THUMBNAIL = f"{store.KEY}_thumbnail"  # in the metadata of an image that came with a result
VIEW_OF = f"{store.KEY}_view_of"  # in the metadata of a slide's second view
SPOTS_SUFFIX = " · spots (not yet predicted)"


def points_of(spots: Spots) -> NDArray[np.float64]:
    """Return spots as napari points (float64 [n, 2]: row, column in px).

    Spots count px from the image's corner, so that the middle of the first px is 0.5; napari counts from the middle
    of the first px, which is 0.
    """
    return np.column_stack([spots.y, spots.x]) - 0.5


def layer_mpp(layer: Any) -> float | None:
    """Return the µm per px that an image layer's scale and units say, None if they do not say it.

    Raises
    ------
    SlideError
        If the pixels are not square.
    """
    import pint

    registry = pint.get_application_registry()
    down, right = _world_steps(layer)
    try:
        um = [registry.Quantity(1.0, str(unit)).to(MICROMETRE).magnitude for unit in layer.units[-2:]]
    except pint.DimensionalityError:
        return None
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


def _world_steps(layer: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far one px down and one px to the right lead in the world (float64 [2] each), in the layer's units."""
    origin, down, right = (np.asarray(layer.data_to_world(p), dtype=float) for p in ((0, 0), (1, 0), (0, 1)))
    return down - origin, right - origin


def set_layer_mpp(layer: Any, mpp: float) -> None:
    """Give an image layer its µm per px, keeping flips (negative scales), turns and what an affine scales."""
    down, right = _world_steps(layer)
    lengths = float(np.linalg.norm(down)), float(np.linalg.norm(right))
    layer.scale = tuple(float(step) * mpp / length for step, length in zip(layer.scale, lengths, strict=True))
    layer.units = (MICROMETRE,) * layer.ndim


def may_be_slide(layer: Any) -> bool:
    """Whether a layer looks like an H&E image: 8-bit colours in two dimensions, and none of our own pictures."""
    return (
        isinstance(layer, Image)
        and layer.rgb
        and layer.ndim == 2
        and layer.dtype == np.uint8
        and store.result_of(layer) is None
        and not is_own_picture(layer)
    )


def is_own_picture(layer: Any) -> bool:
    """Whether an image layer is a picture that this plugin has made: of a result, a surface, a slide's second view."""
    return any(str(key).startswith(store.KEY) for key in layer.metadata)


def slide_of(layer: Any) -> Slide:
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
        slide.mpp, slide.mpp_source = mpp, "layer's scale and units"
    return slide


def is_thumbnail(layer: Any) -> bool:
    """Whether an image layer is the small picture that came with a result: too coarse to predict from."""
    return bool(layer.metadata.get(THUMBNAIL))


def slide_layer_kwargs(slide: Slide) -> dict[str, Any]:
    """Return what `add_image` needs beside the levels of a slide."""
    kwargs: dict[str, Any] = {"name": slide.name, "rgb": True, "multiscale": True}
    if slide.mpp is not None:
        kwargs |= {"scale": (slide.mpp, slide.mpp), "units": (MICROMETRE, MICROMETRE)}
    return kwargs


def add_slide(viewer: Any, slide: Slide, levels: list[Any]) -> Any:
    """Show an opened slide as a multiscale RGB layer and return the layer."""
    layer = viewer.add_image(levels, **slide_layer_kwargs(slide))
    show_scale_bar(viewer)
    return layer


def show_scale_bar(viewer: Any) -> None:
    """Show napari's scale bar."""
    canvas = getattr(viewer, "canvas", None)
    overlay = viewer.scale_bar if canvas is None else canvas.overlays.scale_bar  # before and since napari 0.9
    overlay.visible = True


def _placement(image: Any) -> dict[str, Any]:
    """How an image lies in the world: points in its px with the same transforms lie on it."""
    return {
        "scale": image.scale,
        "translate": image.translate,
        "rotate": image.rotate,
        "shear": image.shear,
        "affine": image.affine.affine_matrix,
        "units": image.units,
    }


def frame(viewer: Any, shown: list[Any]) -> None:
    """Let the camera show some layers as large as they fit."""
    try:
        viewer.reset_view(layers=[unwrap(layer) for layer in shown])
        scene = getattr(viewer, "scene", None)
        camera = viewer.camera if scene is None else scene.camera  # before and since napari 0.9
        camera.zoom *= 0.9  # spots at the edge are seen whole
    except TypeError:  # an older napari can only show everything
        viewer.reset_view()


def add_ruler(viewer: Any, image: Any, name: str) -> Any:
    """Add an empty shapes layer on an image, ready to draw a line; its coordinates are px of the image."""
    ruler = viewer.add_shapes(name=name, ndim=2, edge_color="yellow", face_color="transparent", **_placement(image))
    # Seen at every zoom: about a 400th of the image wide.
    ruler.current_edge_width = max(
        1.0, max(image.data.shape[:2] if not image.multiscale else image.data[0].shape[:2]) / 400
    )
    ruler.mode = "add_line"
    return ruler


def place(layer: Any, image: Any) -> None:
    """Lay points on an image anew, after the image was scaled, moved or turned."""
    for name, value in _placement(image).items():
        setattr(layer, name, value)


def _disc_style(spots: Spots, mpp: float) -> dict[str, Any]:
    # Sizes are in px like the positions, so that the drawn diameter is the spot's diameter in µm.
    return {"size": spots.diameter_um / mpp, "border_width": 0, "symbol": spots.shape}


def _not_predicted(spots: Spots) -> dict[str, Any]:
    """Look of spots before a run: discs with a rim, seen on pale and on dark tissue; bins adjoin and need none."""
    face = {"face_color": np.array(NOT_PREDICTED)}
    if spots.shape == "square":
        # Not widened to 2 px where they are smaller on the canvas: many on top of each other would hide the tissue.
        return face | _unblurred(spots.layout) | {"canvas_size_limits": (0, LARGEST), "border_width": 0.0}
    return face | {
        "border_width": RIM, "border_color": np.array(RIM_COLOUR),
        "antialiasing": 1.0, "canvas_size_limits": (SMALLEST, LARGEST),
    }  # fmt: skip


def _unblurred(layout: str) -> dict[str, Any]:
    """Let small points show their own colour: where they are a few px, napari's blurred border covers all of it."""
    return {"border_color": np.zeros(4)} | ({"antialiasing": 0.0} if layout == BINS else {})


def add_spots(viewer: Any, image: Any, spots: Spots, mpp: float) -> Any:
    """Show spots that nothing is predicted for yet; returns the points layer."""
    return viewer.add_points(
        points_of(spots),
        name=f"{image.name}{SPOTS_SUFFIX}",
        features={"spot": spots.ids.astype(object)},
        **(_disc_style(spots, mpp) | _not_predicted(spots)),
        **_placement(image),
    )


def show_other_spots(layer: Any, image: Any, spots: Spots, mpp: float) -> None:
    """Let a layer of spots show others on the same image, in one redraw."""
    with layer.events.blocker_all():
        layer.data = points_of(spots)
        layer.features = {"spot": spots.ids.astype(object)}
        for name, value in (_disc_style(spots, mpp) | _not_predicted(spots)).items():
            setattr(layer, name, value)
    move(layer, image.affine.affine_matrix)  # it may have been moved by hand
    layer.refresh()


def move(layer: Any, affine: NDArray[np.float64]) -> None:
    """Give a layer another affine without slicing and sending its data again, as setting `layer.affine` would do.

    Costs the same for one spot and for a hundred thousand, so that a grid can follow the mouse.
    """
    layer.affine.affine_matrix = affine
    layer.events.affine()


def set_spot_size(layer: Any, image: Any, spots: Spots, mpp: float) -> None:
    """Follow a change of the slide's µm per px."""
    layer.scale, layer.units = image.scale, image.units
    layer.size = spots.diameter_um / mpp


def add_result(viewer: Any, image: Any, result: store.Result, gene: str, colormap: str) -> Any:
    """Show a result that is being filled in; returns the points layer."""
    return viewer.add_points(
        points_of(result.spots), **result_layer_kwargs(result, gene, colormap), **_placement(image)
    )


def result_layer_kwargs(result: store.Result, gene: str, colormap: str) -> dict[str, Any]:
    """Return what `add_points` needs to show a result, beside the points and where they lie."""
    values = result.values_of(gene)
    limits = robust_limits(values)
    return {
        "name": result_name(gene, result.kind),
        "features": _features(result.spots.ids.astype(object), gene, values),
        # Colours and not a feature that napari maps: it would map and draw 100,000 spots several times per gene.
        "face_color": colours_of(values, limits, colormap),
        "face_colormap": colormap,
        "face_contrast_limits": limits,
        "size": result.diameter_px,
        "border_width": 0,
        "symbol": result.spots.shape,
        **_unblurred(result.spots.layout),
        "metadata": {store.KEY: result},
    }


def add_points_like(viewer: Any, layer: Any, **kwargs: Any) -> Any:
    """Add points in the places and the size of another points layer; returns their layer."""
    style = {"size": layer.size, "border_width": 0, "symbol": layer.symbol}
    return viewer.add_points(layer.data, **(style | _placement(layer) | kwargs))


def add_result_like(
    viewer: Any, layer: Any, result: store.Result, gene: str, source: store.Result | None = None
) -> Any:
    """Show a result at the spots of another result's layer, in its colours; returns the points layer.

    `source` is the result that it was made from, on whose slide it then belongs.
    """
    values = result.values_of(gene)
    limits, colormap = robust_limits(values), layer.face_colormap.name
    return add_points_like(
        viewer,
        layer,
        name=result_name(gene, result.kind, "(partial)" in layer.name),
        features=_features(layer.features["spot"].to_numpy(), gene, values),
        face_color=colours_of(values, limits, colormap),
        face_colormap=colormap,
        face_contrast_limits=limits,
        metadata={store.KEY: result} | ({} if source is None else {store.MADE_FROM: source}),
    )


def result_name(gene: str, kind: str, partial: bool = False) -> str:
    """Return the name of a result layer."""
    return f"{gene} · {kind} (partial)" if partial else f"{gene} · {kind}"


def is_named_by_us(name: str, kind: str) -> bool:
    """Whether a layer still has a name that `result_name` gave it (napari numbers equal ones), and not the user's."""
    return re.fullmatch(rf".* · {re.escape(kind)}( \(partial\))?( \[\d+\])?", name) is not None


def colour_by_gene(layer: Any, gene: str, limits: tuple[float, float], colormap: str | None = None) -> None:
    """Colour a result layer by one gene between two limits; spots without a value are transparent."""
    result = store.result_of(layer)
    assert result is not None  # only result layers come here
    values = result.values_of(gene)
    colormap = colormap or layer.face_colormap.name
    # napari does not map these colours; its colour bar and whoever saves the layer read the scale here.
    if layer.face_colormap.name != colormap:
        layer.face_colormap = colormap
    layer.face_contrast_limits = limits
    before = layer.features
    if before["gene"].iloc[0] != gene or not np.array_equal(before["value"], values, equal_nan=True):
        layer.features = _features(before["spot"].to_numpy(), gene, values)
    set_colours(layer, colours_of(values, limits, colormap))


def set_colours(layer: Any, colours: NDArray[np.float32]) -> None:
    """Give the points of a layer their colours (RGBA [n, 4])."""
    # napari's canvas listens to two events of the same change and would send all points to the GPU twice.
    with layer.events.face_color.blocker():
        layer.face_color = colours


def shown_gene(layer: Any) -> str:
    """Return the gene that a result layer shows."""
    return str(layer.features["gene"].iloc[0])


def _features(ids: NDArray[np.object_], gene: str, values: NDArray[np.float64]) -> dict[str, Any]:
    # Three columns: the status bar prints them all where the dock does not (ui/layers/hover.py).
    return {"spot": ids, "gene": np.full(len(ids), gene, dtype=object), "value": values}
