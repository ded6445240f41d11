"""How a model is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_tcgn.options.declaration import check, option, require
from napari_tcgn.options.prediction import DEVICE_HELP, DeviceName, PrecisionName

LossName = Literal["mse", "correlation", "negative-binomial"]
ResidualName = Literal["none", "colour-texture"]


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How a model is trained; the defaults are the paper's recipe (Xiao et al. 2024).

    Every field is declared with its meaning (docs/options.md).
    """

    size: Literal["tiny", "xs", "small"] = option("tiny", "Size of TCGN.")
    patch_um: float = option(
        77.0,
        "Side of a patch in µm (published: 77).",
        more="77 µm are the published 112 px at 0.688 µm per px.",
        unit="µm", above=0,
    )  # fmt: skip
    top_genes: int = option(
        0,
        "Predict the so many most variable genes of the training sections; 0: the whole panel.",
        at_least=0,
    )
    measurable: float = option(
        0.0,
        "Predict every gene seen in this share of the spots of every training section; 0: the whole panel.",
        more="Their counts are scaled by those of the spot over all genes, not over the panel.",
        at_least=0, below=1,
    )  # fmt: skip
    epochs: int = option(79, "Epochs; 79 is the published recipe.", at_least=1)
    batch_size: int = option(32, "Spots per step.", at_least=1)
    optimiser: Literal["adam", "adamw"] = option("adam", "Optimiser.")
    learning_rate: float = option(1e-5, "Learning rate.", above=0)
    weight_decay: float = option(0.0, "Weight decay.", at_least=0)
    schedule: Literal["constant", "cosine"] = option(
        "constant",
        "Of the learning rate.",
        more='"cosine" warms up linearly over `warmup_epochs`, then falls to zero.',
    )
    warmup_epochs: float = option(0.0, "Linear warm-up of the cosine schedule.", at_least=0)
    clip_norm: float | None = option(None, "Largest norm of the gradient.", more="By default not clipped.", above=0)
    ema: float = option(
        0.0,
        "Keep a running mean of the weights with this decay per step; 0: the last weights.",
        more="The mean is what is scored and kept.",
        at_least=0, below=1,
    )  # fmt: skip
    loss: LossName = option(
        "mse",
        "correlation adds 1 - PCC within sections to the MSE; negative-binomial: likelihood of the counts.",
        more="With correlation every gene counts alike.",
    )
    smooth_targets: float = option(
        0.0, "Weight of the neighbours' mean in what a spot is taught.", at_least=0, at_most=1
    )
    components: int = option(
        0,
        "Confine the output to so many leading directions of expression; 0: every gene alone.",
        more="Each of them counts alike in the correlation loss.",
        at_least=0,
    )
    centre_sections: bool = option(False, "Teach every section with the same mean per gene.")
    min_counts: int = option(
        0, "Spots with fewer counts over the panel do not train.", more="They are scored all the same.", at_least=0
    )
    augment: bool = option(True, "Random rotation and flips.")
    zoom_jitter: float = option(
        0.0,
        "Strength of random changes of the size that tissue is shown at.",
        more="Only with random rotation and flips.",
        at_least=0, below=1,
    )  # fmt: skip
    stain_jitter: float = option(
        0.0,
        "Strength of random changes of the stain.",
        more="Of the haematoxylin, eosin and residual stain.",
        at_least=0, below=1,
    )  # fmt: skip
    precision: PrecisionName = option(
        "float32",
        "bf16 is several times faster where the processor has it.",
        more="It trains under autocast.",
    )
    residual: ResidualName = option(
        "none",
        "colour-texture: the network learns what to add to a line through such features.",
        more="The line is fitted first; what the network adds starts at nothing.",
    )
    start_from_mean: bool = option(False, "Start the output at the mean expression instead of zero.")
    val_fraction: float = option(
        0.15,
        "Share of the training spots kept for choosing the epoch; 0 takes the last one.",
        more="Spatial blocks of every section; with 0 all spots train and the number of epochs is fixed in advance.",
        at_least=0, below=0.9,
    )  # fmt: skip
    patience: int = option(0, "Stop after so many epochs without a better one; 0 runs them all.", at_least=0)
    select_on_test: bool = option(
        False,
        "Choose the epoch on the held-out section, as published; optimistic.",
        more="It is recorded as such.",
    )
    seed: int = option(0, "Seed of everything random.")
    device: DeviceName = option("auto", DEVICE_HELP)

    def __post_init__(self) -> None:
        check(self)
        chooses = self.val_fraction > 0 or self.select_on_test
        require(not self.patience or chooses, "patience", "0 where no epoch is chosen (val_fraction 0)", self.patience)
        one_way = not (self.measurable and self.top_genes)
        require(one_way, "measurable", "0 where the most variable genes are chosen (top_genes)", self.measurable)
        for name in ("smooth_targets", "centre_sections", "measurable"):
            require(
                self.loss != "negative-binomial" or not getattr(self, name),
                name,
                "off with the negative-binomial loss, which needs counts of the panel as they are",
                getattr(self, name),
            )  # fmt: skip
