"""A comparison as one HTML page that a pathologist can read: words first, then pictures, tables and sources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_tcgn.comparison.ceilings import too_noisy
from napari_tcgn.comparison.pictures import domains_figure, genes_figure, maps_figure, section_figure
from napari_tcgn.engine import OUTSIDE, is_outside
from napari_tcgn.expression import UNS_KEY, domain_p_of
from napari_tcgn.files import write_text_whole
from napari_tcgn.model import ModelCard
from napari_tcgn.pages import Picture, render_page
from napari_tcgn.trust import trust_words

if TYPE_CHECKING:
    import pandas as pd

    from napari_tcgn.comparison.result import Comparison

BEST, ROWS = 3, 20
MAX_GENES_ON_PAGE = 2_000
TABLE = (
    "trust", "pcc", "pcc_low", "pcc_high", "ceiling_pcc", "share_of_ceiling", "judgeable", "depth_pcc",
    "depth_ceiling_pcc", "depth_share_of_ceiling", "depth_judgeable", "spearman", "rmse", "r2", "ssim",
    "variance_ratio", "morans_i_predicted", "morans_i_measured", "depth_alone_pcc", "haematoxylin_pcc", "q", "depth_q",
)  # fmt: skip


def write_report(comparison: Comparison, path: str | Path, overwrite: bool = False) -> None:
    """Write a comparison as one self-contained HTML page.

    Raises
    ------
    OutputError
        If the file exists or cannot be written.
    """
    write_text_whole(Path(path), report(comparison), overwrite)


def report(comparison: Comparison) -> str:
    """Return a comparison as one self-contained HTML page (`pages/templates/comparison.html`)."""
    ours = comparison.adata.uns[UNS_KEY]
    card = ModelCard.from_json(str(ours["model_card"]), "of the prediction")
    ranked = _ranked(comparison.genes.assign(trust=_trust_of(comparison.genes.index, card)))
    return render_page(
        "comparison.html",
        title=f"{comparison.manifest.slide}: predicted against measured expression",
        manifest=comparison.manifest,
        manifest_record=comparison.manifest.to_record(),
        overall=comparison.overall,
        warnings=comparison.warnings,
        likeness=_likeness(comparison),
        baselines=comparison.baselines,
        too_noisy=too_noisy(comparison.genes),
        leads=comparison.baselines.iloc[1:].to_dict(orient="records"),
        pictures=_pictures(comparison),
        domains=_domains(comparison),
        gene_sets=comparison.gene_sets if len(comparison.gene_sets) else None,
        best_genes=ranked.head(ROWS),
        all_genes=ranked if ROWS < len(ranked) <= MAX_GENES_ON_PAGE else None,
        genes_in_file=len(ranked) if len(ranked) > MAX_GENES_ON_PAGE else 0,
        card=card,
        card_lines=_card_lines(card),
        run_record=json.loads(str(ours["run_record"])),
    )


def _likeness(comparison: Comparison) -> dict[str, float] | None:
    """Return how many of the compared spots are unlike the training of the model; None where that is unknown."""
    usual = domain_p_of(comparison.adata)
    usual = usual[comparison.adata.obs["compare_matched"].to_numpy(bool) & np.isfinite(usual)]
    if not len(usual):
        return None
    return {"outside": int(is_outside(usual).sum()), "spots": len(usual), "expected": OUTSIDE}


def _pictures(comparison: Comparison) -> list[Picture]:
    found = [Picture.of("The section", section_figure(comparison), 110)]
    chosen = shown_genes(comparison)
    if chosen:
        maps = maps_figure(comparison, list(chosen), list(chosen.values()))
        found += [Picture.of("Maps", maps, 110), Picture.of("All genes", genes_figure(comparison))]
    return found


def shown_genes(comparison: Comparison) -> dict[str, str]:
    """Choose the genes whose maps are shown, with the reason: the best ones and the one in the middle."""
    by = "depth_pcc" if "depth_pcc" in comparison.genes else "pcc"
    ranked = comparison.genes[by].dropna().sort_values(ascending=False, kind="stable")
    what = "PCC, depth taken out" if by == "depth_pcc" else "PCC"
    chosen = {
        str(gene): f"rank {rank} of {len(ranked)} by {what}" for rank, gene in enumerate(ranked.index[:BEST], start=1)
    }
    if len(ranked) > 2 * BEST:
        chosen[str(ranked.index[len(ranked) // 2])] = f"in the middle of {len(ranked)} by {what}"
    return chosen


def _domains(comparison: Comparison) -> dict[str, Any] | None:
    found, figure = comparison.overall.domains, domains_figure(comparison)
    if found is None or figure is None:
        return None
    return {"picture": Picture.of("Spatial domains", figure, 110), "found": found, "niches": comparison.niches}


def _trust_of(genes: pd.Index, card: ModelCard) -> list[str]:
    known = dict(zip(card.genes, trust_words(card), strict=True))
    return [known.get(gene, "unknown") for gene in genes]


def _ranked(genes: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that are shown of every gene, the best one first."""
    shown = genes[[name for name in TABLE if name in genes]].reset_index()
    by = "depth_pcc" if "depth_pcc" in shown else "pcc"
    return shown.sort_values(by, ascending=False, na_position="last", kind="stable")


def _card_lines(card: ModelCard) -> dict[str, str]:
    """The model card in short."""
    return {
        "Tissue": ", ".join(part for part in (card.organism, card.tissue) if part),
        "Trained on": str(card.training.get("data", "")),
        "Sections": ", ".join(card.training.get("sections", [])),
        "Held-out median PCC": "unknown" if card.metrics.median_pcc is None else str(card.metrics.median_pcc),
        "Protocol": card.metrics.protocol,
        "Licence": card.licence,
        "Cite": card.citation,
    }
