"""`napari-tcgn explain-gene`: a result and its slide in; what drives a gene over the section out."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_tcgn.cli import options
from napari_tcgn.cli.console import say_json
from napari_tcgn.cli.explain import explanation_lines
from napari_tcgn.cli.options import Offer, with_options
from napari_tcgn.cli.report import ProgressReport
from napari_tcgn.cli.stop import when_stopped
from napari_tcgn.options import ExplainSettings, as_arguments

if TYPE_CHECKING:
    from napari_tcgn.explanation import GeneDrivers

HOW = ("window_um", "random_orders", "random_nets", "seed")  # of ExplainSettings: spots are checked always
MOST = 5


@with_options
def explain_gene(
    result: Annotated[Path, typer.Argument(help="Values at spots: an .h5ad that `napari-tcgn predict` has written.")],
    slide: Annotated[Path, typer.Argument(help="H&E slide that the spots lie on.")],
    gene: Annotated[str, typer.Option(help="Name of the gene.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the page, the gallery, the tables and the record.")
    ],
    mpp: options.Mpp = None,
    library: Annotated[str | None, typer.Option(help="Of a result of several sections: the library id.")] = None,
    explained: Annotated[
        int, typer.Option(min=0, max=MOST, help="Explain so many of the highest spots and of the lowest, with checks.")
    ] = 0,
    *,
    how: Annotated[ExplainSettings, Offer(only=HOW, begins="Of --explained: ")],
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Show where a gene is predicted highest and lowest, and which plain morphology goes along with it.

    Correlations are tested against shifts of the section against itself, and corrected for their number. Writes a page
    (HTML) that holds everything, the gallery (PNG), tables (CSV) and a record (JSON).

    \b
    Example:
      napari-tcgn explain-gene C2.h5ad C2.jpg --gene CD74 --explained 1 --out CD74_in_C2
    """
    from napari_tcgn.engine import run_to_end
    from napari_tcgn.explanation import (
        DRIVERS_FILES,
        drivers_record,
        explain_ends_steps,
        gene_drivers_steps,
        write_drivers,
    )
    from napari_tcgn.expression import library_of, read_section
    from napari_tcgn.files import check_folder, require_no_input
    from napari_tcgn.slide import open_slide

    require_no_input([out / name for name in DRIVERS_FILES], [result, slide])
    check_folder(out, DRIVERS_FILES, overwrite)  # before any work
    with when_stopped(f"Stopped; nothing was written to {out}."):
        adata, notes = read_section(result)
        known = mpp if mpp is not None else library_of(adata, library).mpp
        with ProgressReport() as report, closing(open_slide(slide, mpp=known)) as opened:
            found = run_to_end(gene_drivers_steps(adata, opened, gene, library), report)
            ends = explain_ends_steps(adata, opened, found, explained, how)
            explanations = run_to_end(ends, report) if explained else ()
    command = ["napari-tcgn", "explain-gene", str(result), str(slide), "--gene", found.gene]
    command += [] if mpp is None else ["--mpp", repr(mpp)]
    command += [] if library is None else ["--library", library]
    command += [*(["--explained", str(explained)] if explained else []), *as_arguments(how), "--out", str(out)]
    written = write_drivers(found, out, overwrite, command, explanations)
    if json:
        say_json(drivers_record(found, explanations) | {"out": [str(path) for path in written]})
    else:
        lines = (line for one in explanations for line in explanation_lines(one))
        said = [*drivers_lines(found), *lines, *(f"Note: {note}" for note in notes)]
        typer.echo("\n".join([*said, f"Wrote {', '.join(str(path) for path in written)}."]))


def drivers_lines(found: GeneDrivers) -> list[str]:
    """Say in lines how morphology goes along with the gene, the strongest first."""
    lines = [f"{found.gene} over {found.library_id}, {len(found.spots)} spots, squares of {found.side_um:g} µm:"]
    lines.append(f"{'':<32}{'Spearman':<12}{'p':<10}q")
    lines += [f"{one.feature:<32}{one.rho:<12.2f}{one.p:<10.2g}{one.q:.2g}" for one in found.drivers]
    if not any(one.q < 0.05 for one in found.drivers):
        lines.append("Nothing of this goes along with it beyond what shifts of the section show (q < 0.05).")
    lines.append("A correlation over spots: what goes along with a gene need not be what the model looks at.")
    return lines + [f"Note: {sentence}" for sentence in found.notes]
