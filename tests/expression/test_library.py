"""What is read of an AnnData: ours, squidpy's, several sections, and what is none."""

from __future__ import annotations

import warnings
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from napari_tcgn.errors import DataError
from napari_tcgn.expression import library_ids, library_of, read_section, to_anndata, write_h5ad
from napari_tcgn.expression.values import block, column


def foreign(n: int = 6, genes: int = 4, **uns) -> anndata.AnnData:
    """A section as squidpy and scanpy have it: counts, a float picture, spots without µm."""
    rng = np.random.default_rng(3)
    adata = anndata.AnnData(
        sparse.csr_matrix(rng.poisson(1.0, (n, genes)).astype(np.float32)),
        obs=pd.DataFrame(index=[f"AAAC-{i}" for i in range(n)]),
        var=pd.DataFrame(index=[f"G{i}" for i in range(genes)]),
    )
    adata.obsm["spatial"] = np.column_stack([100 + 40 * np.arange(n), np.full(n, 90)])
    adata.uns["spatial"] = {
        "V1": {
            "images": {"hires": rng.uniform(size=(50, 80, 3)).astype(np.float32)},
            "scalefactors": {"tissue_hires_scalef": 0.2, "spot_diameter_fullres": 30.0},
        }
    }
    adata.uns |= uns
    return adata


def test_our_own_file_comes_back_whole(tmp_path: Path, prediction, predictor, spots) -> None:
    write_h5ad(to_anndata(prediction), tmp_path / "a.h5ad")
    adata, notes = read_section(tmp_path / "a.h5ad")
    library = library_of(adata)
    assert notes == []
    assert (library.library_id, library.mpp, library.kind, library.partial) == ("C2", 0.688, "predicted", False)
    assert library.card == predictor.card
    assert library.unit == predictor.card.output_scale
    assert library.record == prediction.record
    assert library.diameter_px == pytest.approx(100 / 0.688)
    back = library.spots()
    np.testing.assert_array_equal(back.ids, spots.ids)
    np.testing.assert_array_equal(back.x, spots.x)
    np.testing.assert_array_equal(back.array_row, spots.array_row)
    np.testing.assert_array_equal(back.in_tissue, spots.in_tissue)
    np.testing.assert_array_equal(back.tissue_fraction, spots.tissue_fraction)
    assert (back.pitch_um, back.layout) == (150.0, "st")
    assert back.diameter_um == pytest.approx(100.0)


def test_a_selection_of_genes_keeps_their_part_of_the_card(prediction) -> None:
    adata = to_anndata(prediction)[:, ["IGKC", "GNAS"]]
    card = library_of(adata).card
    assert card.genes == ["IGKC", "GNAS"]
    assert card.gene_ids == ["ENSG00000000003", "ENSG00000000001"]
    assert card.metrics.pcc == [0.4, 0.31]
    renamed = to_anndata(prediction)
    renamed.var_names = ["X1", *renamed.var_names[1:]]
    assert library_of(renamed).card is None


def test_a_squidpy_file_is_taken_for_what_it_says() -> None:
    library = library_of(foreign())
    assert (library.library_id, library.mpp, library.kind, library.card) == ("V1", None, "from file", None)
    assert library.unit == "counts"
    assert library.picture.dtype == np.uint8
    assert library.picture_scale == 0.2
    assert library.diameter_px == 30.0
    assert np.isnan(library.spots().diameter_um), "µm are not guessed"
    assert library_of(foreign(), mpp=0.5).spots().diameter_um == 15.0
    assert library_of(foreign(log1p={"base": None})).unit == "ln(1 + x)"
    adata = foreign()
    adata.X = adata.X * 0.3
    assert library_of(adata).unit == "unknown scale"
    adata.uns["spatial"]["V1"]["scalefactors"]["microns_per_pixel"] = 0.27
    assert library_of(adata).mpp == 0.27


def test_values_that_no_model_predicted_can_be_kept_and_read_again(tmp_path: Path, spots) -> None:
    from napari_tcgn.expression.build import section_anndata

    values = np.arange(70.0).reshape(35, 2)
    write_h5ad(section_anndata(values, ["A", "B"], spots, 0.688, "C/2", "z-score", "score"), tmp_path / "a.h5ad")
    library = library_of(read_section(tmp_path / "a.h5ad")[0])
    assert (library.library_id, library.mpp, library.unit, library.kind) == ("C_2", 0.688, "z-score", "score")
    np.testing.assert_array_equal(library.adata.X, values)
    back = library.spots()
    np.testing.assert_array_equal(back.ids, spots.ids)
    assert back.diameter_um == pytest.approx(100.0)
    assert back.layout == "custom", "no run record says it"


