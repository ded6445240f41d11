from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_tcgn.engine import run, run_to_end
from napari_tcgn.errors import DataError, ModelError, OutputError, PixelSizeUnknownError
from napari_tcgn.expression import predict_steps, read_prediction, to_anndata, write_h5ad
from napari_tcgn.model import HeldOut, ModelCard
from napari_tcgn.options import PredictSettings
from napari_tcgn.slide import ArraySlide


def test_layout_is_that_of_visium(prediction, spots, predictor) -> None:
    adata = to_anndata(prediction)
    assert adata.X.dtype == np.float32
    np.testing.assert_array_equal(adata.X, prediction.values)
    assert list(adata.obs_names) == list(spots.ids)
    assert list(adata.var_names) == predictor.card.genes
    np.testing.assert_array_equal(adata.obsm["spatial"], np.column_stack([spots.x, spots.y]))
    assert adata.obsm["spatial"].dtype == np.float64
    np.testing.assert_array_equal(adata.obs["array_row"], spots.array_row)
    np.testing.assert_array_equal(adata.obs["array_col"], spots.array_col)
    np.testing.assert_array_equal(adata.obs["in_tissue"], (spots.array_col != 3).astype(int))
    np.testing.assert_array_equal(adata.obs["tissue_fraction"], spots.tissue_fraction)
    library = adata.uns["spatial"]["C2"]
    assert library["scalefactors"]["spot_diameter_fullres"] == pytest.approx(100 / 0.688)
    picture = library["images"]["hires"]
    assert picture.dtype == np.uint8
    assert picture.shape[1] == pytest.approx(1600 * library["scalefactors"]["tissue_hires_scalef"], abs=1)


def test_padded_patches_are_flagged(prediction, spots) -> None:
    padded = to_anndata(prediction).obs["patch_padded"]
    np.testing.assert_array_equal(padded, spots.array_col == 0)  # 40 px from the edge, patches of 112 px


def test_trust_stands_beside_the_genes(prediction) -> None:
    var = to_anndata(prediction).var
    assert list(var["gene_ids"][:2]) == ["ENSG00000000000", "ENSG00000000001"]
    assert var.loc["GNAS", ["held_out_pcc", "held_out_pcc_low", "held_out_pcc_high"]].tolist() == [0.31, 0.21, 0.41]
    assert np.isnan(var.loc["ACTB", "held_out_pcc"])
    assert np.isnan(var["held_out_depth_pcc"]).all(), "a card that says nothing of it"
    assert (var["better_simple_model"] == "").all()


def test_depth_and_better_simple_models_stand_beside_the_genes(prediction, tmp_path) -> None:
    genes = prediction.card.genes
    depth, better = [0.1] * len(genes), [None] * len(genes)
    depth[1], better[0] = None, "colour-texture-line"
    prediction.card = replace(
        prediction.card, metrics=replace(prediction.card.metrics, depth_pcc=depth, better_simple=better)
    )
    write_h5ad(to_anndata(prediction), tmp_path / "a.h5ad")
    var = read_prediction(tmp_path / "a.h5ad").var
    assert var["held_out_depth_pcc"].iloc[0] == 0.1
    assert np.isnan(var["held_out_depth_pcc"].iloc[1])
    assert list(var["better_simple_model"][:2]) == ["colour-texture-line", ""]
    with pytest.raises(ModelError, match="better_simple"):
        replace(prediction.card, metrics=HeldOut(better_simple=[None]))


def test_records_can_be_read_back(prediction, predictor) -> None:
    uns = to_anndata(prediction).uns["napari_tcgn"]
    assert json.loads(uns["run_record"]) == prediction.record.to_record()
    assert ModelCard.from_json(uns["model_card"]) == predictor.card
    assert uns["output_scale"] == predictor.card.output_scale
    assert uns["partial"] is False


def test_partial_result_keeps_what_is_done_and_says_so(slide, spots, predictor) -> None:
    steps = run(slide, spots, predictor, PredictSettings(batch_size=4))
    step = next(step for step in steps if step.done == 12)
    steps.close()
    adata = to_anndata(step.prediction)
    assert adata.n_obs == 12
    assert list(adata.obs_names) == list(spots.ids[step.prediction.done])
    assert np.isfinite(adata.X).all()
    assert adata.uns["napari_tcgn"]["partial"] is True
    assert json.loads(adata.uns["napari_tcgn"]["run_record"])["spots_done"] == 12


