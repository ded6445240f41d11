"""The same counts give the same table however they are stored, for comparison and training alike."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.io import mmwrite
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix

from napari_tcgn.errors import DataError
from napari_tcgn.expression import counts_table, read_measured
from napari_tcgn.h5ad import open_h5ad

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


@pytest.mark.parametrize(
    ("make", "part"),
    [(as_h5, "."), (as_h5, "filtered_feature_bc_matrix.h5"), (as_mex, "."), (as_mex, "filtered_feature_bc_matrix"),
     (as_h5ad, "")],
)  # fmt: skip
def test_a_gene_that_stands_twice_is_summed_and_named(make, part: str, tmp_path: Path) -> None:
    made = make(tmp_path / "outs")
    adata = read_measured(made / part if part else made)
    found = counts_table(adata)
    table, summed = found.table, found.summed
    assert table.columns.tolist() == ["GNAS", "TBCE", "FASN", "ACTG1"]
    assert summed == ("TBCE",)
    np.testing.assert_array_equal(table["TBCE"], COUNTS[:, 1] + COUNTS[:, 3])
    np.testing.assert_array_equal(table["ACTG1"], COUNTS[:, 4])
    np.testing.assert_array_equal(adata.obs["array_col"], COL)
    np.testing.assert_array_equal(adata.obsm["spatial"][:, 1], 200 + 87 * ROW)


def test_a_legacy_table_sums_alike(tmp_path: Path) -> None:
    lines = ["\t" + "\t".join(GENES)]
    lines += ["\t".join([f"{c}x{r}", *map(str, values)]) for c, r, values in zip(COL, ROW, COUNTS, strict=True)]
    (tmp_path / "S.tsv").write_text("\n".join(lines) + "\n")
    found = counts_table(read_measured(tmp_path / "S.tsv"))
    table = found.table
    assert found.summed == ("TBCE",)
    np.testing.assert_array_equal(table["TBCE"], COUNTS[:, 1] + COUNTS[:, 3])


@pytest.mark.parametrize("make", [as_h5, as_mex, as_h5ad])
def test_training_reads_each_of_them(make, tmp_path: Path) -> None:
    from PIL import Image

    from napari_tcgn.training.data.her2st import load_section
    from napari_tcgn.training.data.own_sections import read_manifest

    counts = make(tmp_path / "outs").relative_to(tmp_path)
    picture = np.full((900, 700, 3), 245, np.uint8)
    picture[100:800, 100:600] = (150, 80, 150)
    Image.fromarray(picture).save(tmp_path / "V.png")
    (tmp_path / "sections.csv").write_text(f"section,patient,image,counts,mpp\nV,P,V.png,{counts},1.0\n")
    data = load_section(read_manifest(tmp_path)[0], ["TBCE", "GNAS"])
    assert data.spots.layout == "visium"
    assert data.summed == ("TBCE",)
    np.testing.assert_array_equal(data.counts, np.stack([COUNTS[:, 1] + COUNTS[:, 3], COUNTS[:, 0]], axis=1))


def test_values_that_are_no_counts_and_predictions_are_refused(tmp_path: Path) -> None:
    adata = read_measured(as_h5ad(tmp_path / "a"))
    logged = adata.copy()
    logged.X = np.log1p(adata.X.toarray())
    with pytest.raises(DataError, match="they look log-transformed, not counted"):
        counts_table(logged)
    adata.uns["napari_tcgn"] = {"model_card": "{}"}
    with pytest.raises(DataError, match="themselves a prediction"):
        counts_table(adata)


def test_a_damaged_h5ad_is_named_wherever_it_is_opened(tmp_path: Path) -> None:
    from napari_tcgn.errors import SpotsError
    from napari_tcgn.expression import read_prediction, read_section
    from napari_tcgn.spots import read_spots

    path = as_h5ad(tmp_path / "a")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for read, error in (
        (read_measured, DataError), (read_section, DataError), (read_prediction, DataError), (read_spots, SpotsError),
    ):  # fmt: skip
        with pytest.raises(error, match=r"counts\.h5ad cannot be read as \.h5ad"):
            read(path)
    with pytest.raises(DataError, match="There is no file"), open_h5ad(tmp_path / "none.h5ad"):
        pass
