"""Sections of one's own: a table that names slide and measured counts of each, in any of three layouts.

`sections.csv` has the columns section, patient, image, counts, and may have spots, mpp, diameter_um and pitch_um.
`counts` is an .h5ad (raw counts, obs array_row and array_col, obsm["spatial"] in full-resolution px), the folder of a
Visium section (Space Ranger 1 or 2), or a legacy ST table (.tsv or .tsv.gz) whose spot table stands in `spots`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_tcgn.errors import DataError
from napari_tcgn.options import LAYOUTS
from napari_tcgn.spots import Spots
from napari_tcgn.training.data.section import Section

if TYPE_CHECKING:
    from anndata import AnnData

MANIFEST = "sections.csv"
REQUIRED = ("section", "patient", "image", "counts")
OPTIONAL = ("spots", "mpp", "diameter_um", "pitch_um")
MATRIX = "filtered_feature_bc_matrix.h5"


def read_manifest(folder: Path) -> list[Section]:
    """Read the sections of a folder's sections.csv; paths in it are relative to the folder.

    Raises
    ------
    DataError
        If a column is missing or unknown, a section is named twice, or a file it names does not exist.
    """
    path = folder / MANIFEST
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}.", "Save it as plain CSV.") from error
    unknown = sorted(set(table.columns) - {*REQUIRED, *OPTIONAL})
    missing = [name for name in REQUIRED if name not in table.columns]
    if missing or unknown or not len(table):
        what = f"lacks {missing}" if missing else f"has unknown columns {unknown}" if unknown else "has no rows"
        raise DataError(f"{path} {what}.", f"Its columns are {', '.join(REQUIRED)}; optional: {', '.join(OPTIONAL)}.")
    repeated = table["section"][table["section"].duplicated()]
    if len(repeated):
        raise DataError(f"{path} names section {repeated.iloc[0]!r} twice.", "Give every section a name of its own.")
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
        sections.append(Section(name, str(row["patient"]), image, counts, files["spots"], mpp, diameter, pitch))
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


def read_measured(section: Section) -> tuple[pd.DataFrame, Spots]:
    """Return raw counts (spots x genes) and spots of a section, whichever layout they have.

    Raises
    ------
    DataError, SpotsError
        If a file is not what it should be, or the values are no raw counts.
    """
    from napari_tcgn.spots import read_st_counts, read_st_spots

    counts = section.counts
    if counts.is_dir():
        return _read_visium(section)
    if counts.suffix == ".h5ad":
        return _read_h5ad(section)
    if section.spots is None:
        raise DataError(
            f"Section {section.name}: {counts.name} is a legacy ST table, but no spot table is named.",
            f"Give the column spots in {MANIFEST}.",
        )
    return read_st_counts(counts), _as_said(section, read_st_spots(section.spots))


def _read_h5ad(section: Section) -> tuple[pd.DataFrame, Spots]:
    import anndata

    hint = "Save raw counts with obs array_row and array_col and obsm['spatial'] in full-resolution px."
    try:
        adata = anndata.read_h5ad(section.counts)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{section.counts} is no readable .h5ad: {error}.", hint) from error
    lacking = [f"obs[{key!r}]" for key in ("array_row", "array_col") if key not in adata.obs]
    if "spatial" not in adata.obsm:
        lacking.append("obsm['spatial']")
    if lacking:
        raise DataError(f"{section.counts} lacks {' and '.join(lacking)}.", hint)
    place = np.asarray(adata.obsm["spatial"], dtype=float)  # [n, 2]: x, y
    return _table(adata, section), _spots(section, adata, place)


def _read_visium(section: Section) -> tuple[pd.DataFrame, Spots]:
    import scanpy

    from napari_tcgn.spots import read_visium

    folder = section.counts
    matrix = folder / MATRIX
    if not matrix.is_file():
        raise DataError(f"{folder} is no Visium folder: it lacks {MATRIX}.", "Give the outs folder of Space Ranger.")
    spots = read_visium(folder)
    try:
        adata = scanpy.read_10x_h5(matrix)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{matrix} cannot be read: {error}.", "Copy the file again.") from error
    row_of = {name: row for row, name in enumerate(spots.ids.tolist())}
    missing = [name for name in adata.obs_names if name not in row_of]
    if missing:
        raise DataError(
            f"{len(missing)} barcodes of {matrix} are not among the spots on tissue of {spots.source['positions']} "
            f"(first: {missing[0]}).",
            "Take both from the same section.",
        )
    spots = spots.select(np.array([row_of[name] for name in adata.obs_names], dtype=np.intp))
    return _table(adata, section), _as_said(section, spots)


def _as_said(section: Section, spots: Spots) -> Spots:
    """Return spots of the pitch and diameter that the section's own table says, where it says them."""
    pitch, diameter = section.pitch_um or spots.pitch_um, section.diameter_um or spots.diameter_um
    return replace(spots, pitch_um=pitch, diameter_um=diameter)


def _table(adata: AnnData, section: Section) -> pd.DataFrame:
    """Return raw counts as a table; log-transformed or normalised values are refused, repeated genes added up."""
    values = adata.X.toarray() if hasattr(adata.X, "toarray") else np.asarray(adata.X)
    if not np.isfinite(values).all() or (values < 0).any() or (values != np.round(values)).any():
        raise DataError(
            f"{section.counts} of section {section.name} does not hold raw counts: there are values such as "
            f"{values[~(np.isfinite(values) & (values >= 0) & (values == np.round(values)))][0]:g}.",
            "Save the counts as they were measured, neither normalised nor log-transformed.",
        )
    table = pd.DataFrame(values, index=adata.obs_names.astype(str), columns=adata.var_names.astype(str))
    return table.T.groupby(level=0, sort=False).sum().T if table.columns.has_duplicates else table


def _spots(section: Section, adata: AnnData, place: np.ndarray) -> Spots:
    row, col = (adata.obs[key].to_numpy() for key in ("array_row", "array_col"))
    # On a hexagonal array every second column is used in each row.
    hexagonal = bool(np.all((row + col) % 2 == (row[0] + col[0]) % 2)) and len(np.unique(col % 2)) == 2
    layout = "visium" if hexagonal else "st"
    pitch, diameter = LAYOUTS[layout]
    spots = Spots(
        ids=adata.obs_names.to_numpy(dtype=str),
        x=place[:, 0],
        y=place[:, 1],
        array_row=row,
        array_col=col,
        diameter_um=diameter,
        pitch_um=pitch,
        layout=layout,
        source={"file": section.counts.name},
    )
    return _as_said(section, spots)
