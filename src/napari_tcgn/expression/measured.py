"""Measured expression as AnnData: the one reader of what sequencing hands over."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_tcgn.errors import DataError
from napari_tcgn.expression.matrix import is_matrix, matrix_in, read_matrix, sample_of_matrix
from napari_tcgn.files import reading
from napari_tcgn.h5ad import read_h5ad
from napari_tcgn.sdata import as_h5ad, element_at
from napari_tcgn.spots import (
    COLUMNS,
    POSITIONS,
    Spots,
    is_count_table,
    is_st_name,
    positions_files,
    read_count_table,
    read_positions,
    read_spots,
    read_st_spots,
    same_names,
    same_sample,
    sample_of,
    section_folder,
    with_counts,
)

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

UNS_MEASURED = "napari_tcgn_measured"
_KINDS = (
    "Give a count table (.tsv, .csv, .txt, also .gz), a Visium folder (Space Ranger's outs), a matrix (.h5, .mtx) or "
    "an .h5ad."
)
_COUNTS_OF = ("counts", "count", "stdata", "matrix", "expression", "filtered", "raw")  # behind a sample's name


def read_measured(path: str | Path, spots: str | Path | None = None) -> AnnData:
    """Read the measured expression of one section: the one way in, for comparison, training and the dock.

    Parameters
    ----------
    path : str or pathlib.Path
        Count table (.tsv, .csv or .txt, also .gz) whose spots are named "<x>x<y>" as those of legacy ST, or by
        barcodes; a Visium folder as Space Ranger writes it, or of Visium HD with one size of bins; the count matrix in
        it, .h5 or .mtx, or its folder; files of one sample as GEO keeps them; an .h5ad; or a SpatialData folder, of
        several tables or shapes the one that the path names (`sdata`).
    spots : str or pathlib.Path, optional
        Where the spots of a count table lie: its ST selection table, or a Visium folder or table of positions.

    Returns
    -------
    anndata.AnnData
        X as it stands in the file (raw counts are wanted; `require_counts` checks it), layers and `.raw` of an .h5ad
        beside it (`with_layer`). A gene that the file names
        twice stands there twice: whoever uses the counts sums them (`counts_table`, `GeneMatch.summed`). obs:
        array_row, array_col where known. obsm["spatial"]: float64 (x, y) in full-resolution px where known.
        uns["napari_tcgn_measured"]: kind and file names, and notes of what was changed.

    Raises
    ------
    DataError
        If the file is missing, unreadable or of none of these kinds, names a spot twice, or several samples or sizes
        of bins lie in the folder.
    SpotsError
        If the selection table or the table of positions is unreadable, or belongs to another section.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"There is no file or folder {path}.", "Check its name.")
    table = path.is_file() and is_count_table(path)
    if spots is not None and not table:
        raise DataError(f"{path.name} has positions of its own.", "Give a selection table only with an ST count table.")
    notes: list[str] = []
    with reading(path.name, DataError), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Variable names are not unique")  # they are summed later
        adata, kind = _read(path, spots, table, notes)
    if not adata.obs_names.is_unique:
        raise repeated_spots(adata.obs_names, path.name)
    source: dict[str, Any] = {"kind": kind, "file": path.name}
    if spots is not None:
        source["spots_file"] = Path(spots).name
    adata.uns[UNS_MEASURED] = source | ({"notes": notes} if notes else {})
    return adata


def _read(path: Path, spots: str | Path | None, table: bool, notes: list[str]) -> tuple[AnnData, str]:
    if path.is_dir() and element_at(path) is not None:
        with as_h5ad(path) as file:
            return read_h5ad(file), "SpatialData"
    if path.is_dir():
        matrix = matrix_in(section_folder(path, DataError))
        return _placed(read_matrix(matrix), matrix, notes), "Visium folder"
    if path.suffix.lower() == ".h5ad":
        return read_h5ad(path), "h5ad"
    if is_matrix(path):
        return _placed(read_matrix(path), path, notes), "Visium matrix"
    if table:
        return _of_table(path, spots, notes)
    raise DataError(f"{path.name} is none of the files that measured expression comes in.", _KINDS)


def _of_table(path: Path, selection: str | Path | None, notes: list[str]) -> tuple[AnnData, str]:
    """Read a count table of legacy ST, whose spots tell their places on the array, or one of barcodes."""
    counts = read_count_table(path)
    if all(map(is_st_name, counts.index)):
        return _st(counts, selection), "ST count table"
    adata = _anndata(counts)
    if selection is None:
        return _placed(adata, path, notes), "count table"
    spots = read_spots(selection)
    adata.obs_names, note = same_names(adata.obs_names, spots.ids)
    notes += [note] if note else []
    here = adata.obs_names.isin(spots.ids)
    if not here.any():
        raise DataError(
            f"None of the {adata.n_obs} barcodes in {path.name} (such as {adata.obs_names[0]}) is in "
            f"{Path(selection).name} (such as {spots.ids[0]}).",
            "Give the counts and the positions of the same section.",
        )
    spots = with_counts(spots, adata.obs_names, Path(selection).name)
    if not here.all():
        notes.append(
            f"{int((~here).sum())} of {adata.n_obs} barcodes in {path.name} are not among the spots on tissue in "
            f"{Path(selection).name} (first: {adata.obs_names[~here][0]}) and were left out."
        )
    return _at(adata[here].copy(), spots), "count table"


