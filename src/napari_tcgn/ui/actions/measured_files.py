"""Which files of a measured section belong together: the sample's, and counts with the table of their spots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_tcgn.errors import DataError
from napari_tcgn.sample import SampleSection, sample_section
from napari_tcgn.spots import StSource, is_count_table, selection_beside

if TYPE_CHECKING:
    from napari_tcgn.slide import Slide
    from napari_tcgn.ui.layers.store import Result


def sample_of(slide: Slide | None) -> SampleSection | None:
    """Return the files of the sample section if a slide is its image; else None."""
    if slide is None or slide.path is None:
        return None
    try:
        sample = sample_section()
    except DataError:  # an installation without it
        return None
    return sample if slide.path.resolve() == sample.image.resolve() else None


def spots_of_counts(counts: Path, result: Result, chosen: Path | None) -> tuple[Path | None, str]:
    """Return the table that says where the spots of a count table lie, and what is to be said of it.

    It is the one that was chosen, or that the result was predicted on, or that lies beside the counts. None where
    there is none, or the counts say it themselves: they are then compared by the names of their spots.
    """
    if not is_count_table(counts):
        return None, ""
    if chosen is not None:
        return chosen, ""
    if result.spots_file is not None and isinstance(result.spots.source, StSource):
        table, which = result.spots_file, "the table that was predicted on"
    elif (beside := selection_beside(counts)) is not None:
        table, which = beside, "which lies beside it"
    else:
        return None, ""
    return table, f"Where the spots of {counts.name} lie is taken from {table.name}, {which}."
