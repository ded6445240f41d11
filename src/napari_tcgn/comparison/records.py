"""What a comparison found out, as typed records; `to_record` gives what overall.json and the .h5ad hold of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from napari_tcgn.expression import TOTAL_SCALE, GeneMatchRecord, MeasuredSource
from napari_tcgn.options import CompareSettings, MatchName, NullKind, OrientationName, to_record

# What spots were matched by, as a sentence names it.
MATCHED_BY = {"ids": "name", "array": "array position", "nearest": "nearest centre"}


@dataclass(frozen=True, slots=True)
class PositionFit:
    """How the positions of matched spots relate.

    Attributes
    ----------
    orientation : str
        Nearest of the symmetries of the square ("upright", "transposed" …).
    scale : float
        Measured per predicted length.
    residual_um : float or None
        Median distance in µm that the best affine map leaves; None where the spots lie on one line.
    """

    orientation: str
    scale: float
    residual_um: float | None


@dataclass(frozen=True, slots=True)
class SpotMatch:
    """How spots were matched.

    Attributes
    ----------
    orientation : str
        That was undone, as the settings say.
    tolerance_um : float
        How far two centres may lie apart, in µm.
    way : {"ids", "array", "nearest"}
        By which they were matched.
    matched, predicted, measured : int
        Spots.
    share : float
        Of the smaller set that matches.
    distance_um : float or None
        Median distance in µm of matched spots; None where not both sides give positions.
    positions : PositionFit or None
    predicted_without_partner : tuple of str
        The first hundred.
    """

    orientation: OrientationName
    tolerance_um: float
    way: MatchName
    matched: int
    predicted: int
    measured: int
    share: float
    distance_um: float | None
    positions: PositionFit | None
    predicted_without_partner: tuple[str, ...]

    @property
    def matched_by(self) -> str:
        """The way as a sentence names it: "name", "array position", "nearest centre"."""
        return MATCHED_BY[self.way]

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        names = ("orientation", "tolerance_um", "matched", "predicted", "measured", "share")
        found: dict[str, Any] = {name: getattr(self, name) for name in names}
        if self.positions is None:
            found["positions"] = "not given on both sides; matched by name or array position alone"
        else:
            found |= {"distance_um": self.distance_um, "positions": asdict(self.positions)}
        found |= {"way": self.way, "way_in_words": self.matched_by}
        return found | {"predicted_without_partner": list(self.predicted_without_partner)}


@dataclass(frozen=True, slots=True)
class CountsRecord:
    """The raw counts of a comparison.

    Attributes
    ----------
    genes, panel_genes : int
        Genes over which a spot's total is taken (all that were measured, where the scale goes by those), and genes of
        the model.
    spots_without_counts : int
    median_per_spot : float
    """

    genes: int
    panel_genes: int
    spots_without_counts: int
    median_per_spot: float


@dataclass(frozen=True, slots=True)
class ScaleRecord:
    """What measured values were brought to the model's scale from.

    Attributes
    ----------
    scale : str
        The model's.
    layer : str or None
        Of the measured data; None: X.
    counts : CountsRecord or None
        None where the values were on the model's scale as given.
    """

    scale: str
    layer: str | None
    counts: CountsRecord | None

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        counts = self.counts
        if counts is None:
            return {"values": "on the model's scale as given", "scale": self.scale, "layer": self.layer}
        if self.scale == TOTAL_SCALE:
            over = {"total_over": f"all {counts.genes} measured genes"}
        else:
            over = {"panel_total_over": f"{counts.genes} of {counts.panel_genes} genes"}
        return {
            "values": "raw counts, brought to the model's scale",
            "scale": self.scale,
            "layer": self.layer,
            **over,
            "spots_without_counts": counts.spots_without_counts,
            "median_counts_per_spot": counts.median_per_spot,
        }


@dataclass(frozen=True, slots=True)
class ComparedModel:
    """The model whose prediction was compared."""

    name: str
    version: str
    held_out_median_pcc: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What was matched with what, and how.

    Attributes
    ----------
    measured : MeasuredSource
    model : ComparedModel
    slide : str
    spots : SpotMatch
    orientation_by_expression : dict of str to float
        Median PCC when the measured map is turned, by orientation.
    layout : str
        Of the matched spots.
    genes : GeneMatchRecord
    scale : ScaleRecord
    settings : CompareSettings
    haematoxylin : str or None
        What the haematoxylin baseline was taken from; None without it.
    versions : dict of str
        Of Python and packages.
    """

    measured: MeasuredSource
    model: ComparedModel
    slide: str
    spots: SpotMatch
    orientation_by_expression: dict[str, float]
    layout: str
    genes: GeneMatchRecord
    scale: ScaleRecord
    settings: CompareSettings
    haematoxylin: str | None
    versions: dict[str, str]

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        by_expression = {"orientation_by_expression": self.orientation_by_expression, "layout": self.layout}
        found = {
            "measured": self.measured.to_record(),
            "model": asdict(self.model),
            "slide": self.slide,
            "spots": self.spots.to_record() | by_expression,
            "genes": self.genes.to_record(),
            "scale": self.scale.to_record(),
            "settings": to_record(self.settings),
            "haematoxylin": self.haematoxylin,
            "versions": self.versions,
        }
        return _without(found, "haematoxylin")


