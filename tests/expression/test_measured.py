"""Reading measured expression: ST tables, Visium folders of both layouts, .h5ad."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_tcgn.errors import DataError, SpotsError
from napari_tcgn.expression import counts_table, read_counts, read_measured
from support.her2st import write_selection


@pytest.fixture
def st(tmp_path: Path) -> tuple[Path, Path]:
    ids = [f"{c}x{r}" for r in range(1, 4) for c in range(1, 5)]
    counts = pd.DataFrame(np.arange(36).reshape(12, 3), index=ids, columns=["A", "B", "C"])
    counts.to_csv(tmp_path / "S1.tsv.gz", sep="\t")
    places = [(c, r, 100 * c, 90 * r) for r in range(1, 4) for c in range(1, 5)][::-1]
    write_selection(tmp_path / "S1_selection.tsv", places)
    return tmp_path / "S1.tsv.gz", tmp_path / "S1_selection.tsv"


def visium(folder: Path, version: int) -> Path:
    import gzip

    from scipy.io import mmwrite
    from scipy.sparse import csr_matrix

    matrix = folder / "filtered_feature_bc_matrix"
    matrix.mkdir(parents=True)
    (folder / "spatial").mkdir()
    counts = np.arange(20).reshape(4, 5)  # genes x spots
    mmwrite(matrix / "matrix.mtx", csr_matrix(counts), field="integer")
    with gzip.open(matrix / "matrix.mtx.gz", "wb") as file:
        file.write((matrix / "matrix.mtx").read_bytes())
    (matrix / "matrix.mtx").unlink()
    barcodes = [f"AAAC{i}-1" for i in range(5)]
    genes = [f"ENSG{i:011d}\tGENE{i}\tGene Expression" for i in range(4)]
    for name, lines in (("barcodes.tsv.gz", barcodes), ("features.tsv.gz", genes)):
        with gzip.open(matrix / name, "wt") as file:
            file.write("\n".join(lines) + "\n")
    header = "barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres\n"
    lines = [f"{barcode},1,{i},{i},{1000 + i},{2000 + i}\n" for i, barcode in enumerate(["AAAC9-1", *barcodes[::-1]])]
    name = "tissue_positions_list.csv" if version == 1 else "tissue_positions.csv"
    (folder / "spatial" / name).write_text(("" if version == 1 else header) + "".join(lines))
    return folder


def test_st_counts_alone_know_their_array_positions(st) -> None:
    adata = read_measured(st[0])
    assert adata.shape == (12, 3)
    assert adata.obs.loc["3x2", ["array_col", "array_row"]].tolist() == [3, 2]
    assert "spatial" not in adata.obsm
    assert adata.uns["napari_tcgn_measured"] == {"kind": "ST count table", "file": "S1.tsv.gz"}


def test_a_count_table_may_be_called_txt(st, tmp_path: Path) -> None:
    named = st[0].rename(tmp_path / "S1.txt.gz")
    assert read_measured(named).shape == (12, 3)


def test_st_counts_with_their_selection_know_where_they_lie(st) -> None:
    adata = read_measured(*st)
    place = adata.obs_names.get_loc("3x2")
    assert adata.obsm["spatial"][place].tolist() == [300, 180]
    assert adata.X[place].tolist() == [18, 19, 20]
    assert adata.uns["napari_tcgn_measured"]["spots_file"] == "S1_selection.tsv"


@pytest.mark.parametrize("version", [1, 2])
def test_visium_folders_of_both_layouts(tmp_path: Path, version: int) -> None:
    adata = read_measured(visium(tmp_path / "outs", version))
    assert adata.shape == (5, 4)
    assert adata.obs.loc["AAAC1-1", ["array_row", "array_col"]].tolist() == [4, 4]
    assert adata.obsm["spatial"][1].tolist() == [2004, 1004], "x is the column, y the row"
    assert adata.var["gene_ids"].tolist()[2] == "ENSG00000000002"
    assert adata.X[1].toarray().ravel().tolist() == [1, 6, 11, 16]


def test_visium_without_positions_or_with_foreign_ones(tmp_path: Path) -> None:
    folder = visium(tmp_path / "outs", 1)
    path = folder / "spatial/tissue_positions_list.csv"
    path.write_text(path.read_text().replace("AAAC1-1", "TTTT-1"))
    with pytest.raises(DataError, match=r"1 of 5 barcodes .* have no position .first: AAAC1-1."):
        read_measured(folder)
    path.unlink()
    assert "spatial" not in read_measured(folder).obsm
    (folder / "spatial/tissue_positions.csv").write_text("barcode,other\nA,1\n")
    with pytest.raises(SpotsError, match="it has no column in_tissue, array_row"):
        read_measured(folder)
    with pytest.raises(DataError, match="is no Visium folder"):
        read_measured(folder / "spatial")
    (folder / "filtered_feature_bc_matrix/matrix.mtx.gz").write_bytes(b"no")
    with pytest.raises(DataError, match="cannot be read"):
        read_measured(folder)


def test_h5ad(make_pair, tmp_path: Path) -> None:
    _, measured = make_pair()
    measured.write_h5ad(tmp_path / "m.h5ad")
    adata = read_measured(tmp_path / "m.h5ad")
    np.testing.assert_array_equal(adata.X, measured.X)
    (tmp_path / "broken.h5ad").write_bytes(b"no HDF5")
    with pytest.raises(DataError, match=r"broken\.h5ad is not an \.h5ad file"):
        read_measured(tmp_path / "broken.h5ad")
    with pytest.raises(DataError, match="has positions of its own"):
        read_measured(tmp_path / "m.h5ad", spots=tmp_path / "x.tsv")


def test_files_that_are_nothing_of_the_kind(tmp_path: Path, st) -> None:
    with pytest.raises(DataError, match="There is no file or folder"):
        read_measured(tmp_path / "absent.tsv")
    (tmp_path / "picture.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"picture\.png is none of the files"):
        read_measured(tmp_path / "picture.png")
    with pytest.raises(DataError, match="is not an ST count table"):
        read_measured(st[1])
    (tmp_path / "other.tsv").write_text(st[1].read_text().replace("\n", "\n9", 1))
    with pytest.raises(SpotsError):
        read_measured(st[0], tmp_path / "absent.tsv")


def test_a_plain_table_gives_the_same_counts_with_and_without_anndata(tmp_path: Path) -> None:
    path = tmp_path / "T1.tsv"
    path.write_text("\tERBB2\tGNAS\tERBB2\t1-Mar\n10x12\t1\t0\t2\t0\n11x12\t0\t5\t1\t3\n", encoding="utf-8")
    alone, through = read_counts(path), counts_table(read_measured(path))
    pd.testing.assert_frame_equal(alone.table, through.table)
    assert alone.summed == through.summed == ("ERBB2",)
    assert alone.table.loc["10x12", "ERBB2"] == 3
    assert alone.notes == through.notes
    assert any("1-Mar" in note for note in alone.notes)
