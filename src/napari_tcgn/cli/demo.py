"""`napari-tcgn demo`: the main job on the sample section, with the bundled model."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_tcgn.cli import options
from napari_tcgn.cli.options import Offer, with_options
from napari_tcgn.cli.report import ProgressReport, duration
from napari_tcgn.cli.stop import when_stopped
from napari_tcgn.options import PredictSettings

if TYPE_CHECKING:
    from anndata import AnnData

RESULT, PICTURE, SHOWN_GENES = "prediction.h5ad", "genes.png", 3


@with_options
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; made if it is missing.")] = Path(
        "demo_output"
    ),
    *,
    settings: Annotated[PredictSettings, Offer(only=("device",))],
    overwrite: options.Overwrite = False,
) -> None:
    """Predict the sample section with the bundled model; write an .h5ad and a picture.

    \b
    Example:
      napari-tcgn demo --out demo_output
    """
    from napari_tcgn.files import check_folder

    check_folder(out, (RESULT, PICTURE), overwrite)  # before a minute of work
    with when_stopped(f"Stopped; nothing half-written is left in {out}."):
        adata = _predict_sample(settings)
        genes = most_trusted(adata, SHOWN_GENES)
        _write(adata, genes, out, overwrite)
    typer.echo(demo_text(adata, genes, out))


def _predict_sample(settings: PredictSettings) -> AnnData:
    from napari_tcgn.engine import run_to_end
    from napari_tcgn.expression import predict_steps
    from napari_tcgn.sample import sample_section
    from napari_tcgn.slide import open_slide
    from napari_tcgn.spots import read_st_spots

    section = sample_section()
    spots = read_st_spots(section.spots)
    with closing(open_slide(section.image)) as slide, ProgressReport() as report:
        return run_to_end(predict_steps(slide, spots, settings=settings), report)


def most_trusted(adata: AnnData, count: int) -> list[str]:
    """Return the genes that the model predicted best on sections it had not seen; by spread where none is known."""
    import numpy as np

    trust = adata.var["held_out_pcc"].to_numpy(dtype=float)
    if np.isnan(trust).all():
        trust = np.asarray(adata.X).std(axis=0)
    order = np.argsort(-np.nan_to_num(trust, nan=-np.inf), kind="stable")
    return [str(gene) for gene in adata.var_names[order[:count]]]


def _write(adata: AnnData, genes: list[str], out: Path, overwrite: bool) -> None:
    from napari_tcgn.exports import gene_figure
    from napari_tcgn.expression import write_h5ad
    from napari_tcgn.files import make_folder

    make_folder(out)
    gene_figure(adata, genes, out / PICTURE, overwrite=overwrite)
    write_h5ad(adata, out / RESULT, overwrite)


def demo_text(adata: AnnData, genes: list[str], out: Path) -> str:
    """Say what was made and what to do next."""
    from napari_tcgn.jobs import JobResult

    made = JobResult.of(adata, out / RESULT)
    return f"""\
Predicted {made.genes} genes at {made.spots} spots on {made.device} in {duration(made.seconds)}.
The sample section is drawn, not real tissue: it shows how the tool works, not how good the model is.

  {out / RESULT}   for squidpy, scanpy, and napari (File > Open)
  {out / PICTURE}   H&E and {", ".join(genes)}

What next:
  your own slide    napari-tcgn predict SLIDE --mpp 0.5 --grid visium --out result.h5ad
  in napari         napari, then Plugins > Spatial gene prediction (TCGN)
  the model         napari-tcgn models info {made.model}
  this machine      napari-tcgn doctor"""
