"""`napari-tcgn fit`: from sections of one's own to a model, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_tcgn.cli.cross_validate import AcceptLicence, Encoder, EncoderWeights
from napari_tcgn.cli.report import duration
from napari_tcgn.cli.stop import when_stopped
from napari_tcgn.cli.train import Cache, EveryMpp, TrainingData, UseCache, follow
from napari_tcgn.cli.train_data import patch_folder, training_folder


def fit(
    data: TrainingData = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the model, tables, figures and report.")] = Path(
        "runs/fit"
    ),
    name: Annotated[str, typer.Option(help="Of the model; by default made of the folder's.")] = "",
    tissue: Annotated[str, typer.Option(help="What tissue the sections are, for the card.")] = "",
    organism: Annotated[str, typer.Option(help="By default as the genes' names tell it.")] = "",
    licence: Annotated[str, typer.Option(help="Of the sections, for the card.")] = "",
    citation: Annotated[str, typer.Option(help="What to cite for the sections.")] = "",
    encoder: Encoder = None,
    encoder_weights: EncoderWeights = None,
    accept_licence: AcceptLicence = False,
    mpp: EveryMpp = None,
    cache: Cache = None,
    use_cache: UseCache = True,
) -> None:
    """Make a model of your own sections: checked, evaluated on what it has not seen, fitted, judged in three sentences.

    It predicts every gene that is seen in 5 % of the spots of every section, by a line through what surrounds a spot
    (or through an encoder's features); it takes minutes and needs no GPU. A stopped run goes on with the same
    command.

    \b
    Examples:
      napari-tcgn fit --data our_sections --tissue "colon carcinoma" --out runs/colon
      napari-tcgn fit --data sample --out runs/sample
    """
    from napari_tcgn.training import About, fit_model_steps, plan_fit

    folder = training_folder(data)
    plan = plan_fit(folder)
    sections = ", ".join(f"{section} ({patient})" for section, patient in plan.patients.items())
    told = f"{len(plan.patients)} sections (patients): {sections}; {plan.spots:,} spots"
    typer.echo(f"{told}. {plan.folds} folds are held out in turn.", err=True)
    for note in plan.notes:
        typer.echo(f"Note: {note}", err=True)
    typer.echo(f"This takes about {duration(plan.seconds)} on two cores.", err=True)
    with when_stopped(f"Stopped; patches that were cut are kept. Go on with the same command (--out {out})."):
        steps = fit_model_steps(
            folder,
            out,
            About(name, organism, tissue, licence, citation),
            encoder=encoder,
            encoder_weights=encoder_weights,
            accept_licence=accept_licence,
            mpp=mpp,
            cache=patch_folder(cache) if use_cache else None,
        )
        made = follow(steps)
    typer.echo("\n".join(made.verdict))
    typer.echo(f"Model: {made.folder}\nReport: {made.report}")
