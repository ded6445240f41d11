"""A comparison as one HTML page that a pathologist can read: words first, then pictures, tables and sources."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_tcgn.comparison import page
from napari_tcgn.comparison.pictures import domains_figure, genes_figure, maps_figure, section_figure
from napari_tcgn.expression import UNS_KEY
from napari_tcgn.files import write_whole
from napari_tcgn.model import ModelCard

if TYPE_CHECKING:
    import pandas as pd

    from napari_tcgn.comparison.result import Comparison

BEST, ROWS = 3, 20
MAX_GENES_ON_PAGE = 2_000
TABLE = (
    "pcc", "pcc_low", "pcc_high", "depth_pcc", "spearman", "rmse", "r2", "ssim", "variance_ratio", "morans_i_predicted",
    "morans_i_measured", "depth_alone_pcc", "haematoxylin_pcc", "q", "depth_q",
)  # fmt: skip
DEPTH_WORDS = "Sequencing depth (how many molecules a spot yielded) differs over a section, and with it every gene."
EXPLAINED = """\
<h2>How to read the figures</h2><p><b>PCC</b>: correlation of prediction and measurement over the spots, from -1 to
1; its square is the share of the measured differences that the map shows. <b>Depth taken out</b>: what is left of
it once each spot's number of molecules is accounted for. <b>95 %</b> intervals come from samples of blocks of
neighbouring spots; how much another slide or patient differs is not in them. <b>q</b>: false discovery rate against
shifted maps; a small one says that the gene is not predicted by chance, not that it is predicted well. <b>R²</b>:
below 0 where the gene's mean would be the better prediction. <b>SSIM</b>: likeness of the two maps in small
windows. <b>Variance ratio</b>: how much the prediction varies compared with the measurement. <b>Moran's I</b>: how
smooth a map is. A gene that is constant in the prediction scores 0; one that is constant in the measurement has no
figures.</p>"""


def write_report(comparison: Comparison, path: str | Path, overwrite: bool = False) -> None:
    """Write a comparison as one self-contained HTML page.

    Raises
    ------
    OutputError
        If the file exists or cannot be written.
    """
    with write_whole(Path(path), overwrite) as temporary:
        temporary.write_text(report(comparison), encoding="utf-8")


def report(comparison: Comparison) -> str:
    """Return a comparison as one self-contained HTML page."""
    manifest = comparison.manifest
    title = f"{manifest['slide']}: predicted against measured expression"
    chosen = shown_genes(comparison)
    body = [
        f"<h1>{html.escape(title)}</h1>",
        "".join(f"<p>{html.escape(sentence)}</p>" for sentence in in_words(comparison)),
        page.notes([*comparison.warnings, "A prediction is no measurement. Research use only, not for diagnosis."]),
        "<h2>The model beside predictors that know nothing of the genes</h2>",
        page.table(comparison.baselines),
    ]
    body.append(page.picture("The section", page.png_of(section_figure(comparison), 110)))
    if chosen:
        maps = maps_figure(comparison, list(chosen), list(chosen.values()))
        body.append(page.picture("Maps", page.png_of(maps, 110)))
        body.append(page.picture("All genes", page.png_of(genes_figure(comparison))))
    body += _domains(comparison) + _gene_sets(comparison) + _tables(comparison.genes) + [EXPLAINED]
    return page.page(title, "".join(body + _sources(comparison)))


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


def in_words(comparison: Comparison) -> list[str]:
    """Say in sentences what was compared and what came out."""
    overall, manifest = comparison.overall, comparison.manifest
    medians, model = overall["medians"], manifest["model"]
    genes, spots = manifest["genes"], manifest["spots"]
    said = [
        f"Model {model['name']} {model['version']}; {overall['n_spots']} spots matched by {spots['way_in_words']}, "
        f"{genes['matched']} of the model's {genes['predicted']} genes measured, {overall['n_genes']} of them varying."
    ]
    pcc = medians["pcc"]
    said.append(
        f"The gene in the middle has a PCC of {_span(pcc)}: its map shows about "
        f"{100 * max(pcc['median'], 0) ** 2:.0f} % of the measured differences between spots."
    )
    if medians.get("depth_pcc", {}).get("median") is not None:
        said.append(f"{DEPTH_WORDS} With it taken out, the PCC in the middle is {_span(medians['depth_pcc'])}.")
    said += [_lead(row) for row in comparison.baselines.iloc[1:].to_dict(orient="records")]
    ratio = medians.get("variance_ratio", {}).get("median")
    if ratio is not None and ratio < 0.5:
        said.append(
            f"Predictions vary much less than measurements ({100 * ratio:.0f} % of the variance in the middle): read "
            "where a gene is higher or lower, not how much."
        )
    if "genes_significant_depth_controlled" in overall:
        said.append(
            f"{overall['genes_significant_depth_controlled']} of {overall['n_genes']} genes are predicted better than "
            "by chance once depth is taken out (false discovery rate 5 %)."
        )
    return said


def _lead(row: dict[Any, Any]) -> str:
    span = f"{row['lead']:.3f} (95 % {row['lead_low']:.3f} to {row['lead_high']:.3f})"
    start = f"Against {row['method']}, whose median PCC is {row['median_pcc']:.3f}, the model "
    if row["lead_low"] > 0:
        return start + f"does better, by {span}."
    if row["lead_high"] < 0:
        return start + f"does worse, by {span}."
    return start + f"does neither better nor worse for certain: {span}."


def _span(found: dict[str, Any]) -> str:
    text = f"{found['median']:.3f}"
    return text if found["low"] is None else f"{text} (95 % {found['low']:.3f} to {found['high']:.3f})"


def _domains(comparison: Comparison) -> list[str]:
    found, figure = comparison.overall.get("domains"), domains_figure(comparison)
    if found is None or figure is None:
        return []
    others = "; ".join(f"{name} {value:.2f}" for name, value in found["ari_of"].items())
    chance = "" if found["p"] is None else f", p {found['p']:.3f} against shifted maps"
    words = (
        f"Clusters (Leiden) of the spots by all genes, {found['n_measured']} measured and {found['n_predicted']} "
        f"predicted. Adjusted Rand index {found['ari']:.2f} (1: the same, 0: by chance){chance}; cut by one number "
        f"instead: {others}."
    )
    return [
        page.picture("Spatial domains", page.png_of(figure, 110)),
        f"<p>{html.escape(words)}</p>",
        page.table(comparison.niches),
    ]


def _gene_sets(comparison: Comparison) -> list[str]:
    if not len(comparison.gene_sets):
        return []
    return ["<h2>Gene sets</h2>", page.table(comparison.gene_sets)]


def _tables(genes: pd.DataFrame) -> list[str]:
    shown = genes[[name for name in TABLE if name in genes]].reset_index()
    by = "depth_pcc" if "depth_pcc" in shown else "pcc"
    ranked = shown.sort_values(by, ascending=False, na_position="last", kind="stable")
    parts = [f"<h2>The {min(ROWS, len(ranked))} best genes</h2>", page.table(ranked.head(ROWS))]
    if len(ranked) > ROWS:
        if len(ranked) <= MAX_GENES_ON_PAGE:
            parts.append(page.folded(f"All {len(ranked)} genes", page.table(ranked)))
        else:
            parts.append(f"<p>All {len(ranked)} genes are in genes.csv.</p>")
    return parts


def _sources(comparison: Comparison) -> list[str]:
    """The model card in short, the run record and what was matched with what."""
    ours = comparison.adata.uns[UNS_KEY]
    card = ModelCard.from_json(str(ours["model_card"]), "of the prediction")
    lines = {
        "Tissue": ", ".join(part for part in (card.organism, card.tissue) if part),
        "Trained on": str(card.training.get("data", "")),
        "Sections": ", ".join(card.training.get("sections", [])),
        "Held-out median PCC": str(card.metrics.get("median_pcc", "unknown")),
        "Protocol": str(card.metrics.get("protocol", "")),
        "Licence": card.licence,
        "Cite": card.citation,
    }
    said = "".join(f"<li><b>{name}</b>: {html.escape(text)}</li>" for name, text in lines.items() if text)
    caveats = "".join(f"<li>{html.escape(text)}</li>" for text in card.caveats)
    return [
        f"<h2>The model</h2><p>{html.escape(card.name)} {html.escape(card.version)}</p><ul>{said}</ul>",
        f"<p>Mind:</p><ul>{caveats}</ul>" if caveats else "",
        "<h2>Where this comes from</h2>",
        page.folded("What was matched with what, and settings", _json(comparison.manifest)),
        page.folded("Run record of the prediction", _json(json.loads(str(ours["run_record"])))),
    ]


def _json(record: Any) -> str:
    return f"<pre>{html.escape(json.dumps(record, indent=1, ensure_ascii=False))}</pre>"
