"""Every option of the project, once: the source of CLI, GUI, config file and run record."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from napari_tcgn.errors import SettingsError

LayoutName = Literal["st", "visium", "visium-hd", "square", "hex"]
DeviceName = Literal["auto", "cuda", "mps", "cpu"]
PrecisionName = Literal["float32", "bf16"]
PrecisionChoice = Literal["auto", "float32", "bf16"]
LossName = Literal["mse", "correlation", "negative-binomial"]
BesideName = Literal["none", "colour-texture"]
BulkScale = Literal["linear", "log"]
MatchName = Literal["auto", "ids", "array", "nearest"]
ValuesName = Literal["counts", "model-scale"]
NullName = Literal["auto", "all-shifts", "random-shifts"]
OrientationName = Literal[
    "upright", "mirrored-x", "mirrored-y", "rotated-180", "transposed", "rotated-90", "rotated-270", "antitransposed"
]
StainName = Literal["none", "reinhard", "macenko"]

# Centre-to-centre distance and spot diameter in µm of the named layouts (10x Genomics; Ståhl et al. 2016).
# Visium HD: adjoining square bins, of 8 µm unless said otherwise; a bin's "diameter" is its side.
LAYOUTS: dict[str, tuple[float, float]] = {"st": (200.0, 100.0), "visium": (100.0, 55.0), "visium-hd": (8.0, 8.0)}
# The later ST arrays, of 1,934 spots on the places of a chessboard, corner to corner (Ji et al. 2020).
CHESSBOARD = (150.0, 110.0)
BIN_SIDES = (2.0, 8.0, 16.0)  # µm, the bins that Space Ranger writes
HEXAGONAL = ("visium", "hex")


def _require(condition: bool, name: str, expected: str, found: object) -> None:
    if not condition:
        raise SettingsError(f"{name} must be {expected}, found {found!r}.", f"Give {name} such a value.")


@dataclass(frozen=True, slots=True)
class GridSettings:
    """A grid of spots laid over a slide.

    Attributes
    ----------
    layout : {"st", "visium", "visium-hd", "square", "hex"}
        Named array or a custom lattice.
    pitch_um, diameter_um : float or None
        Centre-to-centre distance and spot diameter in µm; None takes the layout's own.
        The custom lattices need both. Visium HD has square bins: the pitch is their side (2, 8 or 16 µm).
    origin_x_um, origin_y_um : float or None
        Centre of spot (0, 0) from the slide's top left corner; None: half a pitch.
    rotation_deg : float
        Clockwise rotation of the lattice around its origin.
    tissue_only : bool
        Keep only spots whose disc is tissue to at least `min_tissue_fraction`.
    min_tissue_fraction : float
        Between 0 and 1.
    tissue_threshold : float or None
        Optical density above which a pixel is tissue; None: chosen for the slide (`slide.tissue`).
    """

    layout: LayoutName = "st"
    pitch_um: float | None = None
    diameter_um: float | None = None
    origin_x_um: float | None = None
    origin_y_um: float | None = None
    rotation_deg: float = 0.0
    tissue_only: bool = True
    min_tissue_fraction: float = 0.5
    tissue_threshold: float | None = None

    def __post_init__(self) -> None:
        _require(self.layout in get_args(LayoutName), "layout", f"one of {get_args(LayoutName)}", self.layout)
        for name in ("pitch_um", "diameter_um"):
            value = getattr(self, name)
            _require(value is not None or self.layout in LAYOUTS, name, "given for a custom lattice", value)
            _require(value is None or (math.isfinite(value) and value > 0), name, "a positive number of µm", value)
        for name in ("origin_x_um", "origin_y_um", "rotation_deg"):
            value = getattr(self, name)
            _require(value is None or math.isfinite(value), name, "a finite number", value)
        _require(0 <= self.min_tissue_fraction <= 1, "min_tissue_fraction", "from 0 to 1", self.min_tissue_fraction)
        threshold = self.tissue_threshold
        positive = threshold is None or (math.isfinite(threshold) and threshold > 0)
        _require(positive, "tissue_threshold", "a positive optical density", threshold)
        if self.layout == "visium-hd":
            _require(self.pitch in BIN_SIDES, "pitch_um", "2, 8 or 16 for the bins of visium-hd", self.pitch_um)
            _require(
                self.diameter_um in (None, self.pitch),
                "diameter_um",
                "the side of the bin, or left out",
                self.diameter_um,
            )

    @property
    def pitch(self) -> float:
        """Centre-to-centre distance in µm."""
        return self.pitch_um if self.pitch_um is not None else LAYOUTS[self.layout][0]

    @property
    def diameter(self) -> float:
        """Spot diameter in µm; the side of a bin of Visium HD."""
        if self.layout == "visium-hd":
            return self.pitch
        return self.diameter_um if self.diameter_um is not None else LAYOUTS[self.layout][1]


@dataclass(frozen=True, slots=True)
class PredictSettings:
    """How the engine runs a model over spots.

    Attributes
    ----------
    model : str
        Name of a registered model or path of a model folder or checkpoint.
    device : {"auto", "cuda", "mps", "cpu"}
        "auto" takes CUDA, else MPS, else the CPU.
    precision : {"auto", "float32", "bf16"}
        "bf16" rounds the factors of the large products to bfloat16: faster where the processor has such products,
        and predictions deviate a little (docs/speed.md). "auto": see `predict.choose_precision`.
    batch_size : int or None
        Patches per model call; None chooses by device.
    read_threads : int
        Threads that read and cut patches ahead of the model.
    stain : {"none", "reinhard", "macenko"}
        Bring the slide's stain to that of the model's training sections first (docs/large-slides.md).
    """

    model: str = "tcgn-tiny-her2st"
    device: DeviceName = "auto"
    precision: PrecisionChoice = "auto"
    batch_size: int | None = None
    read_threads: int = 2
    stain: StainName = "none"

    def __post_init__(self) -> None:
        _require(self.device in get_args(DeviceName), "device", f"one of {get_args(DeviceName)}", self.device)
        _require(self.precision in get_args(PrecisionChoice), "precision", "auto, float32 or bf16", self.precision)
        _require(self.batch_size is None or self.batch_size >= 1, "batch_size", "at least 1", self.batch_size)
        _require(self.read_threads >= 1, "read_threads", "at least 1", self.read_threads)
        _require(self.stain in get_args(StainName), "stain", f"one of {get_args(StainName)}", self.stain)


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """What of a result is exported.

    Attributes
    ----------
    genes : str
        "all"; "trusted", those that the model's held-out figures call predictable; or names with commas between
        them. "": all, or the trusted ones where all of them are too many (GeoJSON and figures).
    top : int
        Largest number of trusted genes, best first.
    tidy : bool
        Tables: one row per spot and gene instead of one column per gene.
    library : str or None
        Which section of a file that holds several.
    mpp : float or None
        µm per full-resolution px, where the file does not say it.
    """

    genes: str = ""
    top: int = 50
    tidy: bool = False
    library: str | None = None
    mpp: float | None = None

    def __post_init__(self) -> None:
        _require(self.top >= 1, "top", "at least 1", self.top)
        _require(
            self.mpp is None or (math.isfinite(self.mpp) and self.mpp > 0), "mpp", "a positive number of µm", self.mpp
        )


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How a model is trained; the defaults are the paper's recipe (Xiao et al. 2024).

    Attributes
    ----------
    size : {"tiny", "xs", "small"}
        Named size of TCGN.
    patch_um : float
        Side of a patch; 77 µm are the published 112 px at 0.688 µm per px.
    top_genes : int
        Predict so many genes, the most variable ones of the training sections (`training/data/panel.py`); 0: the
        whole panel.
    epochs : int
        79 for parity with the published training loop.
    batch_size : int
    optimiser : {"adam", "adamw"}
    learning_rate, weight_decay : float
    schedule : {"constant", "cosine"}
        "cosine" warms up linearly over `warmup_epochs`, then falls to zero.
    warmup_epochs : float
    clip_norm : float or None
        Largest norm of the gradient; None: not clipped.
    ema : float
        Decay per step of a running mean of the weights, which is what is scored and kept; 0: the weights themselves.
    loss : {"mse", "correlation", "negative-binomial"}
        "correlation" adds 1 - PCC within sections, in which every gene counts alike; "negative-binomial" is the
        likelihood of the raw counts (`training/fit/likelihood.py`).
    smooth_targets : float
        Weight of the neighbours' mean in what a training spot is taught, from 0 to 1.
    components : int
        Confine the output to so many leading directions of expression, each of which counts alike in the correlation
        loss; 0: every gene on its own.
    centre_sections : bool
        Teach every section with the same mean per gene.
    min_counts : int
        Spots with fewer counts over the panel do not train; they are scored all the same.
    augment : bool
        Random rotation and flips on the device.
    stain_jitter : float
        Strength of random changes of the haematoxylin, eosin and residual stain (0: none).
    precision : {"float32", "bf16"}
        "bf16" trains under autocast: several times faster where the processor has bfloat16 products.
    beside : {"none", "colour-texture"}
        "colour-texture": a line through simple features of the patch is fitted first, and the network learns what to
        add to it; it starts at nothing.
    start_from_mean : bool
        Start the output bias at the mean expression of the training spots instead of zero.
    val_fraction : float
        Share of the training spots of every section (spatial blocks) kept for choosing the epoch; 0: all spots train
        and the last epoch is taken, fixed in advance.
    patience : int
        Stop after so many epochs without a better one; 0: run them all.
    select_on_test : bool
        The original protocol: choose the epoch on the held-out section; optimistic, recorded as such.
    seed : int
    device : {"auto", "cuda", "mps", "cpu"}
    """

    size: Literal["tiny", "xs", "small"] = "tiny"
    patch_um: float = 77.0
    top_genes: int = 0
    epochs: int = 79
    batch_size: int = 32
    optimiser: Literal["adam", "adamw"] = "adam"
    learning_rate: float = 1e-5
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_epochs: float = 0.0
    clip_norm: float | None = None
    ema: float = 0.0
    loss: LossName = "mse"
    smooth_targets: float = 0.0
    components: int = 0
    centre_sections: bool = False
    min_counts: int = 0
    augment: bool = True
    stain_jitter: float = 0.0
    precision: PrecisionName = "float32"
    beside: BesideName = "none"
    start_from_mean: bool = False
    val_fraction: float = 0.15
    patience: int = 0
    select_on_test: bool = False
    seed: int = 0
    device: DeviceName = "auto"

    def __post_init__(self) -> None:
        _require(self.size in ("tiny", "xs", "small"), "size", "tiny, xs or small", self.size)
        _require(self.optimiser in ("adam", "adamw"), "optimiser", "adam or adamw", self.optimiser)
        _require(self.schedule in ("constant", "cosine"), "schedule", "constant or cosine", self.schedule)
        _require(self.precision in get_args(PrecisionName), "precision", "float32 or bf16", self.precision)
        _require(
            math.isfinite(self.patch_um) and self.patch_um > 0, "patch_um", "a positive number of µm", self.patch_um
        )
        _require(self.top_genes >= 0, "top_genes", "zero or positive", self.top_genes)
        _require(self.epochs >= 1, "epochs", "at least 1", self.epochs)
        _require(self.batch_size >= 1, "batch_size", "at least 1", self.batch_size)
        _require(self.learning_rate > 0, "learning_rate", "positive", self.learning_rate)
        _require(self.weight_decay >= 0, "weight_decay", "zero or positive", self.weight_decay)
        _require(self.warmup_epochs >= 0, "warmup_epochs", "zero or positive", self.warmup_epochs)
        _require(self.clip_norm is None or self.clip_norm > 0, "clip_norm", "positive", self.clip_norm)
        _require(0 <= self.ema < 1, "ema", "from 0 to below 1", self.ema)
        _require(self.loss in get_args(LossName), "loss", f"one of {get_args(LossName)}", self.loss)
        _require(self.beside in get_args(BesideName), "beside", f"one of {get_args(BesideName)}", self.beside)
        _require(0 <= self.smooth_targets <= 1, "smooth_targets", "from 0 to 1", self.smooth_targets)
        _require(self.components >= 0, "components", "zero or positive", self.components)
        _require(self.min_counts >= 0, "min_counts", "zero or positive", self.min_counts)
        _require(0 <= self.stain_jitter < 1, "stain_jitter", "from 0 to below 1", self.stain_jitter)
        _require(0 <= self.val_fraction < 0.9, "val_fraction", "from 0 to below 0.9", self.val_fraction)
        _require(self.patience >= 0, "patience", "zero or positive", self.patience)
        _require(
            not self.patience or self.val_fraction > 0 or self.select_on_test,
            "patience", "0 where no epoch is chosen (val_fraction 0)", self.patience,
        )  # fmt: skip
        for name in ("smooth_targets", "centre_sections"):
            _require(
                self.loss != "negative-binomial" or not getattr(self, name),
                name, "off with the negative-binomial loss, which needs counts as they are", getattr(self, name),
            )  # fmt: skip
        _require(self.device in get_args(DeviceName), "device", f"one of {get_args(DeviceName)}", self.device)


