"""How the engine runs a model over spots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_tcgn.options.declaration import check, option

DeviceName = Literal["auto", "cuda", "mps", "cpu"]
PrecisionName = Literal["float32", "bf16"]
PrecisionChoice = Literal["auto", "float32", "bf16"]
StainName = Literal["none", "reinhard", "macenko"]

DEVICE_HELP = "Where to compute; auto takes CUDA, else MPS, else the CPU."


@dataclass(frozen=True, slots=True)
class PredictSettings:
    """How the engine runs a model over spots; every field is declared with its meaning (docs/options.md)."""

    model: str = option(
        "context-line-her2st",
        "Name of a model (see `napari-tcgn models list`), or path of a model folder or checkpoint.",
    )
    device: DeviceName = option("auto", DEVICE_HELP)
    precision: PrecisionChoice = option(
        "auto",
        "bf16 is faster, predictions deviate a little; auto takes it where the processor has it.",
        more="It rounds the factors of the large products to bfloat16; a gene's correlation changes by less than "
        "0.001 (docs/speed.md).",
    )
    genes: str = option(
        "all",
        "Genes to predict: all, trusted, names with commas between them, or a text file with one a line.",
        more="Trusted are those that the model's held-out figures call predictable.",
    )
    batch_size: int | None = option(
        None,
        "Patches per model call; by default chosen for the device.",
        more="It is halved when memory runs out.",
        label="batch size", at_least=1, form=(1, 4096), if_none="automatic",
    )  # fmt: skip
    read_threads: int = option(
        2, "Threads that read patches ahead of the model.", label="reading threads", at_least=1, form=(1, 64)
    )
    stain: StainName = option(
        "none",
        "Bring the slide's stain to that of the model's training sections first.",
        more="Reinhard matches mean and spread of the colours, macenko the two stains. Try it where the section Model "
        "warns of the stain; it may also do harm (docs/large-slides.md).",
        label="stain normalisation",
    )
    domain: bool = option(
        True,
        "Say of every spot how like the model's training it is.",
        "--domain/--no-domain",
        more="It takes about a millisecond a spot (docs/trust.md).",
        label="likeness to the training",
    )

    def __post_init__(self) -> None:
        check(self)
