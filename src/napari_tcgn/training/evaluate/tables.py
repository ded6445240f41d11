"""The tables of a cross-validation: genes, medians with their uncertainty, and differences between methods."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from napari_tcgn.stats import median_interval
from napari_tcgn.training.evaluate.scored import Scored, pool

SIGNIFICANT = 0.05  # false discovery rate


def genes_by_section(scored: Iterable[Scored]) -> pd.DataFrame:
    """Return every gene's figures of every method and section, one row each."""
    parts = [
        s.genes.reset_index().assign(by=s.by, fold=s.fold, section=s.section, method=s.method, n_spots=s.n_spots)
        for s in scored
    ]
    table = pd.concat(parts, ignore_index=True)
    first = ["by", "fold", "section", "method", "n_spots", "gene"]
    return table[[*first, *(name for name in table.columns if name not in first)]]


def summary_table(scored: Sequence[Scored]) -> pd.DataFrame:
    """Return the medians over genes: per section and method, and pooled over the sections of a kind of fold.

    Pooled figures are the mean of a gene over the sections that have it, then the median over the genes. Intervals are
    95 % percentile intervals over blocks of spots; that the next patient differs from these is not in them. Beside each
    median stands the one of what could be reached; shares are over the genes that are not too noisy to judge.
    """
    rows = []
    for by in dict.fromkeys(s.by for s in scored):
        of_kind = [s for s in scored if s.by == by]
        for method in dict.fromkeys(s.method for s in of_kind):
            mine = [s for s in of_kind if s.method == method]
            rows += [{"by": by, "section": s.section, "method": method, **_medians([s])} for s in mine]
            if len(mine) > 1:
                rows.append({"by": by, "section": "all", "method": method, **_medians(mine)})
    # Not pooled: a gene is significant in a section. Whole numbers that may be missing.
    return pd.DataFrame(rows).astype({"genes_significant": "Int64"})


def _medians(scored: Sequence[Scored]) -> dict[str, float | int | None]:
    pooled = pool(scored)
    low, high = median_interval(pooled.samples)
    depth_low, depth_high = median_interval(pooled.depth_samples)
    genes = pooled.genes
    return {
        "n_spots": pooled.n_spots,
        "genes": len(genes),
        "median_pcc": float(genes["pcc"].median()),
        "pcc_low": low,
        "pcc_high": high,
        "median_depth_pcc": float(genes["depth_pcc"].median()),
        "depth_pcc_low": depth_low,
        "depth_pcc_high": depth_high,
        "median_ceiling_pcc": float(genes["ceiling_pcc"].dropna().median()),
        "median_share_of_ceiling": float(genes["share_of_ceiling"].dropna().median()),
        "median_depth_ceiling_pcc": float(genes["depth_ceiling_pcc"].dropna().median()),
        "median_depth_share_of_ceiling": float(genes["depth_share_of_ceiling"].dropna().median()),
        "median_spearman": float(genes["spearman"].median()),
        "median_rmse": float(genes["rmse"].median()),
        "median_variance_ratio": float(genes["variance_ratio"].median()),
        "genes_significant": int((genes["q"] < SIGNIFICANT).sum()) if len(scored) == 1 else None,
    }


def difference_table(scored: Sequence[Scored], method: str) -> pd.DataFrame:
    """Return the median PCC of a method minus that of every other, with paired intervals, per section and pooled."""
    rows = []
    for by in dict.fromkeys(s.by for s in scored):
        of_kind = [s for s in scored if s.by == by]
        sections = list(dict.fromkeys(s.section for s in of_kind))
        for other in dict.fromkeys(s.method for s in of_kind if s.method != method):
            for chosen in [[name] for name in sections] + ([sections] if len(sections) > 1 else []):
                mine, theirs = (
                    pool([s for s in of_kind if s.method == m and s.section in chosen]) for m in (method, other)
                )
                section = chosen[0] if len(chosen) == 1 else "all"
                row: dict[str, object] = {"by": by, "section": section, "method": method, "minus": other}
                for name, column, which in (("", "pcc", "samples"), ("depth_", "depth_pcc", "depth_samples")):
                    change = np.median(getattr(mine, which), axis=1) - np.median(getattr(theirs, which), axis=1)
                    low, high = np.quantile(change, [0.025, 0.975])
                    row |= {
                        f"{name}difference": float(mine.genes[column].median() - theirs.genes[column].median()),
                        f"{name}low": float(low),
                        f"{name}high": float(high),
                    }
                rows.append(row)
    return pd.DataFrame(rows)
