"""Sections of one's own: a table that names slide and measured counts of each, in any of three layouts.

`sections.csv` has the columns section, patient, image, counts, and may have spots, layer, mpp, diameter_um, pitch_um.
`counts` is an .h5ad (raw counts in X or the `layer`, obs array_row and array_col, obsm["spatial"] in full-resolution
px), the folder or matrix of a Visium section (Space Ranger 1 or later), or a legacy ST table (.tsv or .tsv.gz) whose
spot table stands in `spots`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_tcgn.errors import DataError, TcgnError
from napari_tcgn.files import cells_of, open_table, reading
from napari_tcgn.options import LAYOUTS
from napari_tcgn.paths import portable_name
from napari_tcgn.spots import Spots, is_count_table, read_spots, same_names
from napari_tcgn.training.data.section import SectionFiles

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_tcgn.expression import Counts

MANIFEST = "sections.csv"
REQUIRED = ("section", "patient", "image", "counts")
OPTIONAL = ("spots", "layer", "mpp", "diameter_um", "pitch_um")


def read_manifest(folder: Path) -> list[SectionFiles]:
    """Read the sections of a folder's sections.csv; paths in it are relative to the folder.

    Raises
    ------
    DataError
        If a column is missing or unknown, a section is named twice, or a file it names does not exist.
    """
    path = folder / MANIFEST
    with reading(str(path), DataError, "Save it as plain CSV."):
        with open_table(path) as text:
            names, separator = cells_of(text.readline())
        with open_table(path) as text:
            table = pd.read_csv(text, sep=separator, dtype=str, keep_default_na=False, skipinitialspace=True)
        table.columns = pd.Index(names)
        filled = table.to_numpy(dtype=object) != ""  # spreadsheets leave rows and columns without anything in them
        named = np.array([bool(name) for name in names])
        table = table.loc[filled.any(axis=1), filled.any(axis=0) | named]
    unknown = sorted(set(table.columns) - {*REQUIRED, *OPTIONAL})
    missing = [name for name in REQUIRED if name not in table.columns]
    if missing or unknown or not len(table):
        what = f"lacks {missing}" if missing else f"has unknown columns {unknown}" if unknown else "has no rows"
        raise DataError(f"{path} {what}.", f"Its columns are {', '.join(REQUIRED)}; optional: {', '.join(OPTIONAL)}.")
    # Their runs lie in folders of these names, and Windows and macOS do not tell "a1" from "A1".
    repeated = table["section"][table["section"].map(lambda name: portable_name(name).casefold()).duplicated()]
    if len(repeated):
        raise DataError(
            f"{path} names section {repeated.iloc[0]!r} twice.",
            "Give every section a name of its own, which differs in more than capitals.",
        )
    for name, patient in zip(table["section"], table["patient"], strict=True):
        others = table["section"][(table["patient"].str.lower() == name.lower()) & (table["section"] != name)]
        if len(others):
            raise DataError(
                f"{path}: {name!r} is a section (of {patient}) and also a patient with section {others.iloc[0]!r}.",
                "Name them apart: a fold is called by the name of either.",
            )
    sections = []
    for row in table.to_dict(orient="records"):
        name = str(row["section"])
        files = {key: folder / row[key] if row.get(key) else None for key in ("image", "counts", "spots")}
        image, counts = files["image"], files["counts"]
        if image is None or counts is None or not name or not row["patient"]:
            raise DataError(f"{path}: section {name!r} has an empty entry.", f"Fill in {', '.join(REQUIRED)}.")
        for file in files.values():
            if file is not None and not file.exists():
                raise DataError(f"{path}: {file} of section {name} does not exist.", "Correct the path.")
        mpp, diameter, pitch = (
            _number(row.get(key, ""), f"{path}: {key} of section {name}") for key in ("mpp", "diameter_um", "pitch_um")
        )
        layer = str(row["layer"]) if row.get("layer") else None
        patient = str(row["patient"])
        sections.append(SectionFiles(name, patient, image, counts, files["spots"], mpp, diameter, pitch, layer=layer))
    return sections


def _number(text: str, what: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise DataError(f"{what} is {text!r}.", "Give a positive number, or leave it empty.")
    return value


def counts_and_spots(section: SectionFiles) -> tuple[Counts, Spots]:
    """Read raw counts and spots of a section, whichever layout they have.

    Raises
    ------
    DataError, SpotsError
        If a file is not what it should be, or the values are no raw counts; the message names the section.
    """
    try:
        places = section.spots or _places(section.counts)
        counts = _counts(section)
        pitch, diameter = section.pitch_um or LAYOUTS["st"][0], section.diameter_um or LAYOUTS["st"][1]
        spots = read_spots(places, section.mpp, pitch, diameter)
        counts.table.index, note = same_names(counts.table.index, spots.ids)
        counts = replace(counts, notes=(*counts.notes, *((note,) if note else ())))
        if section.spots is None:  # both are of one file or folder, which may hold counts of some spots only
            spots = spots.select(np.isin(spots.ids, counts.table.index.to_numpy(dtype=np.str_)))
    except TcgnError as error:
        raise type(error)(f"Section {section.name}: {error.problem}", error.hint) from error
    return counts, _as_said(section, spots)


def _counts(section: SectionFiles) -> Counts:
    """Read the raw counts of a section; a plain table needs no AnnData."""
    from napari_tcgn.expression import counts_table, read_counts, read_measured, source_of

    if section.spots is not None and section.layer is None and is_count_table(section.counts):
        return read_counts(section.counts)
    measured = read_measured(section.counts)
    if section.spots is None:
        _require_array(measured, section.counts)
    counts = counts_table(measured, section.layer)
    return replace(counts, notes=(*source_of(measured).notes, *counts.notes))


def _places(counts: Path) -> Path:
    """Return where the places of counts stand: in the same file or folder, or in a table of positions beside it."""
    from napari_tcgn.expression import positions_beside

    if not counts.is_file() or counts.suffix == ".h5ad":
        return counts
    found = positions_beside(counts)
    if found is None:
        raise DataError(
            f"{counts.name} has no positions of spots, and no spot table is named.",
            f"Give the column spots in {MANIFEST}: an ST selection table, or a Visium folder or table of positions.",
        )
    return found


def _require_array(measured: AnnData, path: Path) -> None:
    """Refuse counts without places on an array, which spatial blocks need."""
    lacking = [f"obs[{key!r}]" for key in ("array_row", "array_col") if key not in measured.obs]
    if "spatial" not in measured.obsm:
        lacking.append("obsm['spatial']")
    if lacking:
        raise DataError(
            f"{path.name} lacks {' and '.join(lacking)}.",
            "Save raw counts with obs array_row and array_col and obsm['spatial'] in full-resolution px.",
        )


def _as_said(section: SectionFiles, spots: Spots) -> Spots:
    """Return spots of the pitch and diameter that the section's own table says, where it says them."""
    pitch, diameter = section.pitch_um or spots.pitch_um, section.diameter_um or spots.diameter_um
    return replace(spots, pitch_um=pitch, diameter_um=diameter)
