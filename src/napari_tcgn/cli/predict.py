"""`napari-tcgn predict`: slides and spots in, an .h5ad for each out."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_tcgn.cli import options
from napari_tcgn.cli.cohort import Where, is_cohort, run_many
from napari_tcgn.cli.compare import comparison_lines
from napari_tcgn.cli.console import say_json
from napari_tcgn.cli.options import Given, Offer, with_options
from napari_tcgn.cli.report import ProgressReport, duration
from napari_tcgn.cli.stop import when_stopped
from napari_tcgn.errors import DataError, SettingsError
from napari_tcgn.options import GridSettings, PredictSettings, SpotsSettings, option_of

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_tcgn.comparison import Comparison
    from napari_tcgn.jobs import Job, JobResult


_LAYER_HELP = "Layer of --counts in an .h5ad that holds them, or raw for its .raw; by default X."


@with_options
def predict(
    slides: Annotated[
        list[Path], typer.Argument(help="H&E slides: SVS, NDPI, MRXS, SCN, BIF, TIFF, OME-Zarr, JPEG or PNG.")
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Result file, ending in .h5ad; for several slides the folder of the results."),
    ],
    mpp: options.Mpp = None,
    spots: Annotated[
        Path | None,
        typer.Option(
            help="Spots of a measured section: ST selection table, Visium folder, .h5ad; or saved spots. For several "
            "slides {stem} in it stands for the name of the slide's file without its ending, {folder} for the name of "
            "its folder.",
        ),
    ] = None,
    *,
    taken: SpotsSettings,
    roi: Annotated[Path | None, typer.Option(help="Only spots inside these polygons: GeoJSON, as of QuPath.")] = None,
    counts: Annotated[
        Path | None,
        typer.Option(
            help="Measured counts of the --spots (ST count table, Visium folder, .h5ad): leave out spots without any, "
            "and compare."
        ),
    ] = None,
    layer: Annotated[str | None, typer.Option(help=_LAYER_HELP)] = None,
    grid: Annotated[Given[GridSettings], Offer(unset=("layout",), begins="Grid: ")],
    settings: PredictSettings,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what an interrupted run has left beside --out.")
    ] = False,
    stop_on_error: Annotated[
        bool, typer.Option("--stop-on-error", help="Several slides: end after the first one that fails.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(help="Several slides: on so many processes of this machine (needs dask.distributed).")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Several slides: on the workers of this dask scheduler, tcp://HOST:8786.")
    ] = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Predict the expression of every spot of one or many slides.

    Results are kept on disk as they come: after an interruption the same command with --resume goes on. With a folder
    as --out, finished slides are skipped, a slide that fails does not stop the others, and manifest.csv tells of each.

    \b
    Examples:
      napari-tcgn predict C2.jpg --mpp 0.688 --spots C2_selection.tsv --out C2.h5ad
      napari-tcgn predict slide.tif --grid visium --out slide.h5ad
      napari-tcgn predict cohort/*.svs --grid visium --out predictions
    """
    grid_settings = _grid_settings(spots, counts, grid, taken)
    if layer is not None and counts is None:
        raise SettingsError("--layer is that of --counts, and none are given.", "Give --counts, or leave --layer out.")
    from napari_tcgn.engine import work_folder_of
    from napari_tcgn.jobs import Job

    jobs = [Job(slide, out, settings, mpp, grid_settings, spots, overwrite, resume, roi, taken) for slide in slides]
    if is_cohort(slides, out, counts):
        run_many(jobs, out, Where(workers, scheduler), stop_on_error, json)
        return
    if stop_on_error or workers is not None or scheduler is not None:
        raise SettingsError(
            "--stop-on-error, --workers and --scheduler are for several slides.", "Leave them out, or give a folder."
        )
    work = work_folder_of(out).name
    with when_stopped(f"Stopped; what is predicted so far is kept in {work}: the same command with --resume goes on."):
        result, comparison = _run(jobs[0], counts, layer)
    if json:
        compared = {} if comparison is None else _in_json(comparison)
        say_json(result.to_record() | compared)
    else:
        compared_lines = [] if comparison is None else comparison_lines(comparison)
        typer.echo("\n".join([*result_lines(result), *compared_lines]))


def _grid_settings(
    spots: Path | None, counts: Path | None, grid: Given[GridSettings], taken: SpotsSettings
) -> GridSettings | None:
    """Return the grid, or None for the spots of a file; refuse what contradicts itself."""
    laid = grid.values["layout"] is not None
    if (spots is None) != laid:
        found = "both --spots and --grid are given" if laid else "neither --spots nor --grid is given"
        raise SettingsError(f"It is open where to predict: {found}.", "Give --spots FILE or --grid st (visium, …).")
    if laid:
        if counts is not None:
            raise SettingsError("--counts belongs to measured spots, not to a --grid.", "Give --spots FILE with it.")
        if taken.library is not None:
            raise SettingsError("--library belongs to the --spots of an .h5ad, not to a --grid.", "Leave it out.")
        return GridSettings(**grid.values)
    useless = sorted(option_of(GridSettings, name).flag_of(grid.values[name]) for name in grid.changed() - {"layout"})
    if useless:
        names = ", ".join(useless)
        raise SettingsError(f"{names} shapes a --grid and does nothing to --spots.", "Leave it out, or give --grid.")
    return None


def _run(job: Job, counts: Path | None, layer: str | None) -> tuple[JobResult, Comparison | None]:
    """Predict with progress on stderr, and compare with counts; return what was made."""
    from napari_tcgn.engine import run_to_end
    from napari_tcgn.expression import one_section, read_measured, with_layer
    from napari_tcgn.jobs import run_job

    measured = read_measured(counts) if counts is not None else None
    if measured is not None:
        with_layer(measured, layer)  # refused before minutes of work
        measured = one_section(measured, job.taken.library if counts == job.spots else None)
    with ProgressReport() as report:
        result = run_to_end(run_job(job, counted=None if measured is None else measured.obs_names), report)
    return result, None if measured is None else _compare(job.out, measured, layer)


def _compare(out: Path, measured: AnnData, layer: str | None) -> Comparison:
    """Compare a prediction with measured counts as `napari-tcgn compare` does, without domains and files.

    Raises
    ------
    DataError
        If the two cannot be compared; the prediction stays.
    """
    from napari_tcgn.comparison import compare_steps
    from napari_tcgn.engine import run_to_end
    from napari_tcgn.expression import read_prediction
    from napari_tcgn.options import CompareSettings

    try:
        with ProgressReport("steps") as report:
            steps = compare_steps(read_prediction(out), measured, CompareSettings(domains=False, layer=layer))
            return run_to_end(steps, report)
    except DataError as error:
        raise DataError(f"{out} is written, but not compared. {error.problem}", error.hint) from error


def _in_json(comparison: Comparison) -> dict[str, Any]:
    return {
        "measured_genes": len(comparison.genes),
        "median_pcc": comparison.overall.medians["pcc"].median,
        "comparison": json_text.loads(comparison.to_json()),
    }


def result_lines(result: JobResult) -> list[str]:
    """Say in lines what a job has made."""
    return [
        f"Wrote {result.out}: {result.genes} genes at {result.spots} spots of {result.library_id}, "
        f"predicted by {result.model} on {result.device} in {duration(result.seconds)}.",
        f"Values: {result.output_scale}.",
        *(f"Note: {warning}" for warning in result.warnings),
    ]
