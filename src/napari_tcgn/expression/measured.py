"""Measured expression as AnnData: read from what sequencing hands over, checked to be counts."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import DataError
from napari_tcgn.expression.build import UNS_KEY
from napari_tcgn.expression.values import dense
from napari_tcgn.h5ad import read_h5ad
from napari_tcgn.spots import COLUMNS, is_st_table, positions_file, read_positions, read_st_counts, read_st_spots

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

MATRIX = "filtered_feature_bc_matrix"
UNS_MEASURED = "napari_tcgn_measured"
_KINDS = "Give an ST count table (.tsv, .tsv.gz), a Visium folder (Space Ranger's outs) or an .h5ad."


def read_measured(path: str | Path, spots: str | Path | None = None) -> AnnData:
    """Read the measured expression of one section: the one way in, for comparison, training and the dock.

    Parameters
    ----------
    path : str or pathlib.Path
        ST count table (.tsv or .txt, also .gz: spots "<x>x<y>" in rows, genes in columns); a Visium folder as Space
        Ranger writes it; the count matrix in it, .h5 or folder with matrix.mtx; or an .h5ad.
    spots : str or pathlib.Path, optional
        ST selection table of the count table: gives the spots their positions in the image.

    Returns
    -------
    anndata.AnnData
        X as it stands in the file (raw counts are wanted; `require_counts` checks it). A gene that the file names
        twice stands there twice: whoever uses the counts sums them (`counts_table`, `GeneMatch.summed`). obs:
        array_row, array_col where known. obsm["spatial"]: float64 (x, y) in full-resolution px where known.
        uns["napari_tcgn_measured"]: kind and file names.

    Raises
    ------
    DataError
        If the file is missing, unreadable or of none of these kinds, or names a spot twice.
    SpotsError
        If the selection table or the table of positions is unreadable, or belongs to another section.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"There is no file or folder {path}.", "Check its name.")
    table = is_st_table(path)
    if spots is not None and not table:
        raise DataError(f"{path.name} has positions of its own.", "Give a selection table only with an ST count table.")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Variable names are not unique")  # they are summed later
        if path.is_dir():
            adata, kind = _visium(path), "Visium folder"
        elif path.suffix == ".h5ad":
            adata, kind = read_h5ad(path), "h5ad"
        elif path.suffix == ".h5":
            adata, kind = _with_positions(_matrix(path), path.parent), "Visium matrix"
        elif table:
            adata, kind = _st(path, spots), "ST count table"
        else:
            raise DataError(f"{path.name} is none of the files that measured expression comes in.", _KINDS)
    if not adata.obs_names.is_unique:
        raise repeated_spots(adata.obs_names, path.name)
    source = {"kind": kind, "file": path.name}
    adata.uns[UNS_MEASURED] = source if spots is None else source | {"spots_file": Path(spots).name}
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


def _visium(folder: Path) -> AnnData:
    """Read a Space Ranger folder, or the folder of a count matrix in one."""
    is_matrix = any((folder / name).is_file() for name in ("matrix.mtx", "matrix.mtx.gz"))
    candidates = (folder,) if is_matrix else (folder / f"{MATRIX}.h5", folder / MATRIX)
    matrix = next((path for path in candidates if path.exists()), None)
    if matrix is None:
        raise DataError(
            f"{folder} is no Visium folder: it has no {MATRIX}.h5 and no folder {MATRIX}.",
            "Give the folder `outs` of Space Ranger.",
        )
    return _with_positions(_matrix(matrix), folder.parent if is_matrix else folder)


def _matrix(path: Path) -> AnnData:
    """Read a count matrix of 10x Genomics; a symbol that stands in it twice stays so, whichever kind it is."""
    import scanpy as sc

    try:
        return sc.read_10x_h5(path) if path.is_file() else sc.read_10x_mtx(path, make_unique=False)
    except Exception as error:  # h5py and scanpy raise many kinds for a damaged file
        raise DataError(f"The counts in {path} cannot be read: {error}.", "Copy them again.") from error


def _with_positions(adata: AnnData, folder: Path) -> AnnData:
    """Give barcodes the positions that stand in the folder's table, where there is one."""
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
    if not adata.obs_names.is_unique:
        raise repeated_spots(adata.obs_names, folder.name)
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
            f"The measured data have no layer {layer!r}; there are {sorted(layer_names(measured))}.",
            "Name one of them.",
        )
    table = measured.X if layer is None else measured.layers[layer]
    if table is None:
        raise DataError("The measured data hold no values (X is empty).", "Name the layer that holds the counts.")
    return dense(table[:, columns]).astype(np.float64)


def require_measured(adata: AnnData) -> None:
    """Refuse what holds no measurement: nothing, or a prediction.

    Raises
    ------
    DataError
    """
    if "model_card" in adata.uns.get(UNS_KEY, {}):
        raise DataError("The measured data are themselves a prediction.", "Give measured counts.")
    if adata.n_obs == 0 or adata.n_vars == 0:
        raise DataError(f"The measured data hold {adata.n_obs} spots and {adata.n_vars} genes.", "Give some.")


def counts_table(measured: AnnData) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return all raw counts of a section, a gene that stands there more than once summed.

    Parameters
    ----------
    measured : anndata.AnnData
        From `read_measured`.

    Returns
    -------
    table : pandas.DataFrame [spots, genes]
        Counts as whole numbers; index and columns hold the names of spots and genes.
    summed : tuple of str
        The genes that stood there more than once.

    Raises
    ------
    DataError
        If it holds no raw counts.
    """
    import pandas as pd

    require_measured(measured)
    values = values_of(measured, np.arange(measured.n_vars), None)
    require_counts(values, layer_names(measured))
    table = pd.DataFrame(values, index=measured.obs_names.astype(str), columns=measured.var_names.astype(str))
    repeated = table.columns[table.columns.duplicated()].unique()
    if len(repeated):
        table = table.T.groupby(level=0, sort=False).sum().T
    return table, tuple(str(name) for name in repeated)


def layer_names(adata: AnnData) -> list[str]:
    """Return the names of an AnnData's layers; since anndata 0.13 X is among them, without a name."""
    return [name for name in adata.layers if name is not None]


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
    """

    kind: str
    file: str | None
    spots_file: str | None
    spots: int
    genes: int

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
    return MeasuredSource(kind or "unknown", file, spots_file, measured.n_obs, measured.n_vars)
