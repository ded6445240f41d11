"""`napari-tcgn train`: one fold of TCGN on sections with measured counts."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from napari_tcgn.cli import options
from napari_tcgn.cli.options import TRAIN
from napari_tcgn.cli.report import ProgressReport, duration
from napari_tcgn.cli.stop import when_stopped
from napari_tcgn.cli.train_data import ENVIRONMENT, patch_folder, training_folder
from napari_tcgn.options import BesideName, LossName, PrecisionName, TrainSettings
from napari_tcgn.training import RECIPES, read_train_settings

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_tcgn.engine import Progress
    from napari_tcgn.training import EpochReport, TrainResult

Result = TypeVar("Result")

Recipe = Annotated[
    str | None,
    typer.Option(
        help=f"Recipe: {', '.join(RECIPES)}, a TOML file of training settings, or a run.json; options go before it."
    ),
]

TrainingData = Annotated[
    str | None,
    typer.Option(
        help="Folder in her2st layout, with the files of GSE144240 or a sections.csv of your own, or `sample`; "
        f"by default ${ENVIRONMENT}, ./her2st or the user's data folder."
    ),
]
Genes = Annotated[
    str | None,
    typer.Option(
        help="Panel to predict: a text file with one gene symbol a line, or her2st_785 (the default). "
        "With --top-genes: what to choose from, by default all genes."
    ),
]
TopGenes = Annotated[
    int, typer.Option(help="Predict the so many most variable genes of the training sections; 0: the whole panel.")
]
Cache = Annotated[
    Path | None,
    typer.Option(help="Folder where cut patches are kept for later runs; by default the user's cache folder."),
]
UseCache = Annotated[bool, typer.Option("--use-cache/--no-cache", help="Keep cut patches on disk for later runs.")]


def train(
    context: typer.Context,
    fold: Annotated[
        str,
        typer.Option(
            help="What to hold out: a section by its number in the published folds (0 to 31) or name (C2), "
            "a patient (C), or none."
        ),
    ],
    data: TrainingData = None,
    mpp: Annotated[
        float | None,
        typer.Option(help="µm per pixel of all images; by default what their files say, or the published."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the run; by default runs/fold-FOLD.")
    ] = None,
    held_out_run: Annotated[
        list[Path] | None,
        typer.Option(help="With --fold none: a finished run of the same recipe whose held-out figures go on the card."),
    ] = None,
    config: Recipe = None,
    patch_um: Annotated[float, typer.Option(help="Side of a patch in µm (published: 77).")] = TRAIN.patch_um,
    genes: Genes = None,
    top_genes: TopGenes = TRAIN.top_genes,
    cache: Cache = None,
    use_cache: UseCache = True,
    init: Annotated[
        Path | None,
        typer.Option(help="Model folder or checkpoint to start from: a TCGN, or CMT weights of the same size."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    size: Annotated[Literal["tiny", "xs", "small"], typer.Option(help="Size of TCGN.")] = TRAIN.size,
    epochs: Annotated[int, typer.Option(help="Epochs; 79 is the published recipe.")] = TRAIN.epochs,
    batch_size: Annotated[int, typer.Option(help="Spots per step.")] = TRAIN.batch_size,
    optimiser: Annotated[Literal["adam", "adamw"], typer.Option(help="Optimiser.")] = TRAIN.optimiser,
    learning_rate: Annotated[float, typer.Option(help="Learning rate.")] = TRAIN.learning_rate,
    weight_decay: Annotated[float, typer.Option(help="Weight decay.")] = TRAIN.weight_decay,
    schedule: Annotated[Literal["constant", "cosine"], typer.Option(help="Of the learning rate.")] = TRAIN.schedule,
    warmup_epochs: Annotated[float, typer.Option(help="Linear warm-up of the cosine schedule.")] = TRAIN.warmup_epochs,
    clip_norm: Annotated[float | None, typer.Option(help="Largest norm of the gradient.")] = TRAIN.clip_norm,
    ema: Annotated[
        float, typer.Option(help="Keep a running mean of the weights with this decay per step; 0: the last weights.")
    ] = TRAIN.ema,
    loss: Annotated[
        LossName,
        typer.Option(
            help="correlation adds 1 - PCC within sections to the MSE; negative-binomial: likelihood of the counts."
        ),
    ] = TRAIN.loss,
    smooth_targets: Annotated[
        float, typer.Option(help="Weight of the neighbours' mean in what a spot is taught.")
    ] = TRAIN.smooth_targets,
    components: Annotated[
        int, typer.Option(help="Confine the output to so many leading directions of expression; 0: every gene alone.")
    ] = TRAIN.components,
    centre_sections: Annotated[
        bool, typer.Option("--centre-sections", help="Teach every section with the same mean per gene.")
    ] = TRAIN.centre_sections,
    min_counts: Annotated[
        int, typer.Option(help="Spots with fewer counts over the panel do not train.")
    ] = TRAIN.min_counts,
    augment: Annotated[bool, typer.Option("--augment/--no-augment", help="Random rotation and flips.")] = TRAIN.augment,
    stain_jitter: Annotated[float, typer.Option(help="Strength of random changes of the stain.")] = TRAIN.stain_jitter,
    precision: Annotated[
        PrecisionName, typer.Option(help="bf16 is several times faster where the processor has it.")
    ] = TRAIN.precision,
    beside: Annotated[
        BesideName, typer.Option(help="colour-texture: the network learns what to add to a line through such features.")
    ] = TRAIN.beside,
    start_from_mean: Annotated[
        bool, typer.Option("--start-from-mean", help="Start the output at the mean expression instead of zero.")
    ] = TRAIN.start_from_mean,
    val_fraction: Annotated[
        float, typer.Option(help="Share of the training spots kept for choosing the epoch; 0 takes the last one.")
    ] = TRAIN.val_fraction,
    patience: Annotated[
        int, typer.Option(help="Stop after so many epochs without a better one; 0 runs them all.")
    ] = TRAIN.patience,
    select_on_test: Annotated[
        bool,
        typer.Option("--select-on-test", help="Choose the epoch on the held-out section, as published; optimistic."),
    ] = TRAIN.select_on_test,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = TRAIN.seed,
    device: options.Device = TRAIN.device,
) -> None:
    """Train TCGN with one section held out.

    \b
    Examples:
      napari-tcgn train --fold 0
      napari-tcgn train --fold C2 --data ./her2st --epochs 20 --out runs/C2
      napari-tcgn train --fold 0 --data sample --epochs 1
      torchrun --nproc-per-node 2 -m napari_tcgn train --fold 0
    """
    settings = chosen_settings(context, config)
    folder = training_folder(data)
    out = out if out is not None else Path("runs") / f"fold-{fold}"
    how_on = f"Stopped; finished epochs are kept in {out}. Go on with the same command and --resume."
    with when_stopped(how_on):
        from napari_tcgn.model import read_panel
        from napari_tcgn.training import train_steps

        steps = train_steps(
            folder,
            fold,
            out,
            settings,
            resume=resume,
            genes=None if genes is None else read_panel(genes),
            init=init,
            mpp=mpp,
            cache=patch_folder(cache) if use_cache else None,
            held_out_runs=held_out_run or [],
        )
        result = follow(steps)
    if _speaks():
        typer.echo(in_words(result))


def follow(steps: Generator[Progress | EpochReport, None, Result]) -> Result:
    """Run training to its end and say what it tells; of the processes that torchrun has started, one speaks."""
    from napari_tcgn.engine import run_to_end
    from napari_tcgn.training import EpochReport

    with open(os.devnull, "w") as nowhere:
        stream = None if _speaks() else nowhere
        with ProgressReport(log_seconds=60.0, stream=stream) as report:

            def show(step: Progress | EpochReport) -> None:
                if isinstance(step, EpochReport):
                    report.say(describe(step))
                else:
                    report(step)

            return run_to_end(steps, show)


def _speaks() -> bool:
    return os.environ.get("RANK", "0") == "0"


def chosen_settings(context: typer.Context, config: str | None) -> TrainSettings:
    """Return the settings of the command line: what was given there, else the recipe's, else the defaults."""
    known = {field.name for field in fields(TrainSettings)}
    given = {
        name: value
        for name, value in context.params.items()
        if name in known and getattr(context.get_parameter_source(name), "name", None) == "COMMANDLINE"
    }
    recipe = {} if config is None else read_train_settings(RECIPES.get(config, Path(config)))
    return TrainSettings(**(recipe | given))


