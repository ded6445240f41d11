"""The figures of a cross-validation, and one HTML page that holds them and the tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_tcgn.comparison import DEPTH_ALONE
from napari_tcgn.files import write_text_whole, write_whole
from napari_tcgn.pages import Picture, render_page
from napari_tcgn.training.evaluate.evaluation import Evaluation
from napari_tcgn.training.evaluate.scored import TRAINING_MEAN, pool

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#2166ac", "#d6604d", "#4d9221", "#7b3294", "#8c510a", "#35978f", "#c51b7d", "#666666", "#999999")


def write_report(result: Evaluation, verdict: Sequence[str] = ()) -> Path:
    """Write figures (PNG) and report.html into the folder of a cross-validation; return the page's path.

    Parameters
    ----------
    result : Evaluation
    verdict : sequence of str
        Sentences on the model, above everything else.
    """
    figures = {
        "Every gene's PCC": ("pcc_distribution.png", distribution_figure(result)),
        "Sections and methods": ("medians.png", medians_figure(result)),
    }
    if result.summary["by"].nunique() > 1:
        figures["Section held out against patient held out"] = ("gap.png", gap_figure(result))
    pictures = []
    for title, (name, figure) in figures.items():
        pictures.append(Picture.of(title, figure))
        with write_whole(result.out / name, overwrite=True) as temporary:
            temporary.write_bytes(pictures[-1].png)
    path = result.out / "report.html"
    write_text_whole(path, _page(result, pictures, verdict), overwrite=True)
    return path


def _figure(width: float, height: float, columns: int = 1) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def _methods(result: Evaluation, drop: tuple[str, ...] = ()) -> list[str]:
    return [m for m in dict.fromkeys(s.method for s in result.scored) if m not in drop]


def distribution_figure(result: Evaluation) -> Figure:
    """Draw how the genes' PCC (mean over held-out sections) are spread, plain and depth-controlled."""
    kind = result.scored[0].by
    methods = _methods(result, drop=(TRAINING_MEAN,))
    figure, axes = _figure(10, 4, 2)
    for axis, column, title in zip(axes, ("pcc", "depth_pcc"), ("plain", "depth taken out"), strict=True):
        shown = methods if column == "pcc" else [m for m in methods if m != DEPTH_ALONE]
        for colour, method in zip(COLOURS, shown, strict=False):
            pooled = pool([s for s in result.scored if s.by == kind and s.method == method])
            values = np.sort(pooled.genes[column].to_numpy())
            axis.plot(values, np.linspace(0, 1, len(values)), color=colour, label=method)
        axis.axvline(0, color="#bbb", linewidth=0.8, zorder=0)
        axis.axhline(0.5, color="#bbb", linewidth=0.8, zorder=0)
        axis.set(xlabel=f"PCC of a gene, {title}", ylabel="share of genes below", ylim=(0, 1))
    axes[0].legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(1.1, 1.12), ncols=5)
    return figure


def medians_figure(result: Evaluation) -> Figure:
    """Draw the median PCC of every method and held-out section with its interval."""
    methods = _methods(result, drop=(TRAINING_MEAN,))
    kinds = list(dict.fromkeys(result.summary["by"]))
    figure, axes = _figure(5.2 * len(kinds), 4, len(kinds))
    for axis, kind in zip(axes, kinds, strict=True):
        table = result.summary[result.summary["by"] == kind]
        sections = list(dict.fromkeys(table["section"]))
        for number, (colour, method) in enumerate(zip(COLOURS, methods, strict=False)):
            rows = table[table["method"] == method].set_index("section").reindex(sections)
            place = np.arange(len(sections)) + (number - len(methods) / 2) * 0.13
            error = np.stack([rows["median_pcc"] - rows["pcc_low"], rows["pcc_high"] - rows["median_pcc"]]).clip(min=0)
            axis.errorbar(place, rows["median_pcc"], yerr=error, fmt="o", markersize=4, color=colour, label=method)
        axis.axhline(0, color="#bbb", linewidth=0.8, zorder=0)
        axis.set_xticks(np.arange(len(sections)), sections)
        axis.set(title=f"one {kind} held out", ylabel="median PCC over the genes")
    axes[0].legend(fontsize=8, frameon=False)
    return figure


def gap_figure(result: Evaluation) -> Figure:
    """Draw each gene's PCC with its section held out against that with its patient held out, for the leading method."""
    figure, (axis,) = _figure(4.6, 4.4)
    found = {}
    for kind in ("section", "patient"):
        mine = [s for s in result.scored if s.by == kind and s.method == result.lead]
        found[kind] = pool(mine).genes["pcc"]
    both = pd.DataFrame(found).dropna()
    axis.plot(both["section"], both["patient"], ".", markersize=3, color=COLOURS[0])
    low, high = float(both.min().min()), float(both.max().max())
    axis.plot([low, high], [low, high], color="#999", linewidth=0.8)
    gap = both["section"].median() - both["patient"].median()
    axis.set(xlabel="PCC, section held out", ylabel="PCC, patient held out", title=f"gap of the medians {gap:.3f}")
    return figure


def _page(result: Evaluation, pictures: list[Picture], verdict: Sequence[str]) -> str:
    pooled = pool([s for s in result.scored if s.by == result.scored[0].by and s.method == result.lead]).genes
    columns = [
        "pcc",
        "pcc_low",
        "pcc_high",
        "ceiling_pcc",
        "depth_pcc",
        "depth_ceiling_pcc",
        "spearman",
        "rmse",
        "variance_ratio",
    ]
    return render_page(
        "evaluation.html",
        title="napari-tcgn cross-validation",
        lead=result.lead,
        verdict=verdict,
        record=result.record.to_record(),
        depth_alone=DEPTH_ALONE,
        summary=result.summary,
        differences=result.differences,
        pictures=pictures,
        best_genes=pooled.sort_values("pcc", ascending=False)[columns].head(30).reset_index(),
    )
