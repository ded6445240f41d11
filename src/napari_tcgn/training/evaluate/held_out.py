"""What held-out figures say of every gene of a model, for its card."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from napari_tcgn.comparison import DEPTH_ALONE
from napari_tcgn.model import FoldFigures, HeldOut
from napari_tcgn.training.evaluate.scored import BOTH, TCGN_METHOD, TRAINING_MEAN, Scored, pool
from napari_tcgn.training.evaluate.tables import SIGNIFICANT, summary_table
from napari_tcgn.trust import HeldOutSection

NOT_SIMPLE = (TCGN_METHOD, BOTH, DEPTH_ALONE, TRAINING_MEAN)
BETTER = 0.02  # a simple model is named where its PCC is higher by more than this


def held_out_figures(scored: Sequence[Scored], method: str, panel: Sequence[str]) -> HeldOut:
    """Return the figures of a method for its card: per gene the mean over held-out sections, with intervals.

    Folds by section are taken where there are any. `better_simple` names, per gene, a simple model whose held-out
    PCC is higher by more than 0.02, or None.
    """
    panel = list(panel)
    kind = "section" if any(s.by == "section" for s in scored) else "patient"
    mine = [s for s in scored if s.by == kind and s.method == method]
    pooled = pool(mine)
    simple = {
        other: pool([s for s in scored if s.by == kind and s.method == other]).genes["pcc"].reindex(panel)
        for other in dict.fromkeys(s.method for s in scored)
        if other not in (method, *NOT_SIMPLE)
    }
    table = pooled.genes.reindex(panel)
    q = np.stack([s.genes["q"].reindex(panel).to_numpy(dtype=float) for s in mine])  # [sections, genes]
    significant, tested = (q < SIGNIFICANT).sum(axis=0), (~np.isnan(q)).sum(axis=0)

    def column(name: str) -> list[float | None]:
        return [_rounded(v) for v in table[name]]

    best = pd.DataFrame(simple, index=panel)
    better: list[str | None] = [None] * len(panel)
    if len(best.columns):
        top = best.max(axis=1)
        ahead = (top > table["pcc"] + BETTER).to_numpy()
        name_of = best.fillna(-2).idxmax(axis=1)
        better = [str(name_of.iloc[i]) if ahead[i] else None for i in range(len(panel))]
    summary = summary_table(mine)
    whole = summary.iloc[-1]

    def interval(name: str) -> tuple[float, float]:
        return round(float(whole[f"{name}_low"]), 4), round(float(whole[f"{name}_high"]), 4)

    return HeldOut(
        protocol=f"leave one {kind} out, mean over {', '.join(s.section for s in mine)}; the figures are those of the "
        "folds' own models, not of these weights, which were trained on every section; every spot scored, a "
        "constant prediction counts as 0; intervals: 95 %, bootstrap over blocks of spots",
        n_spots=pooled.n_spots,
        median_pcc=round(float(whole["median_pcc"]), 4),
        median_pcc_interval=interval("pcc"),
        median_depth_pcc=round(float(whole["median_depth_pcc"]), 4),
        median_depth_pcc_interval=interval("depth_pcc"),
        pcc=column("pcc"),
        pcc_low=column("pcc_low"),
        pcc_high=column("pcc_high"),
        depth_pcc=column("depth_pcc"),
        median_ceiling_pcc=_rounded(whole["median_ceiling_pcc"]),
        median_depth_ceiling_pcc=_rounded(whole["median_depth_ceiling_pcc"]),
        ceiling_pcc=column("ceiling_pcc"),
        depth_ceiling_pcc=column("depth_ceiling_pcc"),
        patient_pcc=_with_patients_out(scored, method, panel) if kind == "section" else None,
        sections_significant=[(int(a), int(b)) for a, b in zip(significant, tested, strict=True)],
        better_simple=better,
        folds=[
            FoldFigures(f"{row['section']} held out", int(row["n_spots"]), round(float(row["median_pcc"]), 4))
            for _, row in summary.iterrows()
            if row["section"] != "all"
        ],
    )


def held_out_values(scored: Sequence[Scored], method: str, panel: Sequence[str]) -> dict[str, HeldOutSection]:
    """Return what a method predicted of every held-out section, and what was measured, for the genes of a model.

    Folds by section are taken where there are any; a gene that a fold did not choose is NaN.
    """
    kind = "section" if any(s.by == "section" for s in scored) else "patient"
    found = {}
    for one in scored:
        if one.by == kind and one.method == method and one.held_out is not None:
            at = pd.Index(one.panel).get_indexer(pd.Index(list(panel)))
            tables = (one.held_out.predicted, one.held_out.measured)
            found[one.section] = HeldOutSection(*(np.where(at >= 0, t[:, at], np.float32(np.nan)) for t in tables))
    return found


def _with_patients_out(scored: Sequence[Scored], method: str, panel: Sequence[str]) -> list[float | None] | None:
    """Return every gene's mean PCC over sections of which the patient was held out as a whole; None where none was."""
    mine = [s for s in scored if s.by == "patient" and s.method == method]
    if not mine:
        return None
    return [_rounded(value) for value in pool(mine).genes["pcc"].reindex(list(panel)).to_numpy()]


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
