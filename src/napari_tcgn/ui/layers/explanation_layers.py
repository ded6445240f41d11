"""Maps over a spot's patch, and the graph that the network drew there, as layers that lie on the slide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Vectors
from numpy.typing import NDArray

from napari_tcgn.ui.layers import result_layers, store
from napari_tcgn.ui.layers.layer_names import DOT
from napari_tcgn.ui.layers.surface_layer import grid_placement

if TYPE_CHECKING:
    from napari.layers import Layer, Points
    from napari.viewer import Viewer

    from napari_tcgn.explanation import AttributionMap, Explanation, SectionMap, TokenGraph

COLOURS = "RdBu_r"  # red: what is there raises the gene
ONE_SIGN = "magma"
GRAPH, SECTION = "graph", "attribution"


def map_name(explanation: Explanation, method: str) -> str:
    """Return the name of the layer of a map."""
    return DOT.join((explanation.library_id, f"spot {explanation.spot}", explanation.gene, method))


def show_map(viewer: Viewer, layer: Points, explanation: Explanation, shown: AttributionMap) -> Image:
    """Lay a map on the patch that it explains, or let the layer that does show it; returns the layer."""
    selected = viewer.layers.selection.active
    name, limit = map_name(explanation, shown.method), float(np.nanmax(np.abs(shown.values))) or 1.0
    low = -limit if shown.signed else 0.0
    side_px = explanation.patch_um / explanation.mpp / shown.values.shape[0]
    corner = explanation.patch_um / explanation.mpp / 2
    x0, y0 = (middle - corner + side_px / 2 for middle in (explanation.x, explanation.y))
    placed = grid_placement(layer, x0, y0, side_px)
    there = next((one for one in viewer.layers if one.name == name and is_explanation(one)), None)
    if isinstance(there, Image):
        there.data, there.contrast_limits = shown.values, (low, limit)
        for side, value in placed.items():  # a first look has larger windows
            setattr(there, side, value)
        return there
    about = Explained(explanation.gene, explanation.x, explanation.y, 2 * corner)
    metadata: dict[str, Any] = {store.MADE_FROM: store.result_of(layer), EXPLAINS: about}
    image = viewer.add_image(
        shown.values,
        name=name,
        colormap=COLOURS if shown.signed else ONE_SIGN,
        contrast_limits=(low, limit),
        opacity=0.75,
        interpolation2d="nearest",
        metadata=metadata,
        **placed,
    )
    assert isinstance(image, Image)  # several only for channels
    viewer.layers.selection.active = selected if selected is not None else layer
    return image


def show_section(viewer: Viewer, layer: Points, found: SectionMap, gene: str) -> Image:
    """Lay the map of a gene over the whole section, or let the layer that does show this gene; returns the layer."""
    result = store.result_of(layer)
    assert result is not None  # only results are explained
    picture = found.stitched(gene)
    limit = float(np.nanquantile(np.abs(picture.values), 0.99)) or 1.0
    name = DOT.join((result.library_id, gene, SECTION))
    there = section_layer(viewer, result)
    if there is not None:
        there.data, there.name = picture.values, name
        there.contrast_limits_range = there.contrast_limits = (-limit, limit)
        return there
    image = viewer.add_image(
        picture.values,
        name=name,
        colormap=COLOURS,
        contrast_limits=(-limit, limit),
        opacity=0.75,
        interpolation2d="nearest",
        metadata={store.MADE_FROM: result, EXPLAINS: Explained()},
        **grid_placement(layer, picture.x0, picture.y0, picture.step),
    )
    assert isinstance(image, Image)  # several only for channels
    viewer.layers.selection.active = layer
    return image


def section_layer(viewer: Viewer, result: store.Result | None) -> Image | None:
    """Return the layer that shows a map over the whole section of a result."""
    for one in viewer.layers:
        if isinstance(one, Image) and is_explanation(one) and SECTION in one.name and store.made_from(one) is result:
            return one
    return None


def show_graph(viewer: Viewer, layer: Points, explanation: Explanation, graph: TokenGraph, count: int) -> Vectors:
    """Draw the strongest edges of a graph between the tokens that they join, coloured by attention."""
    remove_explanations(viewer, GRAPH)
    edges = graph.strongest(count)
    # In px of the patch as shares of its side; (row, column) as napari has it.
    places = graph.xy[:, ::-1].astype(float)
    start, end = places[graph.edges[edges, 0]], places[graph.edges[edges, 1]]
    attention = graph.attention[edges].mean(axis=1)
    side = explanation.patch_um / explanation.mpp
    about = Explained(explanation.gene, explanation.x, explanation.y, side)
    vectors: Vectors = Vectors(
        np.stack([start, end - start], axis=1),
        name=DOT.join((explanation.library_id, f"spot {explanation.spot}", f"{GRAPH} of block {graph.block + 1}")),
        properties={"attention": attention},
        edge_color="attention",
        edge_colormap="viridis",
        edge_width=0.006,
        vector_style="line",
        metadata={store.MADE_FROM: store.result_of(layer), EXPLAINS: about},
        # A share of 0 is the patch's corner, and napari's px 0 reaches from -0.5: `grid_placement` minds that.
        **grid_placement(layer, explanation.x - side / 2, explanation.y - side / 2, side),
    )
    viewer.layers.append(vectors)
    viewer.layers.selection.active = layer
    return vectors


EXPLAINS = f"{store.KEY}_explains"  # in a layer's metadata: an `Explained`


@dataclass(frozen=True, slots=True)
class Explained:
    """What a layer of an explanation is about.

    Attributes
    ----------
    gene : str
        "" where it follows the gene that is shown.
    x, y, side_px : float
        Middle and side of the patch, in px as in `Spots`; NaN: the whole section.
    """

    gene: str = ""
    x: float = math.nan
    y: float = math.nan
    side_px: float = math.nan


def belongs_to(layer: Layer, shown: Layer) -> bool:
    """Whether a layer of an explanation is about what a result layer shows: its result, and its gene."""
    about: Explained = layer.metadata[EXPLAINS]
    same = store.made_from(layer) is store.made_from(shown)
    return same and (not about.gene or (store.shows_result(shown) and about.gene == result_layers.shown_gene(shown)))


def covered_spots(viewer: Viewer, result: store.Result) -> NDArray[np.bool_] | None:
    """Return which spots of a result lie below a map of it that is seen, bool [spots]; None: none does."""
    spots, found = result.spots, np.zeros(len(result.spots), bool)
    for one in viewer.layers:
        if not (isinstance(one, Image) and one.visible and is_explanation(one) and store.made_from(one) is result):
            continue
        about: Explained = one.metadata[EXPLAINS]
        reach = (about.side_px + result.diameter_px) / 2
        inside = (np.abs(spots.x - about.x) < reach) & (np.abs(spots.y - about.y) < reach)
        found |= inside if np.isfinite(about.side_px) else True
    return found if found.any() else None


def is_explanation(layer: Any) -> bool:
    """Whether a layer shows an explanation."""
    return EXPLAINS in layer.metadata


def maps_at(viewer: Viewer, explanation: Explanation) -> list[Image]:
    """Return the layers of all maps of the spot of an explanation, of whichever gene."""
    begins = DOT.join((explanation.library_id, f"spot {explanation.spot}", ""))
    maps = (one for one in viewer.layers if isinstance(one, Image) and is_explanation(one))
    return [one for one in maps if one.name.startswith(begins)]


def remove_explanations(viewer: Viewer, ending: str = "", keep: Any = ()) -> None:
    """Remove the layers of explanations: all, or graphs only; but for some."""
    for one in list(viewer.layers):
        if is_explanation(one) and one not in keep and (not ending or ending in one.name):
            viewer.layers.remove(one)
