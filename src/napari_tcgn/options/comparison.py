"""How predicted expression is compared with measured expression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_tcgn.options.declaration import check, option

MatchName = Literal["auto", "ids", "array", "nearest"]
ValuesName = Literal["counts", "model-scale"]
BulkScale = Literal["linear", "log"]
NullKind = Literal["all-shifts", "random-shifts"]
NullName = Literal["auto", NullKind]
OrientationName = Literal[
    "upright", "mirrored-x", "mirrored-y", "rotated-180", "transposed", "rotated-90", "rotated-270", "antitransposed"
]


@dataclass(frozen=True, slots=True)
class CompareSettings:
    """How predicted is compared with measured; every field is declared with its meaning (docs/options.md)."""

    match: MatchName = option(
        "auto",
        "How spots find each other; a way named here is taken in spite of contradictions.",
        more='By name, by array position, or one to one by nearest centre. "auto" takes the first that applies and '
        "refuses what contradicts it; for a way that is named such contradictions are warnings.",
    )
    tolerance_um: float | None = option(
        None, "How far two centres may lie apart; by default a quarter of the pitch.", unit="µm", above=0
    )
    min_matched: float | None = option(
        None,
        "Share of the smaller set of spots that must match; by default 0.9, nearest centres 0.5.",
        more="Names and array positions are the same on every array, so that more must match.",
        above=0, at_most=1,
    )  # fmt: skip
    orientation: OrientationName = option(
        "upright",
        "What was done to the measured positions; it is undone.",
        more='Relative to the slide: "upright" (nothing), "transposed" (x and y swapped), "mirrored-x" (left and right '
        'swapped), "mirrored-y", "rotated-90" (clockwise) ….',
    )
    values: ValuesName = option(
        "counts",
        "What the measured file holds: raw counts, or values on the model's scale.",
        more="Counts are brought to the model's scale.",
    )
    layer: str | None = option(
        None, "Layer of a measured .h5ad that holds them, or raw for its .raw.", more="By default X."
    )
    library: str | None = option(
        None,
        "Section to take from a measured .h5ad that holds several: its library id.",
        more="Or what the column of obs says that tells them apart. Not needed where all spots are of one section.",
    )
    null: NullName = option(
        "auto",
        "Shifts of the section that p-values compare with; auto: all where there is an array.",
        more="Every toroidal shift of the array, or `permutations` random ones. All shifts need an array position of "
        "its own for every spot.",
    )
    permutations: int = option(1000, "Number of random shifts.", at_least=19)
    draws: int = option(1000, "Samples of the block bootstrap.", at_least=20)
    domains: bool = option(True, "Compare spatial domains (Leiden) and niches.")
    resolution: float = option(1.0, "Of the Leiden clustering.", above=0)
    neighbours: int = option(15, "Of a spot in the clustering's graph.", at_least=2)
    seed: int = option(0, "Seed of everything random.")

    def __post_init__(self) -> None:
        check(self)
