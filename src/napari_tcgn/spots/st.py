"""Legacy Spatial Transcriptomics: selection (alignment) tables."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SpotsError
from napari_tcgn.options import CHESSBOARD, LAYOUTS
from napari_tcgn.spots.lattice import is_chessboard
from napari_tcgn.spots.names import same_names
from napari_tcgn.spots.source import StSource
from napari_tcgn.spots.table import LARGEST, Spots
from napari_tcgn.spots.text import as_flags, as_numbers, read_text_table

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("x", "y", "pixel_x", "pixel_y")
COLUMNS = (*NEEDED, "new_x", "new_y", "selected")
# Fewer matching spots than this share of a selection table: the counts are those of another section.
MIN_MATCHED = 0.5
# Less than this share of the smaller of the two tables in the other one: likewise.
MIN_CONTAINED = 0.9


def read_st_spots(selection_tsv: str | Path, counts: pd.DataFrame | None = None) -> Spots:
    """Read the spots of a legacy ST section from its selection (alignment) table.

    Parameters
    ----------
    selection_tsv : str or pathlib.Path
        Tab-separated, or as a spreadsheet saves it, with columns x, y (array position), pixel_x, pixel_y (px of the
        full-resolution image) and,
        where the table also lists spots off the tissue, selected (only rows with 1 are kept).
    counts : pandas.DataFrame [spots, genes], optional
        Counts of the same section: only spots that have counts are kept, in the selection table's order.

    Returns
    -------
    Spots
        ids are "<x>x<y>" of the rounded array position, which is how count tables name them; array_col is x,
        array_row is y. Pitch and diameter are those of the array of 1,007 spots (200 and 100 µm), or where only the
        fields of one colour of a chessboard are taken, of that of 1,934 spots (150 and 110 µm; layout "custom").
        `source` tells how many rows were left out and, where the table follows the usual
        arithmetic of the 33 x 35 array, the size of the image that it was made for.

    Raises
    ------
    SpotsError
        If the file is missing or no such table, no spot is selected, a coordinate is not a number, two rows are the
        same spot, or fewer than half of the spots are in `counts`.
    """
    path = Path(selection_tsv)
    table = _read_table(path)
    missing = [name for name in NEEDED if name not in table]
    if missing:
        raise SpotsError(
            f"{path.name} is not an ST selection table: it has no column {', '.join(missing)}.",
            f"It must be tab-separated with the columns {', '.join(NEEDED)} (and selected).",
        )
    source = StSource(file=path.name, rows=len(table))
    layout, (pitch, diameter) = "st", LAYOUTS["st"]
    if is_chessboard(*(np.rint(_numbers(table, name, path)).astype(np.int64) for name in ("y", "x"))):
        layout, (pitch, diameter) = "custom", CHESSBOARD
    if "selected" in table:
        chosen = _selected(table, path)
        source = replace(source, not_selected=int((~chosen).sum()))
        table = table[chosen]
    if len(table) == 0:
        raise SpotsError(
            f"{path.name} selects no spot ({source.rows} rows).",
            "Mark spots on tissue with selected = 1.",
        )
    x, y, pixel_x, pixel_y = (_numbers(table, name, path) for name in NEEDED)
    # Half to even, as numpy and Python round: the rule by which count tables name their rows.
    col, row = np.rint(x).astype(np.int64), np.rint(y).astype(np.int64)
    ids = np.array([f"{c}x{r}" for c, r in zip(col, row, strict=True)])
    size = _image_size(table, pixel_x, pixel_y)
    source = replace(source, image_size=size)
    spots = Spots(ids, pixel_x, pixel_y, row, col, diameter, pitch, layout, source=source)
    return spots if counts is None else with_counts(spots, counts.index, path.name)


def same_section(spots: Collection[str], counted: Collection[str]) -> bool:
    """Tell by the names of spots whether a table of spots and a table of counts can be of one section.

    One of them holds the other, but for a few spots: counts of spots without tissue or of poor quality are often left
    out, or all spots of the array listed. Two sections of one array type have many names in common too (up to 84 % of
    the HER2+ sections of one patient), and each has others besides.
    """
    of_spots, of_counts = set(map(str, spots)), set(map(str, counted))
    common = len(of_spots & of_counts)
    smaller = min(len(of_spots), len(of_counts))
    strangers = max(1.0, (1 - MIN_CONTAINED) * smaller)  # a single one says nothing of a small table
    return common >= MIN_MATCHED * len(of_spots) and smaller - common <= strangers


def with_counts(spots: Spots, counted: Collection[str], name: str) -> Spots:
    """Return the spots that have counts, named in `counted`; `source.without_counts` tells how many have none.

    Raises
    ------
    SpotsError
        If the two are of different sections (`same_section`).
    """
    counted, _ = same_names(list(counted), spots.ids)  # the comparison that follows tells it
    known = np.isin(spots.ids, counted)
    if not same_section(spots.ids, counted):
        raise SpotsError(
            f"Only {known.sum()} of the {len(spots)} spots in {name} have counts, and {len(counted) - known.sum()} of "
            f"the {len(counted)} spots with counts are not in it: the count table belongs to another section.",
            "Give the count table and the selection table of the same section.",
        )
    source = replace(spots.source, without_counts=int((~known).sum()))
    return replace(spots.select(known), source=source)


def _image_size(table: pd.DataFrame, *pixels: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return width and height in px of the image that a table was made for, or None where it does not tell.

    Tables of the 33 x 35 array hold pixel_x = width / 32 * (new_x - 1) and pixel_y = height / 34 * (new_y - 1), in
    which the size of the image can be read again to a fraction of a px.
    """
    if not {"new_x", "new_y"} <= set(table.columns) or len(table) < 20:
        return None
    size = []
    for name, steps, pixel in zip(("new_x", "new_y"), (32, 34), pixels, strict=True):
        position = as_numbers(table[name]) - 1
        if not np.isfinite(position).all() or np.ptp(position) < 2:
            return None
        slope, offset = np.polyfit(position, pixel, 1)
        # Both the line through the origin and the fit must hold, or the table was made by other arithmetic.
        if slope <= 0 or abs(offset) > 0.02 * slope or np.abs(position * slope + offset - pixel).max() > 0.02 * slope:
            return None
        size.append(round(float(slope * steps), 1))
    return size[0], size[1]


