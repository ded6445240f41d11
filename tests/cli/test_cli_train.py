"""`napari-tcgn train` from a folder of sections to a model that `predict` takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_tcgn.cli.train import describe
from napari_tcgn.training import EpochReport


@pytest.mark.slow
@pytest.mark.parametrize("sections", [4], indirect=True)
def test_a_fold_is_trained_once_and_its_model_predicts(run, sections: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    line = ["train", "--fold", "C2", "--data", sections, "--out", out, "--device", "cpu", "--batch-size", 8, "--mpp", 2]
    code, said, err = run(*line, "--epochs", 1, "--learning-rate", 1e-3)
    assert code == 0, err
    assert "epoch 1/1: training loss" in err
    assert "Held out C2" in said
    metrics = [json.loads(text) for text in (out / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in metrics] == [1]

    code, _, err = run(*line, "--epochs", 1, "--learning-rate", 1e-3)  # the run is there already
    assert code == 1
    assert "--resume" in err

    (model,) = out.glob("model*")
    image = sections / "ST-imgs/C/C2/HE.png"
    code, said, err = run(
        "predict", image, "--mpp", 2, "--spots", sections / "ST-spotfiles/C2_selection.tsv", "--model", model,
        "--out", tmp_path / "C2.h5ad", "--device", "cpu", "--json",
    )  # fmt: skip
    assert code == 0, err
    assert json.loads(said)["spots"] == 16


def test_an_epoch_in_words() -> None:
    report = EpochReport(
        epoch=2, epochs=4, train_loss=0.5, val_loss=0.25, val_median_pcc=0.125, test_loss=None, test_median_pcc=None,
        learning_rate=1e-5, seconds=90.0, best=True,
    )  # fmt: skip
    assert describe(report) == (
        "epoch 2/4: training loss 0.5000, validation loss 0.2500, validation median PCC 0.1250, "
        "1 min 30 s, about 3 min 0 s left · best so far"
    )