@dataclass(frozen=True, slots=True)
class CompareSettings:
    """How predicted expression is compared with measured expression.

    Attributes
    ----------
    match : {"auto", "ids", "array", "nearest"}
        How spots find each other: by name, by array position, or one to one by nearest centre. "auto" takes the first
        that applies and refuses what contradicts it; a way that is named here turns such contradictions into warnings.
    tolerance_um : float or None
        How far two centres may lie apart; None: a quarter of the pitch.
    min_matched : float or None
        Least share of the smaller set of spots that must find a partner; None: 0.9 by names and array positions,
        which are the same on every array, 0.5 by nearest centre.
    orientation : str
        What was done to the measured positions relative to the slide: "upright" (nothing), "transposed" (x and y
        swapped), "mirrored-x" (left and right swapped), "mirrored-y", "rotated-90" (clockwise) …; it is undone.
    values : {"counts", "model-scale"}
        "counts": raw counts, brought to the model's scale here; "model-scale": they are on it already.
    layer : str or None
        Layer of the measured AnnData that holds the values; None: X.
    null : {"auto", "all-shifts", "random-shifts"}
        Null of the p-values: every toroidal shift of the array, or `permutations` random ones. "auto": all shifts
        where every spot has an array position of its own, else random ones.
    permutations : int
        Random shifts, where they are used.
    draws : int
        Samples of the spatial block bootstrap.
    domains : bool
        Whether spatial domains and niches are compared.
    resolution : float
        Of the Leiden clustering.
    neighbours : int
        In its graph.
    seed : int
    """

    match: MatchName = "auto"
    tolerance_um: float | None = None
    min_matched: float | None = None
    orientation: OrientationName = "upright"
    values: ValuesName = "counts"
    layer: str | None = None
    null: NullName = "auto"
    permutations: int = 1000
    draws: int = 1000
    domains: bool = True
    resolution: float = 1.0
    neighbours: int = 15
    seed: int = 0

    def __post_init__(self) -> None:
        for name, choices in (
            ("match", MatchName),
            ("orientation", OrientationName),
            ("values", ValuesName),
            ("null", NullName),
        ):
            _require(getattr(self, name) in get_args(choices), name, f"one of {get_args(choices)}", getattr(self, name))
        for name in ("tolerance_um", "resolution"):
            value = getattr(self, name)
            _require(value is None or (math.isfinite(value) and value > 0), name, "a positive number", value)
        _require(
            self.min_matched is None or 0 < self.min_matched <= 1, "min_matched", "above 0, to 1", self.min_matched
        )
        _require(self.permutations >= 19, "permutations", "at least 19", self.permutations)
        _require(self.draws >= 20, "draws", "at least 20", self.draws)
        _require(self.neighbours >= 2, "neighbours", "at least 2", self.neighbours)


def to_record(settings: Any) -> dict[str, Any]:
    """Return a settings dataclass as a plain dict for a run record."""
    return asdict(settings)
