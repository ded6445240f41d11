"""Held-out predictions against measured counts: every gene's figures on a section, and pooled over sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_tcgn.errors import DataError
from napari_tcgn.stats import (
    BlockBootstrap,
    interval,
    partial_pcc_per_gene,
    pearson_per_gene,
    q_values,
    rmse_per_gene,
    shift_p,
    spearman_per_gene,
    variance_ratio_per_gene,
    without,
)
from napari_tcgn.training.data.section import MeasuredSection
from napari_tcgn.trust import HeldOutSection, Reachable, reachable_pcc, share_of_ceiling

DRAWS = 1000
# Names of methods in tables.
TCGN_METHOD = "TCGN"
BOTH = "TCGN and line (mean)"
TRAINING_MEAN = "training mean"


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """One method on one held-out section.

    Attributes
    ----------
    by : {"section", "patient"}
        What was held out together.
    fold, section, method : str
    genes : pandas.DataFrame
        One row per gene of the panel that varies in the section, indexed by gene: pcc (0 for a constant prediction),
        pcc_low, pcc_high, spearman, rmse, variance_ratio, depth_pcc, p, q, and what could be reached: ceiling_pcc,
        share_of_ceiling and the same with depth_ in front.
    samples, depth_samples : float32 [draws, rows of genes]
        PCC and depth-controlled PCC in bootstrap samples; the same draws for every method, so that their differences
        are paired.
    n_spots : int
    held_out : HeldOutSection or None
        The values, for intervals; genes in the order of `panel`.
    panel : tuple of str
    """

    by: str
    fold: str
    section: str
    method: str
    genes: pd.DataFrame
    samples: NDArray[np.float32]
    depth_samples: NDArray[np.float32]
    n_spots: int
    held_out: HeldOutSection | None = None
    panel: tuple[str, ...] = ()


def depth_of(section: MeasuredSection) -> NDArray[np.float64]:
    """Return log10(1 + total of the spot), which its counts are scaled by: what a deeper spot shows of every gene."""
    depth: NDArray[np.float64] = np.log10(1 + section.total)
    return depth


def reachable_in(section: MeasuredSection) -> Reachable:
    """Return the PCC that no prediction of a section can exceed, per gene of its panel; NaN where it has no counts."""
    from napari_tcgn.expression import scale_counts

    try:
        return reachable_pcc(section.counts, scale_counts, depth_of(section), section.totals)
    except DataError:  # no whole numbers: what cannot be estimated is unknown
        return Reachable(*np.full((2, section.counts.shape[1]), np.nan))


def score_section(
    predicted: NDArray[np.float32],
    section: MeasuredSection,
    panel: Sequence[str],
    by: str,
    fold: str,
    method: str,
    reachable: Reachable | None = None,
) -> Scored:
    """Score a prediction [n, genes] of every spot of a held-out section.

    Parameters
    ----------
    predicted, section, panel, by, fold, method
        See `Scored`.
    reachable : Reachable, optional
        Of the section, where several methods are scored on it (`reachable_in`).
    """
    ceiling = reachable_in(section) if reachable is None else reachable
    target = section.target.astype(np.float64)
    varies = section.measured & (target.max(axis=0) > target.min(axis=0))
    x, y = np.asarray(predicted, dtype=np.float64)[:, varies], target[:, varies]
    lattice, depth = section.spots.lattice, depth_of(section)
    bootstrap = BlockBootstrap(lattice.blocks(), DRAWS)
    samples = _zero(bootstrap.pcc(x, y))
    low, high = interval(samples)
    p = shift_p(x, y, lattice)
    genes = pd.DataFrame(
        {
            "pcc": _zero(pearson_per_gene(x, y)),
            "pcc_low": low,
            "pcc_high": high,
            "spearman": _zero(spearman_per_gene(x, y)),
            "rmse": rmse_per_gene(x, y),
            "variance_ratio": variance_ratio_per_gene(x, y),
            "depth_pcc": _zero(partial_pcc_per_gene(x, y, depth)),
            "p": p,
            "q": q_values(p),
            "ceiling_pcc": ceiling.plain[varies],
            "depth_ceiling_pcc": ceiling.depth[varies],
        },
        index=pd.Index(np.asarray(panel, dtype=str)[varies], name="gene"),
    )
    _add_shares(genes)
    depth_samples = _zero(bootstrap.pcc(without(x, depth), without(y, depth)))
    # Halves what thousands of genes and many methods hold.
    kept = (samples.astype(np.float32), depth_samples.astype(np.float32))
    values = HeldOutSection(
        np.asarray(predicted, dtype=np.float32), np.where(section.measured, section.target, np.float32(np.nan))
    )
    return Scored(by, fold, section.name, method, genes, *kept, len(section), values, tuple(panel))


def _add_shares(genes: pd.DataFrame) -> None:
    """Say of every gene what share of the reachable PCC it has."""
    for before in ("", "depth_"):
        share = share_of_ceiling(genes[f"{before}pcc"], genes[f"{before}ceiling_pcc"])
        genes[f"{before}share_of_ceiling"] = share


def _zero(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A constant prediction has no correlation; it scores 0 and is counted."""
    return np.where(np.isnan(values), 0.0, values)


def pool(scored: Sequence[Scored]) -> Scored:
    """Average one method over sections, gene by gene, over those sections where the gene varies."""
    first = scored[0]
    if len(scored) == 1:
        return first
    names = list(dict.fromkeys(gene for s in scored for gene in s.genes.index))
    tables = [s.genes.reindex(names) for s in scored]
    genes = pd.concat(tables).groupby(level=0, sort=False).mean().reindex(names)
    samples, depth = (
        np.nanmean([_spread_out(s, names, which) for s in scored], axis=0) for which in ("samples", "depth_samples")
    )
    genes["pcc_low"], genes["pcc_high"] = interval(samples)
    genes["p"] = genes["q"] = np.nan  # p-values are not averaged
    _add_shares(genes)  # of the means: a mean of shares would be that of the noisiest section
    spots = sum(s.n_spots for s in scored)
    return Scored(first.by, "all", "all", first.method, genes, samples, depth, spots)


def _spread_out(scored: Scored, names: Sequence[str], which: str) -> NDArray[np.float64]:
    """Return samples [draws, names], NaN for genes that the section does not have."""
    samples: NDArray[np.float64] = getattr(scored, which)
    at = scored.genes.index.get_indexer(pd.Index(names))
    return np.where(at >= 0, samples[:, np.maximum(at, 0)], np.nan)
