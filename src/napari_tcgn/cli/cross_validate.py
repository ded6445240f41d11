"""`napari-tcgn cross-validate`: hold out every section or patient once, and compare with simple models."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_tcgn.cli.options import Given, Offer, with_options
from napari_tcgn.cli.stop import when_stopped
from napari_tcgn.cli.train import (
    Cache,
    EveryMpp,
    Genes,
    Recipe,
    TrainingData,
    UseCache,
    chosen_genes,
    chosen_settings,
    follow,
)
from napari_tcgn.cli.train_data import patch_folder, training_folder
from napari_tcgn.errors import SettingsError
from napari_tcgn.options import TrainSettings

if TYPE_CHECKING:
    from napari_tcgn.training import Evaluation


Encoder = Annotated[
    str | None,
    typer.Option(
        help="Also a ridge on the frozen features of this encoder: a timm model (resnet50), a known one with its "
        "commit or a file (UNI2-h@COMMIT; `models encoders` lists them), or hf-hub:ORGANISATION/NAME@COMMIT."
    ),
]
EncoderWeights = Annotated[
    str | None,
    typer.Option(
        help="Its weights: a file (.safetensors, or a torch file of tensors), or `hub` for those of timm's hub; "
        "without, or where the hub is out of reach, they are random and labelled so."
    ),
]
AcceptLicence = Annotated[
    bool, typer.Option("--accept-licence", help="Accept the conditions of the encoder's licence.")
]


@with_options
def cross_validate(
    data: TrainingData = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of runs, tables, figures and report.")] = Path(
        "runs/cross-validation"
    ),
    by: Annotated[
        Literal["section", "patient", "both"], typer.Option(help="What is held out together; both: side by side.")
    ] = "section",
    config: Recipe = None,
    mpp: EveryMpp = None,
    genes: Genes = None,
    cache: Cache = None,
    use_cache: UseCache = True,
    encoder: Encoder = None,
    encoder_weights: EncoderWeights = None,
    accept_licence: AcceptLicence = False,
    final: Annotated[
        bool, typer.Option("--final", help="Then train on every section, with the held-out figures on the cards.")
    ] = False,
    scales: Annotated[
        list[str] | None,
        typer.Option(help="Also a line through squares of these sides around a spot in µm: 112,250,700; repeatable."),
    ] = None,
    only_lines: Annotated[bool, typer.Option("--only-lines", help="Train no TCGN: the simple models alone.")] = False,
    *,
    given: Annotated[
        Given[TrainSettings], Offer(only=("patch_um", "top_genes", "measurable", "epochs", "seed", "device"))
    ],
) -> None:
    """Hold out every section (or patient) once; TCGN and simple models in one table, with intervals.

    A stopped cross-validation goes on with the same command.

    \b
    Examples:
      napari-tcgn cross-validate --data ./her2st --config recipe.toml --out runs/cv
      napari-tcgn cross-validate --by both --encoder resnet50 --encoder-weights resnet50.safetensors
    """
    settings, panel = chosen_genes(genes, chosen_settings(given, config))
    folder = training_folder(data)
    with when_stopped(f"Stopped; finished epochs are kept in {out}. Go on with the same command."):
        from napari_tcgn.training import cross_validate_steps, write_report

        steps = cross_validate_steps(
            folder,
            out,
            settings,
            by=("section", "patient") if by == "both" else (by,),
            genes=panel,
            encoder=encoder,
            encoder_weights=encoder_weights,
            mpp=mpp,
            cache=patch_folder(cache) if use_cache else None,
            final=final,
            scales=[scale_set(text) for text in scales or []],
            only_lines=only_lines,
            accept_licence=accept_licence,
        )
        result = follow(steps)
        write_report(result)
    typer.echo(evaluation_text(result))


def scale_set(text: str) -> tuple[float, ...]:
    """Return the sides in µm of one --scales.

    Raises
    ------
    SettingsError
        If one of them is no positive number.
    """
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = (0.0,)
    if min(found) <= 0 or not all(map(math.isfinite, found)):
        raise SettingsError(f"--scales {text} are no sides in µm.", "Give them like 250 or 112,250,700.")
    return found


def evaluation_text(result: Evaluation) -> str:
    """Say the medians of every method in lines."""
    lines = [f"{'held out':<18}{'method':<42}{'median PCC (95 %)':<26}depth-controlled"]
    for row in result.summary.to_dict(orient="records"):
        if row["section"] != "all" and len(result.summary["section"].unique()) > 2:
            continue
        plain = f"{row['median_pcc']:.3f} ({row['pcc_low']:.3f} to {row['pcc_high']:.3f})"
        depth = f"{row['median_depth_pcc']:.3f} ({row['depth_pcc_low']:.3f} to {row['depth_pcc_high']:.3f})"
        lines.append(f"{row['by'] + ' ' + row['section']:<18}{row['method']:<42}{plain:<26}{depth}")
    lines += _ceiling_lines(result)
    models = "".join(f"\nModel: {folder}" for folder in result.models.values())
    return "\n".join(lines) + f"\nTables, figures and report.html are in {result.out}.{models}"


def _ceiling_lines(result: Evaluation) -> list[str]:
    """Say what no method could exceed, for the same sections as the medians."""
    lines = []
    for by, rows in result.summary.groupby("by", sort=False):
        row = rows.iloc[-1]  # pooled, where there are several sections; the same for every method
        if row["median_ceiling_pcc"] == row["median_ceiling_pcc"]:  # known
            best = f"{row['median_ceiling_pcc']:.3f}"
            name = f"{by} {row['section']}"
            lines.append(f"{name:<18}{'reachable at best':<42}{best:<26}{row['median_depth_ceiling_pcc']:.3f}")
    return lines
