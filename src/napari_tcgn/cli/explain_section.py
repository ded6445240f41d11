"""`napari-tcgn explain-section`: the network's maps of every spot of a result, for all genes, beside its values."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from napari_tcgn.cli import options
from napari_tcgn.cli.report import ProgressReport
from napari_tcgn.cli.stop import when_stopped


def explain_section(
    result: Annotated[Path, typer.Argument(help="An .h5ad that `napari-tcgn predict` has written with a TCGN.")],
    slide: Annotated[Path, typer.Argument(help="H&E slide that the spots lie on.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The result with the maps in it, .h5ad.")],
    mpp: options.Mpp = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Add to a result what the network's last map says at every spot: k times 49 numbers, from which any gene follows.

    \b
    Example:
      napari-tcgn explain-section C2.h5ad C2.jpg --out C2_explained.h5ad
    """
    from napari_tcgn.engine import run_to_end
    from napari_tcgn.errors import DataError
    from napari_tcgn.explanation import require_same_slide, section_map_steps, with_attribution
    from napari_tcgn.expression import check_h5ad_target, library_of, read_prediction, write_h5ad
    from napari_tcgn.files import require_no_input
    from napari_tcgn.slide import open_slide

    require_no_input([out], [result, slide])
    check_h5ad_target(out, overwrite)  # before any work
    with when_stopped("Stopped; nothing was written."):
        adata = read_prediction(result)
        library = library_of(adata)
        if library.record is None:
            raise DataError(f"{result.name} does not tell how it was predicted.", "Give a prediction of this program.")
        settings = library.record.settings
        known = mpp if mpp is not None else library.mpp
        with ProgressReport() as report, closing(open_slide(slide, mpp=known)) as opened:
            notes = require_same_slide(library, opened)
            found = run_to_end(section_map_steps(opened, library.spots(), settings.model, settings), report)
        write_h5ad(with_attribution(adata, found), out, overwrite)
    for note in notes:
        typer.echo(f"Note: {note}")
    k = found.scores.shape[1]
    typer.echo(f"Wrote {out}: {len(found.scores)} spots, {k} directions of {len(found.genes)} genes, 7 x 7 each.")
    typer.echo("In Python: napari_tcgn.explanation.attribution_in(adata).stitched(GENE).")
