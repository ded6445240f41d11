"""The tables of a comparison: every gene's figures, medians with intervals, simple predictors and gene sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from napari_tcgn.comparison.baselines import DEPTH_ALONE, HAEMATOXYLIN
from napari_tcgn.comparison.pairing import Pairing
from napari_tcgn.comparison.records import Median
from napari_tcgn.stats import (
    BlockBootstrap,
    interval,
    median_interval,
    morans_i,
    partial_pcc_per_gene,
    pearson_per_gene,
    rmse_per_gene,
    spearman_per_gene,
    ssim_map,
    variance_ratio_per_gene,
    without,
)

Floats = NDArray[np.float64]
# A constant prediction has no correlation; it scores 0 and is counted.
ZERO_IF_CONSTANT = ("pcc", "spearman", "depth_pcc", "ssim")
MEDIANS = (
    "pcc", "depth_pcc", "spearman", "rmse", "r2", "ssim", "variance_ratio", "morans_i_predicted", "morans_i_measured",
    "ceiling_pcc", "share_of_ceiling", "depth_ceiling_pcc", "depth_share_of_ceiling",
)  # fmt: skip
# Values that figures are computed of at once: tables of thousands of genes neither fit into a processor's cache nor,
# a dozen times, into memory.
VALUES_AT_ONCE = 1_000_000
COLUMN_OF = {DEPTH_ALONE: "depth_alone_pcc", HAEMATOXYLIN: "haematoxylin_pcc"}


def r2_per_gene(predicted: ArrayLike, measured: ArrayLike) -> Floats:
    """Return the coefficient of determination, 1 - SSE / SST, of every gene: below 0 where the mean is better.

    Parameters
    ----------
    predicted, measured : array [n, genes]

    Returns
    -------
    float64 [genes]
        NaN where the measurement is constant.
    """
    x, y = np.asarray(predicted, dtype=np.float64), np.asarray(measured, dtype=np.float64)
    total = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    varies = y.max(axis=0) > y.min(axis=0)
    result: Floats = np.where(varies, 1 - ((x - y) ** 2).sum(axis=0) / np.where(varies, total, 1), np.nan)
    return result


def _in_parts(spots: int, genes: int, figures: Callable[[slice], dict[str, Any]]) -> dict[str, Any]:
    """Return figures [genes] or [draws, genes] by their names, computed of some neighbouring genes at a time."""
    at_once = max(1, VALUES_AT_ONCE // max(1, spots))
    parts = [figures(slice(start, start + at_once)) for start in range(0, max(1, genes), at_once)]
    return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}


def compared_genes(
    paired: Pairing, names: Sequence[str], baselines: Mapping[str, Floats], bootstrap: BlockBootstrap
) -> tuple[pd.DataFrame, Floats]:
    """Return every gene's figures (rows: genes) and its SSIM in the samples of the bootstrap, float64 [draws, genes].

    A gene that is constant in the measurement has no figures; one that is constant in the prediction scores 0.
    """
    near, window = paired.lattice.neighbour_weights(), paired.lattice.window()
    columns = _in_parts(
        len(paired.measured),
        paired.measured.shape[1],
        lambda genes: _figures(paired, genes, baselines, bootstrap, near, window),
    )
    samples, varies = columns.pop("ssim of samples"), columns.pop("varies")
    table = pd.DataFrame(
        {"measured_name": _measured_names(paired, names)} | columns, index=pd.Index(names, name="gene")
    )
    scored = [name for name in ZERO_IF_CONSTANT if name in table]
    table[scored] = table[scored].fillna(0.0)
    table.loc[~varies, [name for name in MEDIANS if name in table]] = np.nan
    return table, samples


def _figures(
    paired: Pairing, genes: slice, baselines: Mapping[str, Floats], bootstrap: BlockBootstrap, near: Any, window: Any
) -> dict[str, Any]:
    """Return the columns of some genes, which of them vary, and the SSIM of the samples."""
    x, y, depth = paired.predicted[:, genes], paired.measured[:, genes], paired.depth
    ssim = ssim_map(x, y, window)
    columns: dict[str, Any] = {
        "varies": y.max(axis=0) > y.min(axis=0),
        "ssim of samples": bootstrap.mean(np.nan_to_num(ssim)),
        "measured_mean": y.mean(axis=0),
        "measured_detected": (y > 0).mean(axis=0),
        "pcc": pearson_per_gene(x, y),
        "spearman": spearman_per_gene(x, y),
        "rmse": rmse_per_gene(x, y),
        "r2": r2_per_gene(x, y),
        "ssim": ssim.mean(axis=0),
        "variance_ratio": variance_ratio_per_gene(x, y),
        "morans_i_predicted": morans_i(x, near),
        "morans_i_measured": morans_i(y, near),
    }
    if depth is not None:
        columns["depth_pcc"] = partial_pcc_per_gene(x, y, depth)
    for name, values in baselines.items():
        columns[COLUMN_OF[name]] = pearson_per_gene(np.broadcast_to(values[:, None], y.shape), y)
    return columns


def _measured_names(paired: Pairing, names: Sequence[str]) -> list[str]:
    other = paired.match.manifest.under_another_name
    return [other.get(name, name) for name in names]


class Intervals:
    """Figures of every gene in the samples of the block bootstrap, each float64 [draws, genes that vary].

    Parameters
    ----------
    paired : Pairing
    bootstrap : BlockBootstrap
    ssim : float64 [draws, genes]
        The figure that `compared_genes` has computed.
    """

    def __init__(self, paired: Pairing, bootstrap: BlockBootstrap, ssim: Floats) -> None:
        self.bootstrap = bootstrap
        self.varies = paired.measured.max(axis=0) > paired.measured.min(axis=0)
        varying = np.flatnonzero(self.varies)
        self.samples: dict[str, Floats] = _in_parts(
            len(paired.measured), len(varying), lambda part: self._of_genes(paired, varying[part])
        )
        self.samples["ssim"] = ssim[:, self.varies]

    def _of_genes(self, paired: Pairing, genes: NDArray[np.intp]) -> dict[str, Floats]:
        x, y, depth, bootstrap = paired.predicted[:, genes], paired.measured[:, genes], paired.depth, self.bootstrap
        samples = bootstrap.figures(x, y)
        samples["spearman"] = bootstrap.pcc(rankdata(x, axis=0), rankdata(y, axis=0))
        if depth is not None:
            samples["depth_pcc"] = bootstrap.pcc(without(x, depth), without(y, depth))
        for name in ("pcc", "spearman", "depth_pcc"):
            if name in samples:
                samples[name] = np.nan_to_num(samples[name])
        return samples

    def of_genes(self) -> dict[str, tuple[Floats, Floats]]:
        """Return the 95 % intervals of the correlations of all genes, NaN for those that do not vary."""
        found: dict[str, tuple[Floats, Floats]] = {}
        for name in ("pcc", "depth_pcc"):
            if name in self.samples:
                full = np.full((2, len(self.varies)), np.nan)
                full[:, self.varies] = interval(self.samples[name])
                found[name] = (full[0], full[1])
        return found

    def of_median(self, name: str) -> tuple[float | None, float | None]:
        """Return the 95 % interval of the median over genes; (None, None) for what is not bootstrapped."""
        if name not in self.samples:
            return None, None
        return median_interval(self.samples[name])


def medians_over_genes(genes: pd.DataFrame, intervals: Intervals) -> dict[str, Median]:
    """Return the medians over the genes that vary in the measurement, with intervals where there are any."""
    medians = {}
    for name in MEDIANS:
        if name in genes:
            low, high = intervals.of_median(name)
            medians[name] = Median(number(genes[name].median()), number(low), number(high))
    return medians


def number(value: float | None) -> float | None:
    """Return a float that JSON can hold: None for what is missing."""
    return None if value is None or not np.isfinite(value) else float(value)


def baseline_table(
    paired: Pairing, genes: pd.DataFrame, baselines: Mapping[str, Floats], intervals: Intervals
) -> pd.DataFrame:
    """Return the medians of the model and of the simple predictors, and the model's lead over each.

    A simple predictor is taken as the prediction of every gene, with its sign as it is: nothing is fitted to the
    measurement.
    """
    varies, depth = np.flatnonzero(intervals.varies), paired.depth
    rows = [_method_row(paired.card.name, genes["pcc"], genes.get("depth_pcc"), intervals.samples)]
    for name, values in baselines.items():
        control = depth if name != DEPTH_ALONE else None
        figures = partial(_of_one_number, values, control, paired.measured, varies, intervals.bootstrap)
        samples = _in_parts(len(values), len(varies), figures)
        without_depth = pd.Series(samples.pop("partial")) if control is not None else None
        column = genes[COLUMN_OF[name]].iloc[varies].fillna(0.0)
        row = _method_row(name, column, without_depth, samples)
        model = genes["pcc"].iloc[varies]
        leads = np.median(intervals.samples["pcc"], axis=1) - np.median(samples["pcc"], axis=1)
        low, high = np.quantile(leads, [0.025, 0.975])
        row |= {"lead": model.median() - column.median(), "lead_low": float(low), "lead_high": float(high)}
        rows.append(row | {"genes_where_model_better": float((model > column).mean())})
    return pd.DataFrame(rows)


def _of_one_number(
    values: Floats,
    depth: Floats | None,
    every: Floats,
    chosen: NDArray[np.intp],
    bootstrap: BlockBootstrap,
    part: slice,
) -> dict[str, Floats]:
    """Return the figures of a simple predictor [n], taken as the prediction of a part of the chosen genes."""
    one, measured = values[:, None], every[:, chosen[part]]
    found = {"pcc": np.nan_to_num(bootstrap.pcc(one, measured))}
    if depth is not None:
        found["depth_pcc"] = np.nan_to_num(bootstrap.pcc(without(one, depth), without(measured, depth)))
        wide = np.broadcast_to(one, measured.shape)
        found["partial"] = np.nan_to_num(partial_pcc_per_gene(wide, measured, depth))
    return found


def _method_row(name: str, pcc: pd.Series, depth: pd.Series | None, samples: Mapping[str, Floats]) -> dict[str, Any]:
    row: dict[str, Any] = {"method": name}
    for key, values in (("pcc", pcc), ("depth_pcc", depth)):
        known = values is not None and key in samples
        low, high = median_interval(samples[key]) if known else (np.nan, np.nan)
        row |= {f"median_{key}": float(values.median()) if values is not None else np.nan}
        row |= {f"{key}_low": low, f"{key}_high": high}
    return row


def set_table(
    names: Sequence[str],
    counts: Sequence[int],
    predicted: Floats,
    measured: Floats,
    p: Floats,
    depth: Floats | None,
    bootstrap: BlockBootstrap,
) -> pd.DataFrame:
    """Return a row per gene set: how far its predicted score follows the measured one."""
    low, high = interval(bootstrap.pcc(predicted, measured))
    columns: dict[str, Any] = {
        "gene_set": list(names),
        "genes": list(counts),
        "pcc": pearson_per_gene(predicted, measured),
        "pcc_low": low,
        "pcc_high": high,
        "spearman": spearman_per_gene(predicted, measured),
        "p": p,
    }
    if depth is not None:
        columns["depth_pcc"] = partial_pcc_per_gene(predicted, measured, depth)
    return pd.DataFrame(columns)