def _at(adata: AnnData, spots: Spots) -> AnnData:
    place = {name: i for i, name in enumerate(spots.ids.tolist())}
    rows = np.array([place[name] for name in adata.obs_names], dtype=np.intp)
    adata.obs["array_row"], adata.obs["array_col"] = spots.array_row[rows], spots.array_col[rows]
    adata.obsm["spatial"] = np.column_stack([spots.x[rows], spots.y[rows]])
    return adata


def _anndata(counts: pd.DataFrame) -> AnnData:
    import pandas as pd
    from anndata import AnnData

    return AnnData(
        X=counts.to_numpy(dtype=np.float32),
        obs=pd.DataFrame(index=pd.Index(counts.index.astype(object))),
        var=pd.DataFrame(index=pd.Index(counts.columns.astype(object))),
    )


def _st(counts: pd.DataFrame, selection: str | Path | None) -> AnnData:
    pixels = None
    if selection is not None:
        spots = read_st_spots(selection, counts=counts)
        counts = counts.loc[spots.ids.astype(object)]
        pixels = np.column_stack([spots.x, spots.y])
    adata = _anndata(counts)
    adata.obs["array_col"], adata.obs["array_row"] = (
        np.array([name.rsplit("x", 1) for name in counts.index]).astype(np.int64).T
    )
    if pixels is not None:
        adata.obsm["spatial"] = pixels
    return adata


def _placed(adata: AnnData, counts: Path, notes: list[str]) -> AnnData:
    """Give barcodes the positions of the table that lies beside their counts, where there is one of their sample."""
    file = positions_beside(counts)
    if file is None:
        return adata
    positions = read_positions(file).set_index(COLUMNS[0])
    if not adata.obs_names.is_unique:
        raise repeated_spots(adata.obs_names, counts.name)
    if not positions.index.is_unique:
        raise repeated_spots(positions.index, file.name)
    adata.obs_names, note = same_names(adata.obs_names, positions.index)
    notes += [note] if note else []
    unknown = ~adata.obs_names.isin(positions.index)
    if unknown.any():
        raise DataError(
            f"{int(unknown.sum())} of {adata.n_obs} barcodes in {counts.parent} have no position "
            f"(first: {adata.obs_names[unknown][0]}).",
            "Keep the files of one section together.",
        )
    chosen = positions.loc[adata.obs_names]
    for name in ("in_tissue", "array_row", "array_col"):
        adata.obs[name] = chosen[name].to_numpy(dtype=np.int64)
    adata.obsm["spatial"] = chosen[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy(dtype=np.float64)
    return adata


def positions_beside(counts: Path) -> Path | None:
    """Return the positions table of a matrix or table of counts, None where there is none.

    It lies in the same folder, or where Space Ranger has a folder for the matrix, in the one above.

    Raises
    ------
    DataError
        If there are only those of other samples, or it is open which are meant: every array has the same barcodes.
    """
    sample = sample_of(counts, _COUNTS_OF) if is_count_table(counts) else sample_of_matrix(counts)
    found = positions_files(counts.parent)
    if not found and not sample and not is_count_table(counts):
        found = positions_files(counts.parent.parent)
    mine = [file for file in found if same_sample(sample_of(file, POSITIONS), sample)]
    exact = [file for file in mine if sample_of(file, POSITIONS) == sample]
    chosen = exact or mine
    if len(chosen) == 1 or not found:
        return chosen[0] if chosen else None
    names = ", ".join(file.name for file in found[:5])
    if not chosen and is_count_table(counts):  # what stands before "counts" may be anything
        return None
    raise DataError(
        f"Which positions belong to {counts.name} is open: beside it lie those of "
        f"{'other' if not chosen else 'several'} samples ({names}).",
        "Keep the files of each sample in a folder of their own, or give them the same beginning.",
    )


def repeated_spots(names: pd.Index, where: str) -> DataError:
    """Return the error for names of spots that occur more than once."""
    repeated = names[names.duplicated()].unique()
    return DataError(
        f"{where} names {len(repeated)} spots more than once (first: {repeated[0]!r}).",
        "Keep one row per spot; split what holds several sections.",
    )


@dataclass(frozen=True, slots=True)
class MeasuredSource:
    """Where measured data come from.

    Attributes
    ----------
    kind : str
    file, spots_file : str or None
        Names of the file or folder and of the selection table.
    spots, genes : int
        That it holds.
    notes : tuple of str
        What was changed in reading, a sentence each.
    """

    kind: str
    file: str | None
    spots_file: str | None
    spots: int
    genes: int
    notes: tuple[str, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        selection = {} if self.spots_file is None else {"spots_file": self.spots_file}
        return {"kind": self.kind, "file": self.file} | selection | {"spots": self.spots, "genes": self.genes}


def source_of(measured: AnnData) -> MeasuredSource:
    """Return where measured data come from: what `read_measured` has noted."""
    noted = measured.uns.get(UNS_MEASURED, {"kind": "AnnData in memory"})
    kind, file, spots_file = (
        None if value is None else str(value) for value in (noted.get(name) for name in ("kind", "file", "spots_file"))
    )
    notes = tuple(str(note) for note in noted.get("notes", ()))
    return MeasuredSource(kind or "unknown", file, spots_file, measured.n_obs, measured.n_vars, notes)
