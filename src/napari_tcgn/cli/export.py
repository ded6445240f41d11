"""`napari-tcgn export`: a result as SpatialData, a table, GeoJSON for QuPath or a figure."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_tcgn.cli import options
from napari_tcgn.cli.console import say_json
from napari_tcgn.cli.options import with_options
from napari_tcgn.cli.stop import when_stopped
from napari_tcgn.errors import SettingsError
from napari_tcgn.options import ExportSettings


@with_options
def export(
    result: Annotated[Path, typer.Argument(help="The .h5ad of a prediction, or any .h5ad in squidpy's layout.")],
    to: Annotated[
        list[Path],
        typer.Option(
            "--to",
            help="What to write, told by its suffix: .zarr (SpatialData), .csv, .parquet, .geojson (QuPath), .png, "
            ".svg, .pdf, .h5ad. May be given several times.",
        ),
    ],
    slide: Annotated[
        Path | None, typer.Option(help="SpatialData: the slide, to be its image at full resolution.")
    ] = None,
    *,
    settings: ExportSettings,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Write a result in other formats: SpatialData, CSV, Parquet, GeoJSON for QuPath, figures.

    \b
    Examples:
      napari-tcgn export C2.h5ad --to C2.zarr --slide C2.jpg
      napari-tcgn export C2.h5ad --to C2.csv --to C2.geojson --genes GNAS,FASN
      napari-tcgn export C2.h5ad --to C2.svg --top 3
      napari-tcgn export C2.h5ad --to C2.png --genes GNAS --colormap magma --limits 0,2.5 --style rings --dim 40
    """
    if slide is not None and all(path.suffix != ".zarr" for path in to):
        raise SettingsError(
            "--slide is the image of a SpatialData, and no --to ends in .zarr.", "Leave it out, or add --to NAME.zarr."
        )
    with when_stopped("Stopped; nothing half-written is left."):
        written = _run(result, to, settings, slide, overwrite)
    if json:
        say_json(written)
    else:
        typer.echo(export_text(written))


def _run(
    result: Path, to: list[Path], settings: ExportSettings, slide: Path | None, overwrite: bool
) -> list[dict[str, Any]]:
    """Read, write every format, and return what was made."""
    from napari_tcgn.exports import check_export_target, export as export_section
    from napari_tcgn.expression import library_of, read_section
    from napari_tcgn.files import require_no_input
    from napari_tcgn.slide import open_slide

    require_no_input(to, [result, slide])
    for path in to:  # before any work
        check_export_target(path, overwrite)
    adata, notes = read_section(result)
    for note in notes:
        typer.echo(note, err=True)
    partial = library_of(adata, settings.library).partial
    written: list[dict[str, Any]] = []
    with ExitStack() as stack:
        opened = stack.enter_context(closing(open_slide(slide))) if slide is not None else None
        for path in to:
            try:
                done = export_section(adata, path, settings, opened, overwrite)
            except Exception:
                if written:
                    typer.echo(f"Written before the failure: {', '.join(one['out'] for one in written)}.", err=True)
                raise
            for note in done.notes:
                typer.echo(f"Note: {note}", err=True)
            part = done.adata
            written.append({"out": str(path), "spots": part.n_obs, "genes": part.n_vars, "partial": partial})
    return written


def export_text(written: list[dict[str, Any]]) -> str:
    """Say what was written, a line per file."""
    return "\n".join(
        f"Wrote {one['out']}: {one['genes']} genes at {one['spots']} spots"
        f"{', a partial result' if one['partial'] else ''}."
        for one in written
    )
