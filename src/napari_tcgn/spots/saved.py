"""Spots in a file of their own: a CSV table under one line of JSON."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_tcgn.errors import SpotsError
from napari_tcgn.files import open_text, write_whole
from napari_tcgn.slide import Slide
from napari_tcgn.spots.source import read_source
from napari_tcgn.spots.table import Spots
from napari_tcgn.spots.text import as_flags

MARK = "# napari-tcgn spots "
VERSION = 1
COLUMNS = ("id", "x", "y", "array_row", "array_col", "in_tissue", "tissue_fraction")
_HINT = "Save the spots again, or give another kind of spots file."


def write_spots(spots: Spots, path: str | Path, overwrite: bool = False, slide: Slide | None = None) -> None:
    """Write spots so that `read_spots` gives back the same ones, to the last digit.

    The first line is `# napari-tcgn spots`, a space and a JSON object (version, layout, diameter_um, pitch_um, source);
    below it stands a CSV table with the columns id, x, y (px of the full-resolution image), array_row, array_col,
    in_tissue (0 or 1) and tissue_fraction (empty where it was not measured).

    Parameters
    ----------
    spots : Spots
    path : str or pathlib.Path
        By custom ending in .csv, or .csv.gz, which is compressed.
    overwrite : bool
        Whether an existing file may be replaced.
    slide : Slide, optional
        The slide that they lie on: its size is kept too, so that another one is refused later.

    Raises
    ------
    OutputError
        If the path exists or cannot be written.
    """
    import pandas as pd

    path = Path(path)
    source = spots.source
    if slide is not None:
        width, height = slide.level_dimensions[0]
        source = replace(source, image_size=(float(width), float(height)), image_size_tolerance=0.0)
    assert spots.in_tissue is not None  # filled in by Spots
    head = {
        "version": VERSION,
        "layout": spots.layout,
        "diameter_um": spots.diameter_um,
        "pitch_um": spots.pitch_um,
        "source": source.to_record(),
    }
    columns = (spots.ids, spots.x, spots.y, spots.array_row, spots.array_col, spots.in_tissue.astype(np.int8))
    table = pd.DataFrame(dict(zip(COLUMNS, (*columns, spots.tissue_fraction), strict=True)))
    text = MARK + json.dumps(head, ensure_ascii=False) + "\n" + table.to_csv(index=False, lineterminator="\n")
    data = text.encode("utf-8")
    with write_whole(path, overwrite) as temporary:
        # Without the time in it, the same spots make the same file.
        temporary.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def read_saved_spots(path: str | Path) -> Spots:
    """Read spots that `write_spots` wrote.

    Raises
    ------
    SpotsError
        If the file is missing, none of these, damaged, or of a newer version.
    """
    import pandas as pd

    path = Path(path)
    try:
        with open_text(path) as file:
            head = _head(path, file.readline())
            # Ids are texts, even "007" and "NA". Python reads floats back to the last digit, pandas only since 3.1.
            exact = {"x": float, "y": float, "tissue_fraction": lambda text: float(text or "nan")}
            table = pd.read_csv(file, dtype={"id": str}, keep_default_na=False, converters=exact)
        if tuple(table.columns) != COLUMNS:
            raise ValueError(f"its columns are {', '.join(map(str, table.columns))}, not {', '.join(COLUMNS)}")
        return Spots(
            ids=table["id"].to_numpy(dtype=np.str_),
            x=table["x"].to_numpy(np.float64),
            y=table["y"].to_numpy(np.float64),
            array_row=table["array_row"].to_numpy(),
            array_col=table["array_col"].to_numpy(),
            diameter_um=float(head["diameter_um"]),
            pitch_um=float(head["pitch_um"]),
            layout=str(head["layout"]),
            in_tissue=as_flags(table["in_tissue"]),
            tissue_fraction=table["tissue_fraction"].to_numpy(np.float64),
            source=read_source(head["source"]),
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise SpotsError(f"The saved spots {path.name} cannot be read: {error}.", _HINT) from error


def _head(path: Path, line: str) -> dict[str, Any]:
    if not line.startswith(MARK):
        raise SpotsError(f"{path.name} holds no saved spots: its first line does not start with {MARK!r}.", _HINT)
    head: dict[str, Any] = json.loads(line[len(MARK) :])
    if head["version"] > VERSION:
        raise SpotsError(
            f"{path.name} was saved by a newer version (format {head['version']}, known: {VERSION}).",
            "Update napari-tcgn.",
        )
    return head
