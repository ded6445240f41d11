"""What of a result is exported."""

from __future__ import annotations

from dataclasses import dataclass

from napari_tcgn.options.declaration import check, option

# Of every command that opens a slide.
MPP_HELP = "µm per full-resolution pixel of the slide; by default what its file says."


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
    library: str | None = option(None, "Which section, where the file holds several.")
    mpp: float | None = option(None, MPP_HELP, unit="µm", above=0)

    def __post_init__(self) -> None:
        check(self)