def test_nothing_predicted_is_refused(slide, spots, predictor) -> None:
    steps = run(slide, spots, predictor)
    step = next(step for step in steps if step.prediction is not None)
    steps.close()
    with pytest.raises(OutputError, match="No spot"):
        to_anndata(step.prediction)


def test_file_holds_exactly_what_was_written(tmp_path: Path, prediction) -> None:
    adata = to_anndata(prediction)
    write_h5ad(adata, tmp_path / "p.h5ad")
    back = read_prediction(tmp_path / "p.h5ad")
    assert back.X.tobytes() == adata.X.tobytes()
    assert back.X.dtype == np.float32
    assert back.obsm["spatial"].tobytes() == adata.obsm["spatial"].tobytes()
    assert back.obs.equals(adata.obs)
    assert dict(back.obs.dtypes) == dict(adata.obs.dtypes)
    assert back.var.equals(adata.var)
    assert list(back.var["gene_ids"]) == prediction.card.gene_ids, "repeated empty ids stay plain text"
    library, written = back.uns["spatial"]["C2"], adata.uns["spatial"]["C2"]
    np.testing.assert_array_equal(library["images"]["hires"], written["images"]["hires"])
    assert library["images"]["hires"].dtype == np.uint8
    assert library["scalefactors"] == written["scalefactors"]
    assert library["metadata"] == written["metadata"]
    assert back.uns["napari_tcgn"] == adata.uns["napari_tcgn"]


def test_section_name_that_hdf5_would_take_for_folders(tmp_path: Path, pixels, spots, predictor) -> None:
    slide = ArraySlide(pixels, "patient C/section 2", mpp=0.688)
    adata = run_to_end(predict_steps(slide, spots, predictor))
    write_h5ad(adata, tmp_path / "p.h5ad")
    assert list(read_prediction(tmp_path / "p.h5ad").uns["spatial"]) == ["patient C_section 2"]


def test_nothing_is_overwritten_unasked(tmp_path: Path, prediction) -> None:
    path = tmp_path / "p.h5ad"
    path.write_text("mine")
    adata = to_anndata(prediction)
    with pytest.raises(OutputError, match="exists already"):
        write_h5ad(adata, path)
    assert path.read_text() == "mine"
    write_h5ad(adata, path, overwrite=True)
    assert read_prediction(path).n_obs == 35


@pytest.mark.parametrize("name", ["p.csv", "p", "missing/p.h5ad"])
def test_unwritable_targets(tmp_path: Path, prediction, name: str) -> None:
    with pytest.raises(OutputError):
        write_h5ad(to_anndata(prediction), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_failed_write_leaves_nothing(tmp_path: Path, prediction) -> None:
    adata = to_anndata(prediction)
    adata.uns["cannot be written"] = object()
    with pytest.raises(Exception, match="object"):
        write_h5ad(adata, tmp_path / "p.h5ad")
    assert list(tmp_path.iterdir()) == []


def test_files_that_hold_no_prediction(tmp_path: Path) -> None:
    import anndata

    with pytest.raises(DataError, match="no file"):
        read_prediction(tmp_path / "none.h5ad")
    (tmp_path / "torn.h5ad").write_bytes(b"\x89HDF\r\n\x1a\n torn")
    with pytest.raises(DataError, match="cannot be read"):
        read_prediction(tmp_path / "torn.h5ad")
    anndata.AnnData(np.zeros((2, 2), np.float32)).write_h5ad(tmp_path / "other.h5ad")
    with pytest.raises(DataError, match="no napari-tcgn prediction"):
        read_prediction(tmp_path / "other.h5ad")


def test_predict_goes_through_its_stages(slide, spots, predictor) -> None:
    stages: list[str] = []
    steps = predict_steps(slide, spots, predictor, PredictSettings(batch_size=16))
    adata = run_to_end(steps, lambda step: stages.append(step.stage))
    assert list(dict.fromkeys(stages)) == ["load model", "read slide", "predict"]
    assert adata.n_obs == 35
    assert json.loads(adata.uns["napari_tcgn"]["run_record"])["settings"]["model"] == "colours"


def test_predict_refuses_before_loading_a_model(pixels, spots) -> None:
    with pytest.raises(PixelSizeUnknownError):
        next(predict_steps(ArraySlide(pixels, "C2", mpp=None), spots, "no such model"))


def test_predict_names_an_unknown_model(slide, spots) -> None:
    with pytest.raises(ModelError, match="no-such-model"):
        run_to_end(predict_steps(slide, spots, "no-such-model"))
