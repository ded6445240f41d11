"""`napari-tcgn predict`: a slide and spots in, an .h5ad out."""

from __future__ import annotations

import json as json_text
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_tcgn.cli import options
from napari_tcgn.cli.options import GRID, PREDICT
from napari_tcgn.cli.report import ProgressReport, duration
from napari_tcgn.cli.stop import when_stopped
from napari_tcgn.errors import DataError, SettingsError
from napari_tcgn.settings import GridSettings, LayoutName, PredictSettings

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def predict(
    slide: Annotated[Path, typer.Argument(help="H&E image: JPEG, PNG or TIFF.")],
    out: options.OutH5ad,
    mpp: Annotated[
        float | None, typer.Option(help="µm per pixel of the image, where its file does not say it.")
    ] = None,
    spots: Annotated[
        Path | None,
        typer.Option(help="Spots of a measured section: ST selection table, Visium folder, .h5ad; or saved spots."),
    ] = None,
    roi: Annotated[Path | None, typer.Option(help="Only spots inside these polygons: GeoJSON, as of QuPath.")] = None,
    counts: Annotated[
        Path | None,
        typer.Option(help="Measured counts of the --spots (.tsv, .tsv.gz): leave out spots without any, and compare."),
    ] = None,
    grid: Annotated[
        LayoutName | None, typer.Option(help="Instead of --spots: a grid of this layout over the tissue.")
    ] = None,
    pitch_um: Annotated[
        float | None, typer.Option(help="Grid: centre-to-centre distance; by default the layout's.")
    ] = GRID.pitch_um,
    diameter_um: Annotated[
        float | None, typer.Option(help="Grid: spot diameter; by default the layout's.")
    ] = GRID.diameter_um,
    origin_x_um: Annotated[
        float | None, typer.Option(help="Grid: x of the first spot; by default half a pitch.")
    ] = GRID.origin_x_um,
    origin_y_um: Annotated[
        float | None, typer.Option(help="Grid: y of the first spot; by default half a pitch.")
    ] = GRID.origin_y_um,
    rotation_deg: Annotated[float, typer.Option(help="Grid: clockwise rotation.")] = GRID.rotation_deg,
    tissue_only: Annotated[
        bool, typer.Option("--tissue-only/--whole-slide", help="Grid: only on tissue, or everywhere.")
    ] = GRID.tissue_only,
    min_tissue_fraction: Annotated[
        float, typer.Option(help="Grid: share of a spot that must be tissue.")
    ] = GRID.min_tissue_fraction,
    tissue_threshold: Annotated[
        float | None, typer.Option(help="Grid: optical density above which a pixel is tissue; by default chosen.")
    ] = GRID.tissue_threshold,
    model: options.Model = PREDICT.model,
    device: options.Device = PREDICT.device,
    precision: options.Precision = PREDICT.precision,
    batch_size: options.BatchSize = PREDICT.batch_size,
    read_threads: options.ReadThreads = PREDICT.read_threads,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Predict the expression of every spot of a slide.

    \b
    Examples:
      napari-tcgn predict C2.jpg --mpp 0.688 --spots C2_selection.tsv --out C2.h5ad
      napari-tcgn predict slide.tif --grid visium --out slide.h5ad
    """
    grid_settings = _grid_settings(
        spots,
        counts,
        grid,
        pitch_um=pitch_um,
        diameter_um=diameter_um,
        origin_x_um=origin_x_um,
        origin_y_um=origin_y_um,
        rotation_deg=rotation_deg,
        tissue_only=tissue_only,
        min_tissue_fraction=min_tissue_fraction,
        tissue_threshold=tissue_threshold,
    )
    settings = PredictSettings(
        model=model, device=device, precision=precision, batch_size=batch_size, read_threads=read_threads
    )
    with when_stopped(f"Stopped; nothing was written to {out}."):
        result = _run(slide, mpp, out, settings, grid_settings, spots, roi, counts, overwrite)
    typer.echo(json_text.dumps(result, ensure_ascii=False) if json else in_words(result))


def _grid_settings(
    spots: Path | None, counts: Path | None, grid: LayoutName | None, **grid_options: Any
) -> GridSettings | None:
    """Return the grid, or None for the spots of a file; refuse what contradicts itself."""
    if (spots is None) == (grid is None):
        found = "neither --spots nor --grid is given" if spots is None else "both --spots and --grid are given"
        raise SettingsError(f"It is open where to predict: {found}.", "Give --spots FILE or --grid st (visium, …).")
    if grid is not None:
        if counts is not None:
            raise SettingsError("--counts belongs to measured spots, not to a --grid.", "Give --spots FILE with it.")
        return GridSettings(layout=grid, **grid_options)
    useless = sorted(name for name, value in grid_options.items() if value != getattr(GRID, name))
    if useless:
        names = ", ".join("--" + name.replace("_", "-") for name in useless)
        raise SettingsError(f"{names} shapes a --grid and does nothing to --spots.", "Leave it out, or give --grid.")
    return None


def _run(
    image: Path,
    mpp: float | None,
    out: Path,
    settings: PredictSettings,
    grid: GridSettings | None,
    table: Path | None,
    roi: Path | None,
    counts: Path | None,
    overwrite: bool,
) -> dict[str, Any]:
    """Open, predict with progress on stderr, write; return what was made."""
    from napari_tcgn.expression import predict as predict_slide
    from napari_tcgn.expression import run_to_end, write_h5ad
    from napari_tcgn.expression.build import check_h5ad_target
    from napari_tcgn.slide import open_slide, require_mpp
    from napari_tcgn.spots import choose_spots, read_st_counts

    check_h5ad_target(out, overwrite)  # before minutes of work
    measured = read_st_counts(counts) if counts is not None else None
    with closing(open_slide(image, mpp=mpp)) as slide, ProgressReport() as report:
        require_mpp(slide)
        spots = choose_spots(slide, grid, table, roi, measured)
        adata = run_to_end(predict_slide(slide, spots, settings=settings), report)
    write_h5ad(adata, out, overwrite)
    return summary(adata, out) | (compare(adata, measured) if measured is not None else {})


def summary(adata: AnnData, out: Path) -> dict[str, Any]:
    """Return what a run has made, for people and machines."""
    from napari_tcgn.expression.build import UNS_KEY

    record = json_text.loads(adata.uns[UNS_KEY]["run_record"])
    return {
        "out": str(out),
        "spots": adata.n_obs,
        "genes": adata.n_vars,
        "model": json_text.loads(adata.uns[UNS_KEY]["model_card"])["name"],
        "output_scale": adata.uns[UNS_KEY]["output_scale"],
        "library_id": next(iter(adata.uns["spatial"])),
        "mpp": record["mpp"],
        "device": record["device"],
        "seconds": record["seconds"],
    }


def compare(adata: AnnData, counts: pd.DataFrame) -> dict[str, Any]:
    """Return how well the prediction follows the measured counts of its spots.

    Parameters
    ----------
    adata : AnnData [spots, genes]
    counts : pandas.DataFrame
        Raw counts; has a row for each of the spots.

    Raises
    ------
    DataError
        If the model predicts on another scale than the one that counts can be brought to.
    """
    import numpy as np

    from napari_tcgn.expression import OUTPUT_SCALE, median_pcc, pearson_per_gene, scale_counts
    from napari_tcgn.expression.build import UNS_KEY

    scale = adata.uns[UNS_KEY]["output_scale"]
    if scale != OUTPUT_SCALE:
        raise DataError(
            f"The prediction is written, but not compared: the model predicts {scale!r}, not {OUTPUT_SCALE!r}.",
            "Compare it by other means.",
        )
    shared = np.isin(adata.var_names, counts.columns)  # bool [genes]
    # The total of a spot is taken over the panel, as in training: genes that were not measured count as 0.
    panel = counts.loc[adata.obs_names].reindex(columns=adata.var_names, fill_value=0)
    pcc = pearson_per_gene(adata.X[:, shared], scale_counts(panel)[:, shared])
    median = median_pcc(pcc)
    return {
        "measured_genes": int(shared.sum()),
        "median_pcc": None if np.isnan(median) else round(median, 4),
        "trained_on": json_text.loads(adata.uns[UNS_KEY]["model_card"])["training"].get("sections", []),
    }


def in_words(result: dict[str, Any]) -> str:
    """Say a summary in lines."""
    lines = [
        f"Wrote {result['out']}: {result['genes']} genes at {result['spots']} spots of {result['library_id']}, "
        f"predicted by {result['model']} on {result['device']} in {duration(result['seconds'])}.",
        f"Values: {result['output_scale']}.",
    ]
    if "median_pcc" in result:
        lines.extend(_comparison_in_words(result))
    return "\n".join(lines)


def _comparison_in_words(result: dict[str, Any]) -> list[str]:
    if result["measured_genes"] == 0:
        return ["The counts have none of the model's genes: nothing was compared."]
    if result["median_pcc"] is None:
        return ["No gene varies both in the counts and in the prediction: nothing was compared."]
    lines = [f"Median PCC with the measured counts over {result['measured_genes']} genes: {result['median_pcc']:.3f}."]
    if result["trained_on"]:
        lines.append(
            f"The model was trained on {', '.join(result['trained_on'])}: "
            "on one of these sections the figure says nothing about new slides."
        )
    return lines
