"""An explanation as one figure: the patch, its maps, the graph, the curves of the checks."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_tcgn.errors import OutputError
from napari_tcgn.explanation.result import AttributionMap, Curves, Explanation, TokenGraph
from napari_tcgn.exports import round_length
from napari_tcgn.files import check_target, write_whole
from napari_tcgn.pages import figure_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
PANEL = 3.3  # inches
SHOWN_EDGES = 80
SIGNED, UNSIGNED, EDGES = "RdBu_r", "Reds", "viridis"
DIM = 0.55  # how much of the patch a map covers
LINE = 46  # characters
TITLE = 13  # characters an inch


def explanation_figure(
    explanation: Explanation, path: str | Path, overwrite: bool = False, dpi: int = 150, tissue: bool = True
) -> None:
    """Draw an explanation and write it as a picture.

    Signed maps have one colour scale around 0, blue lowers and red raises the prediction, with its unit at the bar. A
    map that failed a check says so below it.

    Parameters
    ----------
    explanation : Explanation
    path : str or pathlib.Path
        .png, .svg or .pdf.
    overwrite : bool
        Whether an existing file may be replaced.
    dpi : int
    tissue : bool
        Whether the patch is shown; without it the figure holds no pixel of the slide and may go where that may not.

    Raises
    ------
    OutputError
        If the path has another suffix, exists, or cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(f"{path.name} is no figure.", f"End its name in one of {', '.join(SUFFIXES)}.")
    check_target(path, overwrite)
    figure = draw_explanation(explanation, tissue)
    with write_whole(path, overwrite) as temporary:
        temporary.write_bytes(figure_bytes(figure, path.suffix, dpi))


def draw_explanation(explanation: Explanation, tissue: bool = True) -> Figure:
    """Return the figure of an explanation."""
    # The object interface only: pyplot would touch the backend and the figures of the calling program.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = int(tissue) + len(explanation.maps) + len(explanation.graphs) + len(explanation.curves)
    columns = min(panels, 4)
    rows = -(-panels // columns)
    figure = Figure(figsize=(columns * (PANEL + 0.6), rows * (PANEL + 1.1) + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(textwrap.fill(_title(explanation), int(TITLE * figure.get_figwidth())), fontsize=11)
    axes: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).flat)
    for spare in axes[panels:]:
        spare.set_axis_off()
    free = iter(axes)
    if tissue:
        _draw_patch(next(free), explanation)
    for one in explanation.maps:
        _draw_map(next(free), explanation, one, tissue)
    for graph in explanation.graphs:
        _draw_graph(next(free), explanation, graph, tissue)
    for curves in explanation.curves:
        _draw_curves(next(free), explanation, curves)
    return figure


def _title(explanation: Explanation) -> str:
    text = (
        f"{explanation.gene} at spot {explanation.spot} of {explanation.library_id}: {explanation.prediction:.3f} "
        f"({explanation.unit}), predicted by {explanation.model}"
    )
    if explanation.shares is not None:
        text += f"; network {explanation.shares.network:.3f}, line {explanation.shares.line:.3f}"
    return text


def _draw_patch(axis: Axes, explanation: Explanation) -> None:
    side = explanation.patch_um
    axis.imshow(explanation.patch, extent=(0, side, side, 0))
    axis.set_title(f"Patch, {side:g} µm", fontsize=10)
    _draw_scale_bar(axis, side)
    _bare(axis, side)


def _draw_scale_bar(axis: Axes, side: float) -> None:
    length = round_length(side / 4)
    x, y = 0.05 * side, 0.95 * side
    for colour, width in (("white", 6), ("black", 3)):
        axis.plot([x, x + length], [y, y], color=colour, linewidth=width, solid_capstyle="butt")
    axis.annotate(
        f"{length:g} µm", (x + length / 2, y), xytext=(0, 5), textcoords="offset points", ha="center", fontsize=8,
        bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 1},
    )  # fmt: skip


def _draw_map(axis: Axes, explanation: Explanation, one: AttributionMap, tissue: bool) -> None:
    side = explanation.patch_um
    if tissue:
        axis.imshow(explanation.patch.mean(axis=2), extent=(0, side, side, 0), cmap="gray", vmin=0, vmax=255)
    most = float(np.abs(one.values).max()) or 1.0
    limits = (-most, most) if one.signed else (0.0, most)
    drawn = axis.imshow(
        one.values, extent=(0, side, side, 0), cmap=SIGNED if one.signed else UNSIGNED, vmin=limits[0], vmax=limits[1],
        alpha=DIM if tissue else 1.0, interpolation="nearest",
    )  # fmt: skip
    bar = axis.figure.colorbar(drawn, ax=axis, shrink=0.8)
    if bar.solids is not None:
        bar.solids.set_alpha(1)
    bar.set_label(textwrap.fill(one.unit, 40), fontsize=7)
    bar.ax.tick_params(labelsize=7)
    axis.set_title(one.method[0].upper() + one.method[1:], fontsize=10)
    if not tissue:
        _draw_scale_bar(axis, side)
    _bare(axis, side)
    failed = [f"FAILED {check.name}" for check in explanation.failed(one.method)]
    said = one.note or f"Against {one.reference}."
    axis.set_xlabel(
        "\n".join([*failed, textwrap.fill(said, LINE)]), fontsize=7, color="firebrick" if failed else "black"
    )


def _draw_graph(axis: Axes, explanation: Explanation, graph: TokenGraph, tissue: bool) -> None:
    from matplotlib.collections import LineCollection

    side = explanation.patch_um
    if tissue:
        axis.imshow(explanation.patch, extent=(0, side, side, 0), alpha=0.6)
    axis.set_aspect("equal")
    chosen = graph.strongest(SHOWN_EDGES)[::-1]  # the strongest on top
    points = graph.xy * side
    lines = LineCollection(list(points[graph.edges[chosen]]), cmap=EDGES, linewidths=1.2)
    lines.set_array(graph.attention[chosen].mean(axis=1))
    axis.add_collection(lines, autolim=False)
    axis.scatter(points[:, 0], points[:, 1], s=2, color="black")
    bar = axis.figure.colorbar(lines, ax=axis, shrink=0.8)
    bar.set_label("attention, mean of two heads", fontsize=7)
    bar.ax.tick_params(labelsize=7)
    axis.set_title(f"Graph of block {graph.block + 1}", fontsize=10)
    _bare(axis, side)
    others = int((~graph.loops).sum())
    said = (
        f"The {len(chosen)} strongest of {others} edges between two tokens, as the network used them. Attention is "
        "where tokens exchange information, not importance."
    )
    axis.set_xlabel(textwrap.fill(said, LINE), fontsize=7)


def _draw_curves(axis: Axes, explanation: Explanation, curves: Curves) -> None:
    for values in curves.random_deletion:
        axis.plot(curves.share, values, color="0.8", linewidth=0.6)
    for values in curves.random_insertion:
        axis.plot(curves.share, values, color="0.8", linewidth=0.6, linestyle=":")
    axis.plot(curves.share, curves.deletion, color="firebrick", label="covered")
    axis.plot(curves.share, curves.insertion, color="navy", label="uncovered", linestyle=":")
    axis.set_title(f"Order of {curves.method}", fontsize=10)
    axis.set_xlabel("share of the patch; grey: random orders", fontsize=7)
    axis.set_ylabel("prediction", fontsize=7)
    axis.tick_params(labelsize=7)
    axis.legend(fontsize=7)


def _bare(axis: Axes, side: float) -> None:
    axis.set_xlim(0, side)
    axis.set_ylim(side, 0)
    axis.set_xticks([])
    axis.set_yticks([])