def test_positions_alone_are_enough() -> None:
    adata = foreign()
    del adata.uns["spatial"]
    library = library_of(adata)
    assert (library.picture, library.diameter_px) == (None, None)
    assert library.drawn_diameter_px() == pytest.approx(0.6 * 40)
    with pytest.raises(DataError, match="size of the spots"):
        library.require_diameter()


def test_several_sections_are_told_apart() -> None:
    adata = foreign()
    adata.uns["spatial"]["V2"] = adata.uns["spatial"]["V1"]
    with pytest.raises(DataError, match="There are 2 sections: V1, V2"):
        library_of(adata)
    with pytest.raises(DataError, match="No column of obs"):
        library_of(adata, "V1")
    adata.obs["sample"] = ["V1", "V1", "V2", "V2", "V2", "V1"]
    assert library_ids(adata) == ["V1", "V2"]
    assert list(library_of(adata, "V2").adata.obs_names) == ["AAAC-2", "AAAC-3", "AAAC-4"]
    np.testing.assert_array_equal(library_of(adata, "V2").centres[:, 0], [180, 220, 260])
    with pytest.raises(DataError, match="no section 'V3'"):
        library_of(adata, "V3")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.obsm.pop("spatial"), "no positions"),
        (lambda a: a.obsm.update(spatial=np.arange(18.0).reshape(6, 3)), "3 columns that vary"),
        (lambda a: a.obsm.update(spatial=np.zeros((6, 1))), r"shape \(6, 1\)"),
        (lambda a: a.obsm.update(spatial=np.full((6, 2), np.nan)), "6 of 6 spots have no position"),
    ],
)
def test_sections_without_places(change, message: str) -> None:
    adata = foreign()
    change(adata)
    with pytest.raises(DataError, match=message):
        library_of(adata)


@pytest.mark.parametrize("names", ["var_names", "obs_names"])
@pytest.mark.filterwarnings("ignore")
def test_names_that_mean_several_things(names: str) -> None:
    adata = foreign()
    setattr(adata, names, ["a", "a", *getattr(adata, names)[2:]])
    with pytest.raises(DataError, match="'a' is there more than once"):
        library_of(adata)


def test_no_spots_and_no_genes() -> None:
    with pytest.raises(DataError, match="0 spots"):
        library_of(foreign()[[]])


def test_repeated_names_are_numbered_and_told(tmp_path: Path) -> None:
    adata = foreign()
    adata.var_names = ["G0", "G0", "G1", "G0"]
    adata.obs_names = ["a", "a", "b", "c", "d", "e"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adata.write_h5ad(tmp_path / "a.h5ad")
        read, notes = read_section(tmp_path / "a.h5ad")
    assert list(read.var_names) == ["G0", "G0-1", "G1", "G0-2"]
    assert read.obs_names.is_unique
    assert [note.partition(" of ")[0] for note in notes] == ["2 gene names", "1 spot names"]


def test_files_that_are_none(tmp_path: Path, monkeypatch) -> None:
    import h5py

    with pytest.raises(DataError, match="no file"):
        read_section(tmp_path / "none.h5ad")
    (tmp_path / "text.h5ad").write_text("x,y\n")
    with pytest.raises(DataError, match="no HDF5"):
        read_section(tmp_path / "text.h5ad")
    with h5py.File(tmp_path / "other.h5ad", "w") as file:
        file["X"] = np.zeros(3)
    with pytest.raises(DataError, match="no obs and var"):
        read_section(tmp_path / "other.h5ad")
    adata = foreign()
    adata.write_h5ad(tmp_path / "big.h5ad")
    monkeypatch.setattr("napari_tcgn.expression.read.MAX_BYTES", 10)
    with pytest.raises(DataError, match="GiB of memory"):
        read_section(tmp_path / "big.h5ad")
    monkeypatch.undo()
    (tmp_path / "torn.h5ad").write_bytes((tmp_path / "big.h5ad").read_bytes()[:3000])
    with pytest.raises(DataError, match="cannot be read"):
        read_section(tmp_path / "torn.h5ad")
    anndata.AnnData(obs=pd.DataFrame(index=["a"]), var=pd.DataFrame(index=["b"])).write_h5ad(tmp_path / "empty.h5ad")
    with pytest.raises(DataError, match="no values"):
        read_section(tmp_path / "empty.h5ad")


def test_sparse_values_stay_sparse_and_come_by_column(tmp_path: Path) -> None:
    adata = foreign()
    adata.write_h5ad(tmp_path / "a.h5ad")
    read, _ = read_section(tmp_path / "a.h5ad")
    assert read.X.format == "csc"
    np.testing.assert_array_equal(column(read, "G2"), adata.X.toarray()[:, 2])
    np.testing.assert_array_equal(block(read, slice(1, 3), ["G3", "G0"]), adata.X.toarray()[1:3][:, [3, 0]])
