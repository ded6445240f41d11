"""What of a result is exported."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from napari_tcgn.options.declaration import check, option, require

StyleName = Literal["discs", "half-transparent", "rings", "surface"]

# Of every command that opens a slide.
MPP_HELP = "µm per full-resolution pixel of the slide; by default what its file says."


_LIMITS = "two numbers with a comma between them, the lower one first"


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """What of a result is exported; every field is declared with its meaning (docs/options.md)."""

    genes: str = option(
        "",
        "all, trusted, or names with commas; by default trusted for .geojson and figures, else all.",
        more="Trusted are those that the model's held-out figures call predictable.",
    )
    top: int = option(50, "Largest number of trusted genes, best first.", at_least=1)
    tidy: bool = option(
        False,
        "Tables: a row per spot and gene, or a column per gene.",
        "--tidy/--wide",
        label="one row per spot and gene",
    )
    formulas: bool = option(
        False,
        ".csv: names as they are, also such as =1+1, which a spreadsheet computes.",
        "--formulas/--no-formulas",
        more="By default an apostrophe before them makes text of them.",
        label="names as they are, also formulas",
    )
    interval: int = option(
        0,
        "Also the bounds between which so many of the measurements are to lie; 0: none.",
        more="Layers low and high of .h5ad and SpatialData, columns of tables, measurements of .geojson.",
        unit="%", at_least=0, at_most=98,
    )  # fmt: skip
    library: str | None = option(None, "Which section, where the file holds several.")
    mpp: float | None = option(None, MPP_HELP, unit="µm", above=0)
    colormap: str = option("viridis", "Figures: colour map, by its name in matplotlib.", label="colour map")
    limits: str = option(
        "", 'Figures: values of the first and the last colour, such as "0,2.5"; by default they follow each gene.'
    )
    style: StyleName = option(
        "discs",
        "Figures: how values are drawn.",
        more="Rings leave the cells inside visible; a surface is the mean of the spots around each place.",
        label="drawn as",
    )
    fade: bool = option(
        False,
        "Figures: uncertain spots are faint.",
        "--fade/--no-fade",
        more="The wider the interval of the gene, the fainter; faintest where a spot is unlike the training.",
        label="fade uncertain spots",
    )
    spot_size: int = option(100, "Figures: size of the spots, of their true diameter.", unit="%", at_least=1)
    bandwidth: float = option(
        0.5, "Figures: standard deviation of the surface's Gaussian.", unit="pitches", above=0, decimals=1
    )
    dim: int = option(
        65, "Figures: how much of the slide under a map is hidden by white.", unit="%", at_least=0, at_most=100
    )

    def __post_init__(self) -> None:
        check(self)
        require(not 0 < self.interval < 20, "interval", "0, or from 20 to 98", self.interval)
        low_and_high = self.limits_of_figure()
        require(low_and_high is None or low_and_high[0] < low_and_high[1], "limits", _LIMITS, self.limits)

    def limits_of_figure(self) -> tuple[float, float] | None:
        """Return the values of the first and the last colour; None: they follow each gene.

        Raises
        ------
        SettingsError
            If `limits` are not two numbers.
        """
        if not self.limits:
            return None
        try:
            low, high = (float(part) for part in self.limits.split(","))
        except ValueError:
            low = high = math.nan
        require(math.isfinite(low) and math.isfinite(high), "limits", _LIMITS, self.limits)
        return low, high