def describe(report: EpochReport) -> str:
    """Say an epoch in a line."""
    text = f"epoch {report.epoch}/{report.epochs}: training loss {report.train_loss:.4f}"
    for name, loss, pcc in (
        ("validation", report.val_loss, report.val_median_pcc),
        ("held-out", report.test_loss, report.test_median_pcc),
    ):
        if loss is not None:
            text += f", {name} loss {loss:.4f}"
        if pcc is not None:
            text += f", {name} median PCC {pcc:.4f}"
    text += f", {duration(report.seconds)}"
    left = report.epochs - report.epoch
    if left:
        text += f", about {duration(left * report.seconds)} left"
    return text + (" · best so far" if report.best else "")


def in_words(result: TrainResult) -> str:
    """Say what a finished run has made."""
    held_out = "Trained on every section: nothing was held out.\n"
    if result.held_out:
        held_out = (
            f"Held out {', '.join(result.held_out)}: loss {result.test_loss:.4f}, "
            f"median PCC {result.test_median_pcc:.4f}.\n"
        )
    return (
        f"Wrote {result.model_folder} (best epoch {result.best_epoch}).\n"
        f"{held_out}"
        f"Use it: napari-tcgn predict SLIDE --spots FILE --model {result.model_folder} --out prediction.h5ad"
    )