def _selected(table: pd.DataFrame, path: Path) -> NDArray[np.bool_]:
    try:
        return as_flags(table["selected"])
    except ValueError as error:
        raise SpotsError(
            f"{path.name}: column selected: {error}.", "Write 1 for the spots on tissue, 0 else."
        ) from error


def _numbers(table: pd.DataFrame, name: str, path: Path) -> NDArray[np.float64]:
    values = as_numbers(table[name])
    bad = ~np.isfinite(values) if name.startswith("pixel") else ~(np.abs(values) <= LARGEST)  # NaN is none either
    if bad.any():
        raise SpotsError(
            f"{path.name}: {bad.sum()} of {len(values)} spots have no number in column {name} "
            f"(first: data row {int(table.index[bad][0]) + 1}, found {_shown(table[name].to_numpy()[bad][0])}).",
            "Remove these rows or fill in their positions.",
        )
    return values


def _shown(cell: object) -> str:
    return repr(cell) if isinstance(cell, str) else "nothing" if cell != cell else str(cell)


def _read_table(path: Path) -> pd.DataFrame:
    """Return the table; every way in which a file can be unreadable ends here."""
    if not path.is_file():
        raise SpotsError(f"The table {path} does not exist.", "Check its name and folder.")
    try:
        return read_text_table(path, COLUMNS)
    except (OSError, EOFError, ValueError, zlib.error) as error:  # ValueError: pandas' parser errors, decoding
        raise SpotsError(f"The table {path.name} cannot be read: {error}.", "Copy or download it again.") from error
