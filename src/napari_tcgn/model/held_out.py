"""What a model card says of the model's accuracy on sections that it had not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import ModelError

GeneFigure = Literal["pcc", "pcc_low", "pcc_high", "depth_pcc", "ceiling_pcc", "depth_ceiling_pcc", "patient_pcc"]
Interval = tuple[float, float]
# Cards written before the two numbers were kept as numbers.
_COUNTED_IN_WORDS = " of "


@dataclass(frozen=True, slots=True)
class FoldFigures:
    """One held-out part of the data: what was held out, how many spots it has, and its median PCC (None: undefined)."""

    protocol: str
    n_spots: int
    median_pcc: float | None


@dataclass(frozen=True, slots=True)
class IntervalFile:
    """The file that makes intervals of predicted values (`GeneIntervals`).

    Attributes
    ----------
    file, sha256 : str
        Its name beside the card, and its hash.
    level : float
        At which the coverage was measured.
    coverage : dict of str to float
        Of every held-out section, by intervals made of the others: share of its spots inside, in the median gene.
    source : str
        Where the residuals are from, if not from the folds of the held-out figures.
    """

    file: str
    sha256: str
    level: float
    coverage: dict[str, float]
    source: str = ""

    @property
    def guaranteed(self) -> float:
        """The highest level that K held-out sections could promise, K / (K + 1), if the next one is like them."""
        return len(self.coverage) / (len(self.coverage) + 1)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Held-out figures of a model; those of single genes stand in the order of the card's genes, None where unknown.

    Attributes
    ----------
    protocol : str
        How they were computed, in words; "" for a model that was never evaluated.
    n_spots : int or None
        Spots that were scored.
    median_pcc, median_depth_pcc : float or None
        Median over the genes of the PCC, plain and with sequencing depth taken out.
    median_pcc_interval, median_depth_pcc_interval : (float, float) or None
        95 % intervals of the medians.
    median_ceiling_pcc, median_depth_ceiling_pcc : float or None
        Median over the genes of what could be reached at most.
    pcc, pcc_low, pcc_high : list of (float or None) [genes], or None
        PCC with its 95 % interval.
    depth_pcc : list of (float or None) [genes], or None
        PCC with sequencing depth taken out.
    ceiling_pcc, depth_ceiling_pcc : list of (float or None) [genes], or None
        The PCC that no predictor could exceed there, plain and with sequencing depth taken out (`trust.reachable_pcc`).
    patient_pcc : list of (float or None) [genes], or None
        PCC of models that had seen no section of the patient, where several patients were held out in turn.
    sections_significant : list of ((int, int) or None) [genes], or None
        In how many held-out sections the PCC is significant, and in how many it was tested.
    better_simple : list of (str or None) [genes], or None
        The simple model that predicts the gene better by more than 0.02.
    folds : list of FoldFigures
        The single held-out parts.
    intervals : IntervalFile or None
        What makes intervals of predicted values; None: unknown.
    more : dict
        Other entries of the card, kept as they are.
    """

    protocol: str = ""
    n_spots: int | None = None
    median_pcc: float | None = None
    median_pcc_interval: Interval | None = None
    median_depth_pcc: float | None = None
    median_depth_pcc_interval: Interval | None = None
    median_ceiling_pcc: float | None = None
    median_depth_ceiling_pcc: float | None = None
    pcc: list[float | None] | None = None
    pcc_low: list[float | None] | None = None
    pcc_high: list[float | None] | None = None
    depth_pcc: list[float | None] | None = None
    ceiling_pcc: list[float | None] | None = None
    depth_ceiling_pcc: list[float | None] | None = None
    patient_pcc: list[float | None] | None = None
    sections_significant: list[tuple[int, int] | None] | None = None
    better_simple: list[str | None] | None = None
    folds: list[FoldFigures] = field(default_factory=list)
    intervals: IntervalFile | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> HeldOut:
        """Read the `metrics` of a card.json.

        Raises
        ------
        ModelError
            If counts of sections are not two numbers.
        """
        known = {f.name for f in fields(cls)} - {"more"}
        own = {name: value for name, value in record.items() if name in known}
        for name in ("median_pcc_interval", "median_depth_pcc_interval"):
            if own.get(name) is not None:
                own[name] = tuple(own[name])
        if own.get("sections_significant") is not None:
            own["sections_significant"] = [_counted(value) for value in own["sections_significant"]]
        own["folds"] = [FoldFigures(**fold) for fold in own.get("folds", [])]
        if own.get("intervals") is not None:
            own["intervals"] = IntervalFile(**own["intervals"])
        return cls(**own, more={name: value for name, value in record.items() if name not in known})

    def to_record(self) -> dict[str, Any]:
        """Return what stands in card.json: the entries that are known."""
        record = {name: value for name, value in asdict(self).items() if name != "more" and value not in (None, [])}
        if not self.protocol:
            record.pop("protocol", None)
        return {**record, **self.more}

    def lengths(self) -> dict[str, int]:
        """Return the length of every list that has one entry per gene."""
        return {name: len(values) for name in _PER_GENE if (values := getattr(self, name)) is not None}

    def of_gene(self, figure: GeneFigure, genes: int) -> NDArray[np.float64]:
        """Return a figure of every gene, float64 [genes], NaN where it is unknown."""
        values: list[float | None] | None = getattr(self, figure)
        if values is None:
            return np.full(genes, np.nan)
        return np.array([np.nan if value is None else float(value) for value in values])

    def select(self, rows: Sequence[int]) -> HeldOut:
        """Return the figures of some genes."""
        chosen: dict[str, Any] = {name: [getattr(self, name)[row] for row in rows] for name in self.lengths()}
        return replace(self, **chosen)


_PER_GENE = (
    "pcc", "pcc_low", "pcc_high", "depth_pcc", "ceiling_pcc", "depth_ceiling_pcc", "patient_pcc",
    "sections_significant", "better_simple",
)  # fmt: skip


def _counted(value: Any) -> tuple[int, int] | None:
    """Return significant and tested sections, of [3, 4] or, in older cards, "3 of 4"."""
    if value is None:
        return None
    parts = value.split(_COUNTED_IN_WORDS) if isinstance(value, str) else value
    try:
        significant, tested = (int(part) for part in parts)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"metrics['sections_significant'] of a model card holds {value!r}.",
            "Give two numbers per gene: significant and tested sections.",
        ) from error
    return significant, tested
