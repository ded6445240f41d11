"""`napari-tcgn compare`: a prediction and the measured counts of its section in, tables and figures out."""

from __future__ import annotations

import json as json_text
from collections.abc import Hashable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_tcgn.cli import options
from napari_tcgn.cli.console import say_json
from napari_tcgn.cli.options import with_options
from napari_tcgn.cli.report import ProgressReport
from napari_tcgn.cli.stop import when_stopped
from napari_tcgn.errors import SettingsError
from napari_tcgn.options import CompareSettings

if TYPE_CHECKING:
    from napari_tcgn.comparison import Comparison


@with_options
def compare(
    predicted: Annotated[Path, typer.Argument(help="Prediction, an .h5ad that `napari-tcgn predict` has written.")],
    measured: Annotated[
        Path,
        typer.Argument(
            help="Raw counts of the same section: ST count table (.tsv, .tsv.gz), Visium folder (outs) or .h5ad."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for tables, figures and the annotated prediction.")],
    spots: Annotated[
        Path | None, typer.Option(help="ST selection table of an ST count table: lets positions be checked.")
    ] = None,
    slide: Annotated[
        Path | None,
        typer.Option(help="The slide, for the haematoxylin baseline at full resolution; else from a small picture."),
    ] = None,
    mpp: options.Mpp = None,
    gene_sets: Annotated[Path | None, typer.Option(help="Gene sets (.gmt) whose scores are compared too.")] = None,
    aliases: Annotated[
        Path | None, typer.Option(help="Two tab-separated columns: measured gene name, the model's symbol.")
    ] = None,
    *,
    settings: CompareSettings,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Compare a prediction with measured counts of the same section.

    \b
    Examples:
      napari-tcgn compare C2.h5ad C2.tsv.gz --spots C2_selection.tsv --out C2_compared
      napari-tcgn compare slide.h5ad outs/ --gene-sets hallmark.gmt --out slide_compared
    """
    if mpp is not None and slide is None:
        raise SettingsError("--mpp is that of a --slide, and none is given.", "Give --slide, or leave --mpp out.")
    with when_stopped(f"Stopped; nothing was written to {out}."):
        comparison = _run(predicted, measured, out, settings, spots, slide, mpp, gene_sets, aliases, overwrite)
    from napari_tcgn.comparison import write_comparison

    written = write_comparison(comparison, out, overwrite)
    if json:
        summary = json_text.loads(comparison.to_json()) | {"out": [str(path) for path in written]}
        say_json(summary)
    else:
        files = ", ".join(str(path) for path in written)
        typer.echo("\n".join([*comparison_lines(comparison), f"Wrote {files}."]))


def _run(
    predicted: Path,
    measured: Path,
    out: Path,
    settings: CompareSettings,
    spots: Path | None,
    slide: Path | None,
    mpp: float | None,
    gene_sets: Path | None,
    aliases: Path | None,
    overwrite: bool,
) -> Comparison:
    """Read, compare with progress on stderr."""
    from napari_tcgn.comparison import FILES, compare_steps
    from napari_tcgn.engine import run_to_end
    from napari_tcgn.expression import read_aliases, read_measured, read_prediction
    from napari_tcgn.files import check_folder, require_no_input
    from napari_tcgn.slide import open_slide
    from napari_tcgn.stats import read_gmt

    require_no_input([out / name for name in FILES], [predicted, measured, spots, slide, gene_sets, aliases])
    check_folder(out, FILES, overwrite)  # before any work
    given: dict[str, Any] = {
        "gene_sets": {s.name: s.genes for s in read_gmt(gene_sets)} if gene_sets is not None else None,
        "aliases": read_aliases(aliases) if aliases is not None else None,
    }
    prediction, measurement = read_prediction(predicted), read_measured(measured, spots)
    with ProgressReport("steps") as report:
        if slide is None:
            return run_to_end(compare_steps(prediction, measurement, settings, **given), report)
        with closing(open_slide(slide, mpp=mpp)) as opened:
            return run_to_end(compare_steps(prediction, measurement, settings, slide=opened, **given), report)


def comparison_lines(comparison: Comparison) -> list[str]:
    """Say the result in lines: what was compared, the medians beside the simple predictors, the warnings."""
    overall, spots, genes = comparison.overall, comparison.manifest.spots, comparison.manifest.genes
    lines = [
        f"{overall.n_spots} spots matched by {spots.matched_by}, {genes.matched} of {genes.predicted} "
        f"genes measured ({overall.n_genes} of them vary).",
        f"{'':<32}{'median PCC (95 %)':<28}depth-controlled",
    ]
    for row in comparison.baselines.to_dict(orient="records"):
        lines.append(f"{row['method']:<32}{_span(row, 'pcc'):<28}{_span(row, 'depth_pcc')}")
    for row in comparison.baselines.iloc[1:].to_dict(orient="records"):
        lines.append(f"Lead over {row['method']}: {row['lead']:.3f} ({row['lead_low']:.3f} to {row['lead_high']:.3f}).")
    lines += _ceiling_lines(comparison)
    null, controlled = overall.null, overall.genes_significant_depth_controlled
    lines.append(
        f"Significant at a false discovery rate of 5 %: {overall.genes_significant} genes"
        + (f", {controlled} with depth taken out" if controlled is not None else "")
        + f" ({null.shifts} {null.shifts_text})."
    )
    if overall.domains is not None:
        found = overall.domains
        others = "".join(f", {name} {value:.2f}" for name, value in found.ari_of.items())
        lines.append(
            f"Domains: {found.n_predicted} predicted, {found.n_measured} measured; ARI {found.ari:.2f}{others}."
        )
    return lines + [f"Note: {sentence}" for sentence in comparison.warnings]


def _ceiling_lines(comparison: Comparison) -> list[str]:
    """Say what could be reached at all, where it is known."""
    from napari_tcgn.comparison import too_noisy

    medians = comparison.overall.medians
    if "ceiling_pcc" not in medians or medians["ceiling_pcc"].median is None:
        return []
    plain, depth = (medians[name].median for name in ("ceiling_pcc", "depth_ceiling_pcc"))
    noisy = too_noisy(comparison.genes)
    best = f"{'reachable at best':<32}{plain:<28.3f}" + ("-" if depth is None else f"{depth:.3f}")
    return [best, f"Too noisy to judge: {noisy} of {comparison.overall.n_genes} genes (reachable PCC below 0.1)."]


def _span(row: Mapping[Hashable, Any], name: str) -> str:
    median, low, high = (row[key] for key in (f"median_{name}", f"{name}_low", f"{name}_high"))
    return "-" if median != median else f"{median:.3f} ({low:.3f} to {high:.3f})"