@dataclass(frozen=True, slots=True)
class Median:
    """A median over genes with its 95 % interval; None for what is missing."""

    median: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class BootstrapRecord:
    """The samples that intervals come from: how many, of how many blocks of spots."""

    draws: int
    blocks: int


@dataclass(frozen=True, slots=True)
class NullRecord:
    """What p-values compare with: kind and number of the shifts, and the smallest p that they can give."""

    kind: NullKind
    shifts: int
    smallest_p: float

    @property
    def shifts_text(self) -> str:
        """The kind as a sentence names it after a number: "toroidal shifts", "random toroidal shifts"."""
        return "toroidal shifts" if self.kind == "all-shifts" else "random toroidal shifts"

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        kind = f"all {self.shifts_text}" if self.kind == "all-shifts" else self.shifts_text
        return {"kind": kind, "shifts": self.shifts, "smallest_p": self.smallest_p}


@dataclass(frozen=True, slots=True)
class DomainAgreement:
    """How far the domains of predicted and of measured expression agree.

    Attributes
    ----------
    n_predicted, n_measured : int
    ari : float
        Adjusted Rand index (Hubert and Arabie 1985).
    nmi : float
        Normalised mutual information.
    ari_shifted, p : float or None
        Mean over random toroidal shifts, and one-sided p against these; None without any.
    shifts : int
    ari_of : dict of str to float
        Of every baseline, cut into as many equal parts as there are measured domains.
    """

    n_predicted: int
    n_measured: int
    ari: float
    nmi: float
    ari_shifted: float | None
    p: float | None
    shifts: int
    ari_of: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """The figures of a whole comparison.

    Attributes
    ----------
    n_spots : int
    n_genes : int
        That vary in the measurement.
    genes_constant_in_measurement : int
    medians : dict of str to Median
        By column of the table of genes.
    bootstrap : BootstrapRecord
    null : NullRecord
    genes_significant : int
        At a false discovery rate of 5 %.
    genes_significant_depth_controlled : int or None
        None where depth is unknown.
    domains : DomainAgreement or None
        None where they were not asked for.
    """

    n_spots: int
    n_genes: int
    genes_constant_in_measurement: int
    medians: dict[str, Median]
    bootstrap: BootstrapRecord
    null: NullRecord
    genes_significant: int
    genes_significant_depth_controlled: int | None
    domains: DomainAgreement | None

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        found = asdict(self) | {"null": self.null.to_record()}
        return _without(found, "genes_significant_depth_controlled", "domains")


def _without(record: Mapping[str, Any], *optional: str) -> dict[str, Any]:
    """Return a record without those of the named entries that are None."""
    return {name: value for name, value in record.items() if value is not None or name not in optional}
