"""The grid of spots that is laid over a slide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_tcgn.options.declaration import check, option, require

LayoutName = Literal["st", "visium", "visium-hd", "square", "hex"]

# Centre-to-centre distance and spot diameter in µm of the named layouts (10x Genomics; Ståhl et al. 2016).
# Visium HD: adjoining square bins, of 8 µm unless said otherwise; a bin's "diameter" is its side.
LAYOUTS: dict[str, tuple[float, float]] = {"st": (200.0, 100.0), "visium": (100.0, 55.0), "visium-hd": (8.0, 8.0)}
BINS = "visium-hd"  # the layout whose spots are adjoining squares
# The later ST arrays, of 1,934 spots on the places of a chessboard, corner to corner (Ji et al. 2020).
CHESSBOARD = (150.0, 110.0)
BIN_SIDES = (2.0, 8.0, 16.0)  # µm, the bins that Space Ranger writes
HEXAGONAL = ("visium", "hex")

_FARTHEST = 1_000_000  # µm
_SIZES = (1, 10_000)  # µm


@dataclass(frozen=True, slots=True)
class GridSettings:
    """A grid of spots laid over a slide; every field is declared with its meaning (docs/options.md)."""

    layout: LayoutName = option(
        "st",
        "Instead of --spots: a grid of this layout over the tissue.",
        "--grid",
        more="A named array, or a custom lattice (square, hex), which needs pitch and diameter.",
    )
    pitch_um: float | None = option(
        None,
        "Centre-to-centre distance; by default the layout's.",
        more="Visium HD has square bins: the pitch is their side (2, 8 or 16 µm).",
        unit="µm", label="pitch", above=0, form=_SIZES, decimals=1,
    )  # fmt: skip
    diameter_um: float | None = option(
        None, "Spot diameter; by default the layout's.", unit="µm", label="spot", above=0, form=_SIZES, decimals=1
    )
    origin_x_um: float | None = option(
        None,
        "X of the first spot; by default half a pitch.",
        more="From the slide's left edge to the centre.",
        unit="µm", label="x", form=(-_FARTHEST, _FARTHEST), decimals=2,
    )  # fmt: skip
    origin_y_um: float | None = option(
        None,
        "Y of the first spot; by default half a pitch.",
        more="From the slide's upper edge to the centre.",
        unit="µm", label="y", form=(-_FARTHEST, _FARTHEST), decimals=2,
    )  # fmt: skip
    rotation_deg: float = option(
        0.0,
        "Clockwise rotation.",
        more="Of the lattice around its first spot.",
        unit="°", label="rotation", form=(-180, 180), decimals=2,
    )  # fmt: skip
    tissue_only: bool = option(
        True,
        "Only on tissue, or everywhere.",
        "--tissue-only/--whole-slide",
        more="Bare glass and the ink of a pen are no tissue.",
        label="only on tissue, at least",
    )
    min_tissue_fraction: float = option(
        0.5, "Share of a spot that must be tissue.", at_least=0, at_most=1, form=(0, 1), decimals=2
    )
    tissue_threshold: float | None = option(
        None,
        "Optical density above which a pixel is tissue; by default chosen.",
        more="By Otsu's method, for each slide.",
        label="darker than", above=0, form=(0.02, 1), decimals=2, if_none="auto",
    )  # fmt: skip

    def __post_init__(self) -> None:
        check(self)
        for name in ("pitch_um", "diameter_um"):
            value = getattr(self, name)
            require(value is not None or self.layout in LAYOUTS, name, "given for a custom lattice", value)
        if self.layout == "visium-hd":
            require(self.pitch in BIN_SIDES, "pitch_um", "2, 8 or 16 for the bins of visium-hd", self.pitch_um)
            require(
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
