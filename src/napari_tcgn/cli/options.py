"""Options that several commands share; every default is the settings dataclass's own."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_tcgn.options import DeviceName, GridSettings, PrecisionChoice, PredictSettings, TrainSettings

GRID = GridSettings()
PREDICT = PredictSettings()
TRAIN = TrainSettings()

Model = Annotated[
    str, typer.Option(help="Name of a model (see `napari-tcgn models list`), or path of a model folder or checkpoint.")
]
Device = Annotated[DeviceName, typer.Option(help="Where to compute; auto takes CUDA, else MPS, else the CPU.")]
Precision = Annotated[
    PrecisionChoice,
    typer.Option(help="bf16 is faster, predictions deviate a little; auto takes it where the processor has it."),
]
BatchSize = Annotated[int | None, typer.Option(help="Patches per model call; by default chosen for the device.")]
ReadThreads = Annotated[int, typer.Option(help="Threads that read patches ahead of the model.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace results that exist already.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
