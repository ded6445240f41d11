"""A small section of counts on a Visium array, in each of the files that it may come in."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
from scipy.io import mmwrite
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix

GENES = ["GNAS", "TBCE", "FASN", "TBCE", "ACTG1"]  # TBCE has two ids in 10x's human reference
IDS = [f"ENSG{i:011d}" for i in range(5)]
ROW, COL = np.divmod(np.arange(24), 4)
COL = 2 * COL + ROW % 2  # every second column of a row, as on a Visium slide
BARCODES = [f"BC{i:02d}-1" for i in range(24)]
COUNTS = np.random.default_rng(0).poisson(4, (24, 5))


def _positions(folder: Path) -> None:
    (folder / "spatial").mkdir(parents=True)
    table = pd.DataFrame(
        {"barcode": BARCODES, "in_tissue": 1, "array_row": ROW, "array_col": COL,
         "pxl_row_in_fullres": 200 + 87 * ROW, "pxl_col_in_fullres": 200 + 50 * COL}
    )  # fmt: skip
    table.to_csv(folder / "spatial/tissue_positions.csv", index=False)
    (folder / "spatial/scalefactors_json.json").write_text('{"spot_diameter_fullres": 55}')


def as_h5(folder: Path) -> Path:
    _positions(folder)
    matrix = csc_matrix(COUNTS.T)
    with h5py.File(folder / "filtered_feature_bc_matrix.h5", "w") as file:
        group = file.create_group("matrix")
        group["barcodes"] = np.array(BARCODES, dtype="S")
        for name in ("data", "indices", "indptr"):
            group[name] = getattr(matrix, name)
        group["shape"] = matrix.shape
        features = {"id": IDS, "name": GENES, "feature_type": ["Gene Expression"] * 5, "genome": ["GRCh38"] * 5}
        for name, values in features.items():
            group[f"features/{name}"] = np.array(values, dtype="S")
    return folder


def as_mex(folder: Path) -> Path:
    _positions(folder)
    matrix = folder / "filtered_feature_bc_matrix"
    matrix.mkdir()
    buffer = io.BytesIO()
    mmwrite(buffer, coo_matrix(COUNTS.T))
    lines = [f"{i}\t{name}\tGene Expression" for i, name in zip(IDS, GENES, strict=True)]
    for name, text in (
        ("matrix.mtx.gz", buffer.getvalue()),
        ("barcodes.tsv.gz", "\n".join(BARCODES).encode() + b"\n"),
        ("features.tsv.gz", "\n".join(lines).encode() + b"\n"),
    ):
        (matrix / name).write_bytes(gzip.compress(text))
    return folder


def as_h5ad(folder: Path) -> Path:
    folder.mkdir(parents=True)
    adata = anndata.AnnData(
        csr_matrix(COUNTS.astype(np.float32)),
        obs=pd.DataFrame({"array_row": ROW, "array_col": COL}, index=BARCODES),
        var=pd.DataFrame({"gene_ids": IDS}, index=GENES),
        obsm={"spatial": np.column_stack([200.0 + 50 * COL, 200.0 + 87 * ROW])},
    )
    adata.write_h5ad(folder / "counts.h5ad")
    return folder / "counts.h5ad"
