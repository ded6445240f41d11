"""Counts under the names that GEO, R and spreadsheets give them, and of Visium HD."""

from __future__ import annotations

import gzip
import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import mmwrite
from scipy.sparse import coo_matrix

from napari_tcgn.errors import DataError, SpotsError
from napari_tcgn.expression import counts_table, read_measured
from support.count_files import BARCODES, COL, COUNTS, GENES, IDS, ROW, as_h5, as_mex

LONG = ["".join("ACGT"[(i >> 2 * k) & 3] for k in range(12)) + "-1" for i in range(24)]  # real barcodes


def positions(names: list[str] = BARCODES) -> pd.DataFrame:
    return pd.DataFrame(
        {"barcode": names, "in_tissue": 1, "array_row": ROW, "array_col": COL,
         "pxl_row_in_fullres": 200 + 87 * ROW, "pxl_col_in_fullres": 200 + 50 * COL}
    )  # fmt: skip


def geo(folder: Path, sample: str, parts: str = "mtx positions", packed: bool = True, genes: str = "features") -> Path:
    """Files of a sample as GEO has them: in one folder, the sample's name before theirs."""
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    mmwrite(buffer, coo_matrix(COUNTS.T))
    lines = [f"{i}\t{name}" + ("\tGene Expression" if genes == "features" else "") for i, name in
             zip(IDS, GENES, strict=True)]  # fmt: skip
    files = {}
    if "mtx" in parts:
        files = {
            "matrix.mtx": buffer.getvalue(),
            "barcodes.tsv": "\n".join(BARCODES).encode() + b"\n",
            f"{genes}.tsv": "\n".join(lines).encode() + b"\n",
        }
    if "positions" in parts:
        files["tissue_positions_list.csv"] = positions().to_csv(index=False, header=False).encode()
        files["scalefactors_json.json"] = b'{"spot_diameter_fullres": 55}'
    for name, data in files.items():
        (folder / f"{sample}{name}{'.gz' if packed else ''}").write_bytes(gzip.compress(data) if packed else data)
    if "h5" in parts:
        made = as_h5(folder / "made")
        shutil.move(made / "filtered_feature_bc_matrix.h5", folder / f"{sample}filtered_feature_bc_matrix.h5")
        shutil.rmtree(made)
    return folder


def assert_counts(adata, placed: bool = True) -> None:
    np.testing.assert_array_equal(np.asarray(adata.X.todense()), COUNTS)
    assert adata.var_names.tolist() == GENES
    assert adata.var["gene_ids"].tolist() == IDS
    assert adata.obs_names.tolist() == BARCODES
    assert ("spatial" in adata.obsm) == placed
    if placed:
        np.testing.assert_array_equal(adata.obsm["spatial"][:, 1], 200 + 87 * ROW)
        np.testing.assert_array_equal(adata.obs["array_col"], COL)


@pytest.mark.parametrize("genes", ["features", "genes"])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("sample", ["GSM1234567_A1_", "GSM1234567-", ""])
def test_a_sample_of_geo(tmp_path: Path, sample: str, packed: bool, genes: str) -> None:
    folder = geo(tmp_path / "g", sample, packed=packed, genes=genes)
    (folder / f"._{sample}matrix.mtx.gz").write_bytes(b"what macOS lays beside")
    assert_counts(read_measured(folder))
    assert_counts(read_measured(folder / f"{sample}matrix.mtx{'.gz' if packed else ''}"))


def test_h5_of_geo(tmp_path: Path) -> None:
    folder = geo(tmp_path / "g", "GSM1_A_", "h5 positions")
    assert_counts(read_measured(folder))
    path = folder / "GSM1_A_filtered_feature_bc_matrix.h5"
    assert_counts(read_measured(path))
    packed = folder / f"{path.name}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(DataError, match=r"h5\.gz is packed \(gzip\)\. Unpack it first"):
        read_measured(packed)


