"""Count matrices of 10x Genomics: HDF5, or Market Exchange with its two lists, also under the names GEO gives them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from napari_tcgn.errors import DataError
from napari_tcgn.files import GZIP, open_text, open_unpacked, reading
from napari_tcgn.spots import file_beside, files_called, same_sample, sample_of

if TYPE_CHECKING:
    from anndata import AnnData

FOLDER = "filtered_feature_bc_matrix"
H5, RAW_H5, MTX = f"{FOLDER}.h5", "raw_feature_bc_matrix.h5", "matrix.mtx"
_BARCODES, _FEATURES = "barcodes.tsv", ("features.tsv", "genes.tsv")  # the latter of Cell Ranger 2
_EXPRESSION = "Gene Expression"


def is_matrix(path: Path) -> bool:
    """Tell by its name whether a file is a count matrix of 10x Genomics."""
    return path.name.endswith((".h5", ".h5.gz", ".mtx", ".mtx.gz"))


def matrix_in(folder: Path) -> Path:
    """Return the count matrix of a folder: Space Ranger's outs, the folder of a matrix, or what GEO has of a sample.

    Raises
    ------
    DataError
        If there is none, or those of several samples.
    """
    found = [*files_called(folder, H5), *files_called(folder, MTX)] or files_called(folder / FOLDER, MTX)
    if not found:
        raise DataError(
            f"{folder} is no Visium folder: it has no {H5} and no folder {FOLDER}.",
            "Give the folder `outs` of Space Ranger, or the matrix itself (.h5, .mtx).",
        )
    before = sample_of(found[0], (H5, MTX))
    if any(not same_sample(sample_of(one, (H5, MTX)), before) for one in found):
        names = ", ".join(file.name for file in found[:5])
        raise DataError(f"{folder} holds the counts of {len(found)} samples: {names}.", "Give one of these files.")
    return found[0]


def sample_of_matrix(path: Path) -> str:
    """Return the name of the sample that stands before that of a matrix: "GSM1_A1_"; "" where none does."""
    return sample_of(path, (H5, RAW_H5, MTX))


def read_matrix(path: Path) -> AnnData:
    """Read a count matrix; a symbol that stands in it twice stays so, whichever kind it is.

    Raises
    ------
    DataError
        If it is damaged, packed in a way that cannot be read, or its lists are missing or those of another matrix.
    """
    import scanpy as sc

    if path.name.endswith((".mtx", ".mtx.gz")):
        return _read_mtx(path)
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
    if packed:
        raise DataError(f"{path.name} is packed (gzip).", f"Unpack it first: gunzip {path.name}")
    with reading(f"The count matrix {path}", DataError):
        return sc.read_10x_h5(path)


def _read_mtx(path: Path) -> AnnData:
    import pandas as pd
    from anndata import AnnData
    from scipy.io import mmread
    from scipy.sparse import csr_matrix

    barcodes, features = _list_beside(path, _BARCODES), _list_beside(path, *_FEATURES)
    with reading(f"The count matrix {path}", DataError), open_unpacked(path) as file, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*spmatrix")  # SciPy 1.18: either kind of its matrices is taken here
        matrix = csr_matrix(mmread(file).T, dtype="float32")
        spots, genes = _lines(barcodes), _lines(features)
    if matrix.shape != (len(spots), len(genes)):
        raise DataError(
            f"{path.name} holds {matrix.shape[1]} genes and {matrix.shape[0]} spots, but {features.name} names "
            f"{len(genes)} and {barcodes.name} {len(spots)}.",
            "Give the three files of one sample, genes in the rows of the matrix.",
        )
    table = pd.DataFrame(
        {"gene_ids": [line[0] for line in genes], "feature_types": [(*line, "", "")[2] for line in genes]},
        index=pd.Index([line[1] if len(line) > 1 else line[0] for line in genes], dtype=object),
    )
    of_genes = (table["feature_types"] == _EXPRESSION).to_numpy()  # antibodies and the like stand beside them
    keep = of_genes if of_genes.any() else slice(None)
    names = pd.DataFrame(index=pd.Index([line[0] for line in spots], dtype=object))
    return AnnData(matrix[:, keep], obs=names, var=table[keep])


def _lines(path: Path) -> list[list[str]]:
    with open_text(path) as file:
        return [line.rstrip("\r\n").split("\t") for line in file if line.strip()]


def _list_beside(path: Path, *names: str) -> Path:
    found = next((file for name in names if (file := file_beside(path, (MTX,), name)) is not None), None)
    if found is None:
        wanted = " or ".join(f"{sample_of(path, (MTX,))}{name}" for name in names)
        raise DataError(
            f"The counts in {path} cannot be read: {wanted} is missing beside them (.gz or not).",
            "Keep the three files of a matrix together.",
        )
    return found
