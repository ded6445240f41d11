"""The pictures of a comparison's report: maps side by side, how the genes do, domains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.comparison.tables import COLUMN_OF
from napari_tcgn.exports import PANEL_INCHES, SectionDrawing
from napari_tcgn.expression import library_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_tcgn.comparison.result import Comparison

# Of Okabe and Ito (2008), told apart by the colour-blind; more domains than these start again.
DOMAIN_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#555555")
MODEL_COLOUR = "#2166ac"
BASELINE_COLOURS = ("#d6604d", "#4d9221", "#7b3294")


def maps_figure(comparison: Comparison, genes: Sequence[str], labels: Sequence[str]) -> Figure:
    """Draw measured and predicted maps of genes with the same limits, the prediction with its own, and the two as dots.

    Parameters
    ----------
    comparison : Comparison
    genes : sequence of str
        Matched genes, a row for each.
    labels : sequence of str
        Why each gene is shown.
    """
    section = _drawing(comparison)
    predicted, measured = comparison.predicted, np.asarray(comparison.measured.X)
    figure, axes = _panels(section, len(genes), 4)
    for row, gene, label in zip(axes, genes, labels, strict=True):
        index = comparison.measured.var_names.get_loc(gene)
        x, y = predicted[:, index], measured[:, index]
        low, high = (float(v) for v in np.percentile(y, [1, 99]))
        shared = (low, high) if high > low else (low - 0.5, low + 0.5)
        for axis, values, limits, title in (
            (row[0], y, shared, f"{gene} · measured"),
            (row[1], x, shared, f"{gene} · predicted, same limits"),
            (row[2], x, None, f"{gene} · predicted, own limits"),
        ):
            section.draw_picture(axis, alpha=0.35)
            section.draw_values(axis, values, comparison.manifest.scale.scale, limits)
            section.draw_scale_bar(axis)
            axis.set_title(title, fontsize=10)
        _dots(row[3], x, y, f"{label}\n{_skill(comparison.genes.loc[gene])}")
    return figure


def section_figure(comparison: Comparison) -> Figure:
    """Draw the H&E of the section."""
    section = _drawing(comparison)
    figure, axes = _panels(section, 1, 1)
    section.draw_picture(axes[0, 0], alpha=1.0)
    section.draw_scale_bar(axes[0, 0])
    return figure


def genes_figure(comparison: Comparison) -> Figure:
    """Draw how the PCC of the genes is spread, for the model and the simple predictors, with and without depth."""
    from matplotlib.figure import Figure

    genes = comparison.genes
    kinds = [("pcc", "PCC of a gene")] + ([("depth_pcc", "PCC, depth taken out")] if "depth_pcc" in genes else [])
    figure = Figure(figsize=(5 * len(kinds), 3.8), layout="constrained")
    for axis, (name, title) in zip(figure.subplots(1, len(kinds), squeeze=False)[0], kinds, strict=True):
        _spread(axis, genes[name], MODEL_COLOUR, str(comparison.baselines["method"].iloc[0]))
        if name == "pcc":
            baselines = {column: name for name, column in COLUMN_OF.items()}
            for colour, (column, label) in zip(BASELINE_COLOURS, baselines.items(), strict=False):
                if column in genes:
                    _spread(axis, genes[column], colour, label)
        axis.axvline(0, color="#bbb", linewidth=0.8, zorder=0)
        axis.axhline(0.5, color="#bbb", linewidth=0.8, zorder=0)
        axis.set(xlabel=title, ylabel="share of genes below", ylim=(0, 1))
        axis.legend(fontsize=8, frameon=False, loc="lower right")
    return figure


def domains_figure(comparison: Comparison) -> Figure | None:
    """Draw predicted and measured domains; None where they were not computed.

    A predicted domain has the colour of the measured one that it is paired with.
    """
    columns = [f"compare_domain_{name}" for name in ("measured", "predicted")]
    if columns[0] not in comparison.adata.obs:
        return None
    section = _drawing(comparison)
    labels = [
        comparison.adata.obs.loc[comparison.measured.obs_names, column].astype(str).to_numpy() for column in columns
    ]
    partner = {str(row.predicted_domain): str(row.domain) for row in comparison.niches.itertuples()}
    names = sorted(set(labels[0]), key=int)
    others = [name for name in sorted(set(labels[1]), key=int) if name not in partner]
    number = {name: i for i, name in enumerate(names)}
    number_of_predicted = {name: number[partner[name]] for name in set(labels[1]) if name in partner}
    number_of_predicted |= {name: len(names) + i for i, name in enumerate(others)}
    figure, axes = _panels(section, 1, 2)
    for axis, found, numbers, title in zip(
        axes[0], labels, (number, number_of_predicted), ("measured domains", "predicted domains"), strict=True
    ):
        section.draw_picture(axis, alpha=0.35)
        section.draw_colours(axis, _colours(np.array([numbers[name] for name in found])))
        section.draw_scale_bar(axis)
        axis.set_title(title, fontsize=10)
    return figure


def _drawing(comparison: Comparison) -> SectionDrawing:
    return SectionDrawing(library_of(comparison.adata[comparison.measured.obs_names]))


def _panels(section: SectionDrawing, rows: int, columns: int) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    left, right, bottom, top = section.limits
    height = PANEL_INCHES * float(np.clip((bottom - top) / (right - left), 0.4, 2.5))
    figure = Figure(figsize=(columns * (PANEL_INCHES + 0.6), rows * (height + 0.6)), layout="compressed")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _dots(axis: Axes, x: NDArray[np.float32], y: NDArray[np.float32], title: str) -> None:
    axis.plot(x, y, ".", markersize=3, color=MODEL_COLOUR)
    axis.set_xlabel("predicted", fontsize=8)
    axis.set_ylabel("measured", fontsize=8)
    axis.set_box_aspect(1)
    axis.tick_params(labelsize=7)
    axis.set_title(title, fontsize=10)


def _skill(row: Any) -> str:
    text = f"PCC {row['pcc']:.2f}"
    return text if np.isnan(row.get("depth_pcc", np.nan)) else f"{text}, depth taken out {row['depth_pcc']:.2f}"


def _spread(axis: Axes, values: Any, colour: str, label: str) -> None:
    known = np.sort(values.dropna().to_numpy())
    axis.plot(known, np.linspace(0, 1, len(known)), color=colour, label=label)


def _colours(numbers: NDArray[np.intp]) -> NDArray[np.float64]:
    from matplotlib.colors import to_rgba_array

    palette = to_rgba_array(DOMAIN_COLOURS)
    chosen: NDArray[np.float64] = palette[numbers % len(palette)]
    return chosen