@pytest.mark.parametrize("parts", ["mtx positions", "h5 positions"])
def test_several_samples_in_a_folder(tmp_path: Path, parts: str) -> None:
    folder = geo(tmp_path / "g", "GSM1_A_", parts)
    geo(folder, "GSM2_B_", parts)
    with pytest.raises(DataError, match=r"the counts of 2 samples: GSM1_A_.*GSM2_B_.*Give one of these files"):
        read_measured(folder)
    other = positions().assign(pxl_row_in_fullres=1.0).to_csv(index=False, header=False).encode()
    (folder / "GSM2_B_tissue_positions_list.csv.gz").write_bytes(gzip.compress(other))
    name = "matrix.mtx.gz" if "mtx" in parts else "filtered_feature_bc_matrix.h5"
    assert_counts(read_measured(folder / f"GSM1_A_{name}"))
    assert (read_measured(folder / f"GSM2_B_{name}").obsm["spatial"][:, 1] == 1).all()


def test_positions_of_another_sample_are_not_taken(tmp_path: Path) -> None:
    folder = geo(tmp_path / "g", "GSM1_A_", "mtx")
    geo(folder, "GSM2_B_", "positions")
    with pytest.raises(DataError, match=r"belong to GSM1_A_matrix\.mtx\.gz is open: beside it lie those of other"):
        read_measured(folder)
    geo(folder, "GSM3_C_", "positions")
    geo(folder, "GSM1_spatial_", "positions")  # the same accession
    assert_counts(read_measured(folder))


def test_matrices_that_lack_their_lists_or_have_others(tmp_path: Path) -> None:
    folder = geo(tmp_path / "g", "GSM1_")
    (folder / "GSM1_features.tsv.gz").rename(folder / "GSM2_features.tsv.gz")
    with pytest.raises(DataError, match=r"GSM1_features\.tsv or GSM1_genes\.tsv is missing beside them"):
        read_measured(folder)
    (folder / "GSM1_features.tsv").write_text("ENSG1\tA\n")
    with pytest.raises(DataError, match=r"holds 5 genes and 24 spots, but GSM1_features\.tsv names 1 and .* 24"):
        read_measured(folder)


def test_antibodies_beside_genes_are_left_out(tmp_path: Path) -> None:
    folder = geo(tmp_path / "g", "", packed=False)
    text = (folder / "features.tsv").read_text().replace("ACTG1\tGene Expression", "CD3\tAntibody Capture")
    (folder / "features.tsv").write_text(text)
    assert read_measured(folder).var_names.tolist() == GENES[:4]


def table(sep: str, index: list[str], turned: bool) -> str:
    counts = pd.DataFrame(COUNTS, index=index, columns=GENES)
    return (counts.T if turned else counts).to_csv(sep=sep)


@pytest.mark.parametrize("sep", [",", ";", "\t"])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", ["ST", "barcodes"])
def test_count_tables_of_geo(tmp_path: Path, sep: str, turned: bool, kind: str) -> None:
    names = LONG if kind == "barcodes" else [f"{c}x{r}" for c, r in zip(COL, ROW, strict=True)]
    text = table(sep, names, turned)
    (tmp_path / "GSM1234567_A1_counts.csv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "GSM1234567_A1_tissue_positions_list.csv.gz").write_bytes(
        gzip.compress(positions(LONG).to_csv(index=False, header=False).encode())
    )
    (tmp_path / "GSM1_tissue_positions_list.csv").write_text(positions(LONG[::-1]).to_csv(index=False, header=False))
    adata = read_measured(tmp_path / "GSM1234567_A1_counts.csv.gz")
    np.testing.assert_array_equal(adata.X, COUNTS)
    assert adata.obs_names.tolist() == names
    assert adata.var_names.tolist() == GENES
    np.testing.assert_array_equal(adata.obs["array_col"], COL)
    assert ("spatial" in adata.obsm) == (kind == "barcodes")
    assert counts_table(adata).summed == ("TBCE",)


