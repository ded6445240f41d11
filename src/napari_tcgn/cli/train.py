"""`napari-tcgn train`: one fold of TCGN on sections with measured counts."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from napari_tcgn.cli.options import Given, decimal, with_options
from napari_tcgn.cli.report import ProgressReport, duration
from napari_tcgn.cli.stop import when_stopped
from napari_tcgn.cli.train_data import ENVIRONMENT, patch_folder, training_folder
from napari_tcgn.errors import SettingsError
from napari_tcgn.options import MPP_HELP, TrainSettings
from napari_tcgn.paths import portable_name
from napari_tcgn.training import RECIPES, read_train_settings

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_tcgn.engine import Progress
    from napari_tcgn.training import EpochReport, TrainResult

Result = TypeVar("Result")

MEASURABLE, MIN_SHARE = "measurable", 0.05

EveryMpp = Annotated[
    float | None,
    typer.Option(help=f"{MPP_HELP} Of all slides; that of her2st is known.", parser=decimal, metavar="FLOAT"),
]
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
        help="Panel to predict: a text file with one gene symbol a line, her2st_785 (the default), or "
        "measurable[:0.05]: every gene seen in this share of the spots of every training section. "
        "With --top-genes: what to choose from, by default all genes."
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(help="Folder where cut patches are kept for later runs; by default the user's cache folder."),
]
UseCache = Annotated[bool, typer.Option("--use-cache/--no-cache", help="Keep cut patches on disk for later runs.")]


@with_options
def train(
    fold: Annotated[
        str,
        typer.Option(
            help="What to hold out: a section by its number in the published folds (0 to 31) or name (C2), "
            "a patient (C), or none."
        ),
    ],
    data: TrainingData = None,
    mpp: EveryMpp = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the run; by default runs/fold-FOLD.")
    ] = None,
    held_out_run: Annotated[
        list[Path] | None,
        typer.Option(help="With --fold none: a finished run of the same recipe whose held-out figures go on the card."),
    ] = None,
    config: Recipe = None,
    genes: Genes = None,
    cache: Cache = None,
    use_cache: UseCache = True,
    init: Annotated[
        Path | None,
        typer.Option(help="Model folder or checkpoint to start from: a TCGN, or CMT weights of the same size."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    *,
    given: Given[TrainSettings],
) -> None:
    """Train TCGN with one section held out.

    \b
    Examples:
      napari-tcgn train --fold 0
      napari-tcgn train --fold C2 --data ./her2st --epochs 20 --out runs/C2
      napari-tcgn train --fold 0 --data sample --epochs 1
      torchrun --nproc-per-node 2 -m napari_tcgn train --fold 0
    """
    settings, panel = chosen_genes(genes, chosen_settings(given, config))
    folder = training_folder(data)
    out = out if out is not None else Path("runs") / portable_name(f"fold-{fold}")
    how_on = f"Stopped; finished epochs are kept in {out}. Go on with the same command and --resume."
    with when_stopped(how_on):
        from napari_tcgn.training import train_steps

        steps = train_steps(
            folder,
            fold,
            out,
            settings,
            resume=resume,
            genes=panel,
            init=init,
            mpp=mpp,
            cache=patch_folder(cache) if use_cache else None,
            held_out_runs=held_out_run or [],
        )
        result = follow(steps)
    if _speaks():
        typer.echo(training_text(result))


def follow(steps: Generator[Progress | EpochReport, None, Result]) -> Result:
    """Run training to its end and say what it tells; of the processes that torchrun has started, one speaks."""
    from napari_tcgn.engine import run_to_end
    from napari_tcgn.training import EpochReport

    with open(os.devnull, "w", encoding="utf-8") as nowhere:
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


def chosen_settings(given: Given[TrainSettings], config: str | None) -> TrainSettings:
    """Return the settings of the command line: what was given there, else the recipe's, else the defaults."""
    return given.over({} if config is None else read_train_settings(RECIPES.get(config, Path(config))))


def chosen_genes(genes: str | None, settings: TrainSettings) -> tuple[TrainSettings, list[str] | None]:
    """Return the settings and the panel that --genes means: a file, a shipped panel, or every measurable gene.

    Raises
    ------
    DataError, SettingsError
        If there is no such panel, or the share of spots is none.
    """
    from napari_tcgn.model import read_panel

    if genes is None:
        return settings, None
    word, colon, share = genes.partition(":")
    if word != MEASURABLE:
        return settings, read_panel(genes)
    try:
        return replace(settings, measurable=decimal(share) if colon else MIN_SHARE), None
    except typer.BadParameter as error:
        raise SettingsError(f"--genes {genes}: {error}", "Give a share of the spots, like measurable:0.05.") from error


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


def training_text(result: TrainResult) -> str:
    """Say what a finished run has made."""
    from napari_tcgn.engine import as_line

    then = as_line(["napari-tcgn", "predict", "SLIDE", "--spots", "FILE", "--model", str(result.model_folder)])
    held_out = "Trained on every section: nothing was held out.\n"
    if result.held_out:
        held_out = (
            f"Held out {', '.join(result.held_out)}: loss {result.test_loss:.4f}, "
            f"median PCC {result.test_median_pcc:.4f}.\n"
        )
    return (
        f"Wrote {result.model_folder} (best epoch {result.best_epoch}).\n{held_out}Use it: {then} --out prediction.h5ad"
    )
