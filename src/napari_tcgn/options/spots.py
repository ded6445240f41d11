"""How the spots of a file are taken."""

from __future__ import annotations

from dataclasses import dataclass

from napari_tcgn.options.declaration import check, option


@dataclass(frozen=True, slots=True)
class SpotsSettings:
    """How the spots of a file are taken; every field is declared with its meaning (docs/options.md)."""

    library: str | None = option(
        None,
        "Section to take from an .h5ad that holds several: its library id.",
        more="As in obs['library_id'] and uns['spatial'], or in the column that tells them apart. Not needed where all "
        "spots are of one section.",
    )
    trust_spots: bool = option(
        False,
        "Take the spots as they are, though they contradict the slide.",
        more="Their array implies another µm per pixel, is mirrored, or most of them miss the tissue: without this "
        "they are refused, with it the record of the run warns of it.",
        label="trust the spots",
    )

    def __post_init__(self) -> None:
        check(self)
