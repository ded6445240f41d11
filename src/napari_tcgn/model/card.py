"""What a model says of itself: everything needed to run it and to judge what it predicts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import ModelError
from napari_tcgn.files import reading, require_regular
from napari_tcgn.model.card_schema import MAX_BYTES, parse_card
from napari_tcgn.model.card_text import readable_json
from napari_tcgn.model.domain import TrainingDomain
from napari_tcgn.model.gene_intervals import GeneIntervals
from napari_tcgn.model.held_out import GeneFigure, HeldOut
from napari_tcgn.options import StainName

Orientation = Literal["upright", "transposed"]
SLACK = 0.9  # of the px that the smallest of several scales would have


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The JSON file beside a model's weights.

    Attributes
    ----------
    name, version : str
    architecture : dict
        {"family": "tcgn", "size": "tiny", …}: what `load_model` needs to build the network. "scales_um": sides in µm of
        the squares around a spot that the model looks at, the widest one last; without it, `patch_um` is the only one.
    genes : list of str
        Output order.
    gene_ids : list of str
        Ensembl ids in the same order, "" where unknown; empty: none known.
    organism, tissue : str
    patch_um : float
        Side of the square of tissue that one patch covers: of the widest scale, where there are several.
    input_px : int
        Side of the network's input; patches (the crop of every scale) are resized to it on the device.
    orientation : {"upright", "transposed"}
        "upright": tensor axes are channel, image row, image column. "transposed": channel, column, row
        (the published TCGN checkpoints, whose training read images with both axes swapped).
    mean, std : list of 3 floats
        Normalisation of RGB / 255.
    output_scale : str
        For people and for matching measured data, e.g. "log10(1 + 1e4 * count / panel total)".
    training : dict
        data, licence, citation, recipe, date, device.
    domain : TrainingDomain
        What the training slides were like, for warnings and stain normalisation.
    metrics : HeldOut
        Held-out figures.
    weights : str
        File name of the weights beside the card.
    sha256 : str
        Of the weights file.
    licence, citation : str
    caveats : list of str
        Sentences that the user must be able to see.
    panel_genes : int or None
        Genes of the whole model, on the card of a result that holds some of them.
    """

    name: str
    version: str
    architecture: dict[str, Any]
    genes: list[str]
    patch_um: float
    organism: str = "Homo sapiens"
    tissue: str = ""
    gene_ids: list[str] = field(default_factory=list)
    input_px: int = 224
    orientation: Orientation = "upright"
    mean: list[float] = field(default_factory=lambda: [0.485, 0.456, 0.406])
    std: list[float] = field(default_factory=lambda: [0.229, 0.224, 0.225])
    output_scale: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    domain: TrainingDomain = field(default_factory=TrainingDomain)
    metrics: HeldOut = field(default_factory=HeldOut)
    weights: str = ""
    sha256: str = ""
    licence: str = ""
    citation: str = ""
    caveats: list[str] = field(default_factory=list)
    panel_genes: int | None = None

    def __post_init__(self) -> None:
        def require(condition: bool, problem: str, hint: str) -> None:
            if not condition:
                raise ModelError(f"Model card {self.name!r}: {problem}", hint)

        require(len(self.genes) > 0, "it names no genes.", "List the genes in output order.")
        require(len(set(self.genes)) == len(self.genes), "a gene is named twice.", "Name every gene once.")
        require(self.patch_um > 0, f"patch_um is {self.patch_um}.", "Give the patch's side in µm.")
        require(
            self.orientation in ("upright", "transposed"),
            f"orientation is {self.orientation!r}.",
            "Say upright or transposed.",
        )
        require(
            len(self.mean) == 3 and len(self.std) == 3 and min(self.std) > 0,
            "mean and std must be three numbers, std positive.",
            "Give the normalisation of R, G and B.",
        )
        scales = self.scales_um
        require(
            all(isinstance(scale, int | float) and scale > 0 for scale in scales)
            and list(scales) == sorted(set(scales))
            and scales[-1:] == (self.patch_um,),
            f"its scales are {list(scales)} µm and its patch {self.patch_um:g} µm.",
            "Give scales that grow, the last one the patch's side.",
        )
        for key, found in self.metrics.lengths().items():
            require(
                found == len(self.genes),
                f"metrics[{key!r}] has {found} entries for {len(self.genes)} genes.",
                "Give one per gene.",
            )

    @property
    def scales_um(self) -> tuple[float, ...]:
        """Sides in µm of the squares that the model looks at, all around the spot, the widest one last."""
        return tuple(self.architecture.get("scales_um", (self.patch_um,)))

    def scale_px(self, scale_um: float) -> int:
        """Return the side in px at which the square of a scale has all the detail that was seen in training.

        Never more than `input_px`; less where the training slides were coarser than that (`domain.mpp`): a finer
        slide is then brought to their resolution first, so that the network sees the blur it knows.
        """
        if self.domain.mpp is None or not self.domain.mpp[0]:
            return self.input_px
        return min(self.input_px, max(1, round(scale_um / self.domain.mpp[0])))

    @property
    def detail_px(self) -> int:
        """Side in px at which a patch has all the detail that is needed: what its smallest scale needs (`scale_px`).

        A tenth less where the patch is cut into several scales: a slide of 0.253 µm per px must not be read four times
        as fine as one of 0.25.
        """
        smallest = self.scales_um[0]
        if smallest == self.patch_um:
            return self.scale_px(smallest)
        return math.ceil(SLACK * self.scale_px(smallest) * self.patch_um / smallest)

    def gene_metric(self, figure: GeneFigure) -> NDArray[np.float64]:
        """Return a held-out figure of every gene (float64 [genes]), NaN where the card has none."""
        return self.metrics.of_gene(figure, len(self.genes))

    def better_baselines(self) -> list[str]:
        """Return per gene the simple model that does better on held-out sections, "" where none is known to."""
        return [name or "" for name in self.metrics.better_simple or [None] * len(self.genes)]

    def stain_methods(self) -> tuple[StainName, ...]:
        """Return the ways in which a slide can be brought to the stain of the training sections, "none" first."""
        targets = {} if self.domain.stain is None else self.domain.stain.targets
        return tuple(method for method in get_args(StainName) if method == "none" or targets.get(method))

    @property
    def holds_panel(self) -> bool:
        """Whether it names every gene of the model."""
        return self.panel_genes is None or self.panel_genes == len(self.genes)

    def select(self, rows: Sequence[int]) -> ModelCard:
        """Return the card of the same model for some of its genes, by their numbers."""
        return replace(
            self,
            genes=[self.genes[row] for row in rows],
            gene_ids=[self.gene_ids[row] for row in rows] if self.gene_ids else [],
            metrics=self.metrics.select(rows),
            panel_genes=self.panel_genes or len(self.genes),
        )

    def to_json(self) -> str:
        """Return the card as JSON, an entry a line."""
        record = {f.name: getattr(self, f.name) for f in fields(self)}
        if self.panel_genes is None:
            del record["panel_genes"]
        record |= {"domain": self.domain.to_record(), "metrics": self.metrics.to_record()}
        return readable_json(record)

    @classmethod
    def from_json(cls, text: str, source: str = "card") -> ModelCard:
        """Parse a card.

        Raises
        ------
        ModelError
            If the text is not JSON, lacks a required entry, has an unknown one, or one that is not what it should be.
        """
        raw = parse_card(text, source)
        with reading(f"Domain or metrics in model card {source}", ModelError, "Restore the card.json of the model."):
            parts = {
                "domain": TrainingDomain.from_record(raw.get("domain", {})),
                "metrics": HeldOut.from_record(raw.get("metrics", {})),
            }
        return cls(**(raw | parts))

    @classmethod
    def read(cls, path: Path) -> ModelCard:
        """Read `card.json`.

        Raises
        ------
        ModelError
            If the file is missing, unreadable or not a card.
        """
        with reading(f"Model card {path}", ModelError, "Keep card.json beside the weights."):
            require_regular(path)
            if path.stat().st_size > MAX_BYTES:
                raise ModelError(f"Model card {path} has {path.stat().st_size:,} bytes.", "Fetch the model again.")
            text = path.read_text(encoding="utf-8-sig")
        return cls.from_json(text, str(path))


