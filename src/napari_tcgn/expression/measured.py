"""Measured expression as AnnData: read from what sequencing hands over, checked to be counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import DataError
from napari_tcgn.expression.choice import dense
from napari_tcgn.spots import COLUMNS, positions_file, read_positions, read_st_counts, read_st_spots

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

ST_SUFFIXES = (".tsv", ".tsv.gz", ".txt", ".txt.gz")
MATRIX = "filtered_feature_bc_matrix"
_KINDS = "Give an ST count table (.tsv, .tsv.gz), a Visium folder (Space Ranger's outs) or an .h5ad."


def read_measured(path: str | Path, spots: str | Path | None = None) -> AnnData:
    """Read the measured expression of one section.

    Parameters
    ----------
    path : str or pathlib.Path
        ST count table (.tsv or .txt, also .gz: spots "<x>x<y>" in rows, genes in columns), a Visium folder as Space
        Ranger 1 and 2 write it, or an .h5ad.
    spots : str or pathlib.Path, optional
        ST selection table of the count table: gives the spots their positions in the image.

    Returns
    -------
    anndata.AnnData
        X as it stands in the file (raw counts are wanted; `compare` checks it). obs: array_row, array_col where
        known. obsm["spatial"]: float64 (x, y) in full-resolution px where known. uns["napari_tcgn_measured"]: kind
        and file names.

    Raises
    ------
    DataError
        If the file is missing, unreadable or of none of these kinds.
    SpotsError
        If the selection table or the table of positions is unreadable, or belongs to another section.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"There is no file or folder {path}.", "Check its name.")
    if spots is not None and (path.is_dir() or path.suffix == ".h5ad"):
        raise DataError(f"{path.name} has positions of its own.", "Give a selection table only with an ST count table.")
    if path.is_dir():
        adata, kind = _visium(path), "Visium folder"
    elif path.suffix == ".h5ad":
        adata, kind = _h5ad(path), "h5ad"
    elif path.name.endswith(ST_SUFFIXES):
        adata, kind = _st(path, spots), "ST count table"
    else:
        raise DataError(f"{path.name} is none of the files that measured expression comes in.", _KINDS)
    source = {"kind": kind, "file": path.name}
    adata.uns["napari_tcgn_measured"] = source if spots is None else source | {"spots_file": Path(spots).name}
    return adata


def _st(path: Path, selection: str | Path | None) -> AnnData:
    import pandas as pd
    from anndata import AnnData

    counts = read_st_counts(path)
    pixels = None
    if selection is not None:
        spots = read_st_spots(selection, counts=counts)
        counts = counts.loc[spots.ids.astype(object)]
        pixels = np.column_stack([spots.x, spots.y])
    col, row = np.array([name.rsplit("x", 1) for name in counts.index]).astype(np.int64).T
    return AnnData(
        X=counts.to_numpy(dtype=np.float32),
        obs=pd.DataFrame({"array_row": row, "array_col": col}, index=pd.Index(counts.index.astype(object))),
        var=pd.DataFrame(index=pd.Index(counts.columns.astype(object))),
        obsm=None if pixels is None else {"spatial": pixels},
    )


def _h5ad(path: Path) -> AnnData:
    import anndata

    try:
        return anndata.read_h5ad(path)
    except Exception as error:  # h5py and anndata raise many kinds for a damaged file
        raise DataError(f"{path.name} cannot be read as .h5ad: {error}.", "Write or download it again.") from error


def _visium(folder: Path) -> AnnData:
    import scanpy as sc

    matrix, table = folder / f"{MATRIX}.h5", folder / MATRIX
    if not matrix.is_file() and not table.is_dir():
        raise DataError(
            f"{folder} is no Visium folder: it has no {MATRIX}.h5 and no folder {MATRIX}.",
            "Give the folder `outs` of Space Ranger.",
        )
    try:
        adata = sc.read_10x_h5(matrix) if matrix.is_file() else sc.read_10x_mtx(table)
    except Exception as error:  # as many kinds as for .h5ad
        raise DataError(f"The counts in {folder} cannot be read: {error}.", "Copy the folder again.") from error
    if not adata.obs_names.is_unique:
        raise repeated_spots(adata.obs_names, folder.name)
    file = positions_file(folder)
    if file is None:
        return adata
    positions = read_positions(file).set_index(COLUMNS[0])
    unknown = ~adata.obs_names.isin(positions.index)
    if unknown.any():
        raise DataError(
            f"{int(unknown.sum())} of {adata.n_obs} barcodes in {folder} have no position "
            f"(first: {adata.obs_names[unknown][0]}).",
            "Keep the files of one section together.",
        )
    chosen = positions.loc[adata.obs_names]
    for name in ("in_tissue", "array_row", "array_col"):
        adata.obs[name] = chosen[name].to_numpy(dtype=np.int64)
    adata.obsm["spatial"] = chosen[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy(dtype=np.float64)
    return adata


def repeated_spots(names: pd.Index, where: str) -> DataError:
    """Return the error for names of spots that occur more than once."""
    repeated = names[names.duplicated()].unique()
    return DataError(
        f"{where} names {len(repeated)} spots more than once (first: {repeated[0]!r}).",
        "Keep one row per spot; split what holds several sections.",
    )


def values_of(measured: AnnData, columns: NDArray[np.intp], layer: str | None) -> NDArray[np.float64]:
    """Return chosen columns of the measured values as a dense table, float64 [spots, columns].

    Raises
    ------
    DataError
        If there is no such layer.
    """
    if layer is not None and layer not in measured.layers:
        raise DataError(
            f"The measured data have no layer {layer!r}; there are {sorted(measured.layers)}.", "Name one of them."
        )
    table = measured.X if layer is None else measured.layers[layer]
    if table is None:
        raise DataError("The measured data hold no values (X is empty).", "Name the layer that holds the counts.")
    return dense(table[:, columns]).astype(np.float64)


def require_counts(counts: NDArray[np.float64], layers: list[str]) -> None:
    """Refuse a table that does not hold raw counts, naming what it looks like instead.

    Parameters
    ----------
    counts : float64 [spots, genes]
    layers : list of str
        Other layers of the same data, to point to one called like counts.

    Raises
    ------
    DataError
    """
    other = next((name for name in layers if "count" in name.lower() or "raw" in name.lower()), None)
    where = f"Give raw counts: the layer {other!r} may hold them (--layer {other})" if other else "Give raw counts"
    hint = f"{where}; or, if the values are on the model's scale already, say so (--values model-scale)."
    missing = ~np.isfinite(counts)
    if missing.any():
        raise DataError(f"{int(missing.sum())} measured values are missing or not finite (NaN).", hint)
    if (counts < 0).any():
        share = (counts < 0).mean()
        raise DataError(
            f"{share:.0%} of the measured values are negative (smallest {counts.min():.3g}): they look standardised, "
            "not counted.",
            hint,
        )
    broken = counts != np.round(counts)
    if broken.any():
        largest = counts.max()
        looks = "log-transformed" if largest < 25 else "normalised"
        raise DataError(
            f"{broken.mean():.0%} of the measured values are no whole numbers (largest {largest:.3g}): they look "
            f"{looks}, not counted.",
            hint,
        )


def describe_source(measured: AnnData) -> dict[str, Any]:
    """Return where measured data come from, for the manifest."""
    source = dict(measured.uns.get("napari_tcgn_measured", {"kind": "AnnData in memory", "file": None}))
    plain: dict[str, Any] = json.loads(json.dumps(source, default=str))
    return plain | {"spots": measured.n_obs, "genes": measured.n_vars}
