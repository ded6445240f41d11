"""From a timm checkpoint on disk to an encoder-ridge model that `predict` runs, by commands alone."""

from __future__ import annotations

import json
from pathlib import Path

import anndata
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from napari_tcgn.model.timm_import import import_timm


@pytest.mark.slow
@pytest.mark.parametrize("sections", [3], indirect=True)  # TCGN is trained too
def test_encoder_ridge_is_compared_written_and_predicts(run, sections: Path, tmp_path: Path) -> None:
    torch.manual_seed(7)
    file = tmp_path / "published.safetensors"
    save_file(import_timm().create_model("test_resnet", pretrained=False).state_dict(), file)
    recipe, out = tmp_path / "recipe.toml", tmp_path / "cv"
    recipe.write_text("epochs = 1\nbatch_size = 8\nval_fraction = 0.0\ntop_genes = 3\n")
    code, said, err = run(
        "cross-validate", "--data", sections, "--out", out, "--config", recipe, "--mpp", 2, "--device", "cpu",
        "--encoder", "test_resnet", "--encoder-weights", file, "--final", "--cache", tmp_path / "cache",
    )  # fmt: skip
    assert code == 0, err
    assert "test_resnet-pca-ridge (published.safetensors, sha256 " in said
    record = json.loads((out / "evaluation.json").read_text())
    assert record["encoder"]["name"] == "test_resnet"
    assert len(record["panels"]["C2"]["genes"]) == 3
    folder = out / "models" / "test_resnet-pca-ridge-her2st"
    card = json.loads((folder / "card.json").read_text())
    assert card["architecture"] == {"family": "ridge", "features": "encoder", "encoder": "test_resnet"}
    assert card["training"]["encoder"] == record["encoder"]
    assert card["metrics"]["median_pcc"] is not None
    assert card["genes"] == record["panels"]["none"]["genes"]
    image = sections / "ST-imgs/C/C2/HE.png"
    code, said, err = run(
        "predict", image, "--mpp", 2, "--spots", sections / "ST-spotfiles/C2_selection.tsv", "--model", folder,
        "--out", tmp_path / "C2.h5ad", "--device", "cpu", "--json",
    )  # fmt: skip
    assert code == 0, err
    predicted = anndata.read_h5ad(tmp_path / "C2.h5ad")
    assert list(predicted.var_names) == card["genes"]
    values = np.asarray(predicted.X)
    assert values.shape == (9, 3)
    assert (values.std(axis=0) > 0).all()

    code, said, _ = run("data", "cache", "--folder", tmp_path / "cache")
    assert code == 0
    assert "features in 4 entries" in said
    code, said, _ = run("data", "cache", "--folder", tmp_path / "cache", "--clear")
    assert said.startswith("Removed patches and encoders' features in 4 entries")
    assert list((tmp_path / "cache").iterdir()) == []


def test_other_weights_are_refused_before_anything_is_trained(run, sections: Path, tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    save_file({"layer": torch.zeros(2)}, file)
    line = ["cross-validate", "--data", sections, "--out", tmp_path / "cv", "--mpp", 2, "--encoder", "test_resnet"]
    code, _, err = run(*line, "--encoder-weights", file)
    assert code == 1
    assert "do not fit the encoder 'test_resnet'" in err
    code, _, err = run(*line, "--encoder-weights", tmp_path / "absent.pth")
    assert "There is no checkpoint" in err
    code, _, err = run(*line, "--top-genes", 50)
    assert "The 50 most variable genes were asked for, but only 4" in err
    assert not (tmp_path / "cv").exists()
