"""`napari-tcgn explain`: a slide, a spot and a gene in; what the prediction rests on out."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_tcgn.cli import options
from napari_tcgn.cli.console import say_json
from napari_tcgn.cli.options import Offer, with_options
from napari_tcgn.cli.report import ProgressReport
from napari_tcgn.cli.stop import when_stopped
from napari_tcgn.options import ExplainSettings, PredictSettings, SpotsSettings, as_arguments

if TYPE_CHECKING:
    from napari_tcgn.explanation import Explanation

USED = ("model", "device", "precision", "batch_size", "stain")  # of PredictSettings


@with_options
def explain(
    slide: Annotated[Path, typer.Argument(help="H&E slide that the spot lies on.")],
    spots: Annotated[
        Path, typer.Option(help="Its spots: ST selection table, Visium folder, .h5ad (a result, too), or saved spots.")
    ],
    spot: Annotated[str, typer.Option(help="Name of the spot.")],
    gene: Annotated[str, typer.Option(help="Name of the gene, one of the model's.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the figure, the arrays and the record.")],
    beside: Annotated[
        str | None,
        typer.Option(help="A second gene to compare with, explained, too: into the folder `beside` of --out."),
    ] = None,
    mpp: options.Mpp = None,
    *,
    taken: SpotsSettings,
    settings: Annotated[PredictSettings, Offer(only=USED)],
    how: ExplainSettings,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Show what the prediction of a gene at a spot rests on, with checks of the maps.

    Writes a figure (PNG, SVG), plain arrays (.npz) and a record (JSON). For any model windows of the patch are covered
    in turn; for a TCGN integrated gradients, Grad-CAM and the graph of the tokens come along.

    \b
    Example:
      napari-tcgn explain C2.jpg --mpp 0.688 --spots C2_selection.tsv --spot 25x23 --gene CD74 --check --out why
    """
    from napari_tcgn.explanation import FILES, compare_genes, to_record, write_explanation
    from napari_tcgn.files import check_folder, require_no_input

    folders = [out] if beside is None else [out, out / "beside"]
    for folder in folders:  # before any work
        require_no_input([folder / name for name in FILES], [slide, spots])
        check_folder(folder, FILES, overwrite)
    with when_stopped(f"Stopped; nothing was written to {out}."):
        genes = [gene] if beside is None else [gene, beside]
        explained = _run(slide, spots, spot, genes, mpp, taken, settings, how)
        found = explained[0]
        two = compare_genes(*explained) if len(explained) == 2 else None
    command = ["napari-tcgn", "explain", str(slide), "--mpp", repr(found.mpp), "--spots", str(spots)]
    command += [*as_arguments(taken), "--spot", spot, "--gene", found.gene]
    command += [] if two is None else ["--beside", two.genes[1]]
    command += [*as_arguments(settings, ("model",)), *as_arguments(how), "--out", str(out)]
    pairs = zip(explained, folders, strict=True)
    written = [path for one, folder in pairs for path in write_explanation(one, folder, overwrite, command)]
    if json:
        second = {} if two is None else {"beside": to_record(explained[1]) | {"alike": two.alike}}
        say_json(to_record(found) | second | {"out": [str(path) for path in written]})
    else:
        lines = [line for one in explained for line in explanation_lines(one)]
        lines += [] if two is None else [two.sentence]
        typer.echo("\n".join([*lines, f"Wrote {', '.join(str(path) for path in written)}."]))


def _run(
    slide: Path,
    spots: Path,
    spot: str,
    genes: list[str],
    mpp: float | None,
    taken: SpotsSettings,
    settings: PredictSettings,
    how: ExplainSettings,
) -> list[Explanation]:
    """Explain genes with progress on stderr."""
    from napari_tcgn.engine import run_to_end
    from napari_tcgn.errors import DataError
    from napari_tcgn.explanation import explain_steps, one_gene
    from napari_tcgn.model import read_card
    from napari_tcgn.slide import open_slide
    from napari_tcgn.spots import read_spots

    if len(genes) > 1:  # before any work
        card = read_card(settings.model)
        if len({one_gene(card, gene) for gene in genes}) == 1:
            raise DataError(f"{' and '.join(genes)} are one gene.", "Name another one (--beside).")
    with ProgressReport("patches") as report, closing(open_slide(slide, mpp=mpp)) as opened:
        found = read_spots(spots, opened.mpp, taken=taken)
        steps = (explain_steps(opened, found, spot, gene, settings=settings, how=how) for gene in genes)
        return [run_to_end(one, report) for one in steps]


def explanation_lines(found: Explanation) -> list[str]:
    """Say in lines what is predicted, what the maps are measured against, and which checks they failed."""
    lines = [f"{found.gene} at spot {found.spot} of {found.library_id}: {found.prediction:.3f} ({found.unit})."]
    if found.shares is not None:
        lines.append(f"Of that the network has {found.shares.network:.3f}, the line {found.shares.line:.3f}.")
    for one in found.maps:
        low, high = float(one.values.min()), float(one.values.max())
        lines.append(
            f"{one.method[0].upper()}{one.method[1:]}: {low:+.4f} to {high:+.4f}, against {one.reference}."
            + (f" {one.note}" if one.note else "")
        )
    for check in found.checks:
        lines.append(f"{'Passed' if check.passed else 'FAILED'}: {check.name} ({check.method}). {check.sentence}")
    if found.failed():
        failed = sorted({check.method for check in found.failed()})
        lines.append(f"Do not rely on the map of {' or '.join(failed)} here: it failed a check.")
    return lines + [f"Note: {sentence}" for sentence in found.notes]