class Predictor(Protocol):
    """Anything that predicts expression from patches.

    Attributes
    ----------
    card : ModelCard
    device : str
        "cpu", "cuda:0", … of the run record.
    """

    card: ModelCard
    device: str

    def predict(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict a batch.

        Parameters
        ----------
        patches : uint8 [B, H, W, 3]
            Upright RGB patches, each covering `card.patch_um`; any H = W (resized on the device).

        Returns
        -------
        float32 [B, genes]
            On `card.output_scale`; never depends on which patches share the batch.
        """
        ...


@runtime_checkable
class StartingPredictor(Predictor, Protocol):
    """A predictor whose device works on its own: it can take a batch while the last one is not fetched."""

    def start(self, patches: NDArray[np.uint8]) -> Callable[[], NDArray[np.float32]]:
        """Start what `predict` does, and return the call that waits for the result.

        Raises
        ------
        RuntimeError
            At once, not in the returned call, if the device has no memory for the batch.
        """
        ...


class DomainOf(Protocol):
    """Tells of patches how like the training they are."""

    def __call__(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return p-values, float32 [B], of uint8 patches [B, H, W, 3] as `Predictor.predict` is handed them."""
        ...


@runtime_checkable
class KnowsDomain(Protocol):
    """A predictor that can have a domain; one of another package need not."""

    domain_of: DomainOf | None


@runtime_checkable
class PredictsWithDomain(KnowsDomain, Protocol):
    """A predictor that makes both from the same features, for hardly more than the time of one."""

    def predict_with_domain(self, patches: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return what `predict` and `domain_of` do."""
        ...


@runtime_checkable
class KnowsIntervals(Protocol):
    """A predictor that can have intervals; one of another package need not."""

    intervals: GeneIntervals | None


def intervals_of(predictor: object) -> GeneIntervals | None:
    """Return what makes intervals of a predictor's values; None where that is unknown."""
    return predictor.intervals if isinstance(predictor, KnowsIntervals) else None


def domain_of(predictor: object) -> DomainOf | None:
    """Return what tells how like the training a predictor's patches are; None where that is unknown."""
    return predictor.domain_of if isinstance(predictor, KnowsDomain) else None
