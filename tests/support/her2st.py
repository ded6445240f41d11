"""Sections as files in the layout of the her2st data set: a picture, a table of spots, a table of counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from PIL import Image

SELECTION = "x\ty\tnew_x\tnew_y\tpixel_x\tpixel_y\tselected"


def write_selection(path: Path, places: Sequence[tuple[int, int, float, float]]) -> None:
    """Write the table of spots from (column, row, x, y): places in the array and full-resolution pixels."""
    # Printed spots lie a little off their array, as in the real tables.
    rows = [f"{c + 0.04}\t{r - 0.04}\t{c}\t{r}\t{x:.2f}\t{y:.2f}\t1" for c, r, x, y in places]
    path.write_text("\n".join([SELECTION, *rows]) + "\n")


def write_counts(path: Path, counts: dict[tuple[int, int], Sequence[int]], genes: Sequence[str]) -> None:
    """Write the counts of the spots at (column, row), packed if the name ends in .gz."""
    table = pd.DataFrame.from_dict({f"{c}x{r}": row for (c, r), row in counts.items()}, orient="index", columns=genes)
    table.to_csv(path, sep="\t")


def write_section(
    root: Path,
    name: str,
    picture: Image.Image,
    places: Sequence[tuple[int, int, float, float]],
    counts: dict[tuple[int, int], Sequence[int]],
    genes: Sequence[str],
    picture_name: str = "HE.png",
    packed: bool = True,
) -> None:
    """Add a section, whose name begins with its patient's letter, to the data set below `root`."""
    images, spots, tables = root / "ST-imgs" / name[0] / name, root / "ST-spotfiles", root / "ST-cnts"
    for folder in (images, spots, tables):
        folder.mkdir(parents=True, exist_ok=True)
    picture.save(images / picture_name, quality=92)
    write_selection(spots / f"{name}_selection.tsv", places)
    write_counts(tables / (f"{name}.tsv.gz" if packed else f"{name}.tsv"), counts, genes)