def test_tables_of_r(tmp_path: Path) -> None:
    """write.table: quotes, no corner, X before a number, points for what is no letter."""
    counts = pd.DataFrame(COUNTS.T, index=GENES)
    for names, right in (
        ([f"X{c}x{r}" for c, r in zip(COL, ROW, strict=True)], [f"{c}x{r}" for c, r in zip(COL, ROW, strict=True)]),
        ([name.replace("-", ".") for name in LONG], LONG),
    ):
        lines = ["\t".join(f'"{name}"' for name in names)]
        lines += ["\t".join([f'"{gene}"', *map(str, row)]) for gene, row in zip(GENES, counts.to_numpy(), strict=True)]
        (tmp_path / "r.txt").write_text("\n".join(lines) + "\n")
        positions(LONG).to_csv(tmp_path / "tissue_positions.csv", index=False)
        adata = read_measured(tmp_path / "r.txt")
        assert adata.obs_names.tolist() == right
        assert adata.var_names.tolist() == GENES
        np.testing.assert_array_equal(adata.X, COUNTS)
    assert "Barcodes end differently" in adata.uns["napari_tcgn_measured"]["notes"][0]


def test_what_spreadsheets_make_of_tables(tmp_path: Path) -> None:
    names = [f"{c}x{r}" for c, r in zip(COL, ROW, strict=True)]
    path = tmp_path / "counts.csv"
    for text in (
        table("\t", names, False).encode("utf-16"),  # "Unicode text"
        b"\xef\xbb\xbf" + table(";", names, False).replace("\n", "\r\n").encode(),
        table(",", names, False).replace("\n", ",\n").encode(),  # a separator at the end of every line
        "\n".join(
            ",".join(f'"{cell}"' for cell in line.split(",")) for line in table(",", names, False).split()
        ).encode(),
    ):
        path.write_bytes(text)
        adata = read_measured(path)
        np.testing.assert_array_equal(adata.X, COUNTS)
        assert adata.var_names.tolist() == GENES


def test_counts_with_decimal_commas(tmp_path: Path) -> None:
    names = [f"{c}x{r}" for c, r in zip(COL, ROW, strict=True)]
    path = tmp_path / "counts.csv"
    pd.DataFrame(COUNTS.astype(float), index=names, columns=GENES).to_csv(path, sep=";", decimal=",")
    np.testing.assert_array_equal(read_measured(path).X, COUNTS)
    path.write_text(path.read_text().replace("0,0", "none?", 1))
    with pytest.raises(DataError, match=r"column '.*' holds text \('none\?'\)"):
        read_measured(path)


@pytest.mark.parametrize(
    ("mine", "theirs", "said"),
    [("", "-1", True), ("-1", "", True), (".1", "-1", True), ("-1", "-1", False)],
)
def test_endings_of_barcodes(tmp_path: Path, mine: str, theirs: str, said: bool) -> None:
    names, places = ([name.removesuffix("-1") + end for name in LONG] for end in (mine, theirs))
    (tmp_path / "counts.tsv").write_text(table("\t", names, False))
    (tmp_path / "tissue_positions.csv").write_text(positions(places).to_csv(index=False))
    adata = read_measured(tmp_path / "counts.tsv")
    assert adata.obs_names.tolist() == places, "the names of the positions"
    assert bool(adata.uns["napari_tcgn_measured"].get("notes")) == said


def test_endings_of_several_sections_are_kept(tmp_path: Path) -> None:
    (tmp_path / "counts.tsv").write_text(table("\t", [name.replace("-1", "-2") for name in LONG], False))
    (tmp_path / "tissue_positions.csv").write_text(positions(LONG).to_csv(index=False))
    with pytest.raises(DataError, match="24 of 24 barcodes"):
        read_measured(tmp_path / "counts.tsv")


