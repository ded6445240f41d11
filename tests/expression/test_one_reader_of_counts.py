"""The same counts give the same table however they are stored, for comparison and training alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_tcgn.errors import DataError
from napari_tcgn.expression import counts_table, read_measured
from napari_tcgn.h5ad import open_h5ad
from support.count_files import COL, COUNTS, GENES, ROW, as_h5, as_h5ad, as_mex


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