def test_a_table_of_barcodes_with_positions_that_are_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/counts.tsv").write_text(table("\t", LONG, False))
    places = tmp_path / "outs/spatial"
    places.mkdir(parents=True)
    (places / "tissue_positions.csv").write_text(positions(LONG).to_csv(index=False))
    (places / "scalefactors_json.json").write_text('{"spot_diameter_fullres": 55}')
    adata = read_measured(tmp_path / "a/counts.tsv", tmp_path / "outs")
    np.testing.assert_array_equal(adata.obsm["spatial"][:, 0], 200 + 50 * COL)
    (tmp_path / "a/counts.tsv").write_text(table("\t", ["A" * 12 + name for name in LONG], False))
    with pytest.raises(DataError, match=r"None of the 24 barcodes in counts\.tsv .* is in outs"):
        read_measured(tmp_path / "a/counts.tsv", tmp_path / "outs")


def test_a_table_of_barcodes_of_another_section(tmp_path: Path) -> None:
    """Two sections of one array share most of their barcodes; each has others besides."""
    places = tmp_path / "outs/spatial"
    places.mkdir(parents=True)
    (places / "scalefactors_json.json").write_text('{"spot_diameter_fullres": 55}')
    on_tissue = positions(LONG)
    on_tissue.loc[:5, "in_tissue"] = 0
    on_tissue.to_csv(places / "tissue_positions.csv", index=False)
    path = tmp_path / "counts.tsv"
    path.write_text(table("\t", LONG, False))  # of every spot of the array
    adata = read_measured(path, tmp_path / "outs")
    assert adata.n_obs == 18
    assert adata.uns["napari_tcgn_measured"]["notes"] == [
        f"6 of 24 barcodes in counts.tsv are not among the spots on tissue in outs (first: {LONG[0]}) and were left "
        "out."
    ]
    lines = table("\t", LONG, False).splitlines(keepends=True)
    path.write_text("".join(lines[:-6]))  # the last 6 of 18 on tissue have none, and 6 others have
    with pytest.raises(SpotsError, match=r"Only 12 of the 18 spots in outs have counts, and 6 of the 18 .* another se"):
        read_measured(path, tmp_path / "outs")


def test_positions_that_name_a_spot_twice(tmp_path: Path) -> None:
    folder = as_mex(tmp_path / "outs")
    twice = pd.concat([positions(), positions().iloc[:1].assign(pxl_row_in_fullres=9)])
    twice.to_csv(folder / "spatial/tissue_positions.csv", index=False)
    with pytest.raises(DataError, match=r"tissue_positions\.csv names 1 spots more than once \(first: 'BC00-1'\)"):
        read_measured(folder)


def test_outs_of_visium_hd(tmp_path: Path) -> None:
    root = tmp_path / "outs"
    made = as_h5(root / "binned_outputs/square_008um")
    (made / "spatial/tissue_positions.csv").unlink()
    positions().to_parquet(made / "spatial/tissue_positions.parquet")
    (root / "spatial").mkdir()
    assert_counts(read_measured(root))
    shutil.copytree(made, root / "binned_outputs/square_016um")
    with pytest.raises(DataError, match=r"several bin sizes: square_008um, square_016um\. Choose one"):
        read_measured(root)
    assert_counts(read_measured(root / "binned_outputs/square_016um"))


@pytest.mark.parametrize("counts", ["g", "g/GSM1_matrix.mtx.gz", "h/GSM1_filtered_feature_bc_matrix.h5", "hd"])
def test_training_takes_them(tmp_path: Path, counts: str) -> None:
    from napari_tcgn.training.data.own_sections import counts_and_spots, read_manifest

    geo(tmp_path / "g", "GSM1_")
    geo(tmp_path / "h", "GSM1_", "h5 positions")
    geo(tmp_path / "h", "GSM2_", "h5 positions")
    as_h5(tmp_path / "hd/binned_outputs/square_008um")
    (tmp_path / "i.png").write_bytes(b"")
    (tmp_path / "sections.csv").write_text(f"section,patient,image,counts\nS,P,i.png,{counts}\n")
    found, spots = counts_and_spots(read_manifest(tmp_path)[0])
    np.testing.assert_array_equal(found.table["GNAS"], COUNTS[:, 0])
    np.testing.assert_array_equal(spots.x, 200 + 50 * COL)
