"""`napari-tcgn train` from a folder of sections to a model that `predict` takes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_tcgn.cli.train import describe
from napari_tcgn.train import EpochReport

SIDE, PITCH = 700, 100


@pytest.fixture
def sections(tmp_path: Path) -> Path:
    """Two sections in her2st layout, 25 spots each, whose counts follow their colours."""
    random = np.random.default_rng(1)
    root = tmp_path / "mini"
    columns = ["x", "y", "new_x", "new_y", "pixel_x", "pixel_y", "selected"]
    genes = ["GNAS", "FASN", "ACTG1", "XBP1"]
    for name in ("C2", "C3"):
        image = np.full((SIDE, SIDE, 3), 240, np.uint8)
        rows, counts = [], {}
        for i in range(25):
            col, row = i % 5 + 1, i // 5 + 1
            x, y, colour = col * PITCH, row * PITCH, random.integers(30, 220, 3)
            image[y - 50 : y + 50, x - 50 : x + 50] = colour
            rows.append((col, row, col, row, x, y, 1))
            counts[f"{col}x{row}"] = [*colour, 50]
        for part in ("ST-cnts", "ST-spotfiles", f"ST-imgs/C/{name}"):
            (root / part).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / f"ST-imgs/C/{name}/HE.png")
        pd.DataFrame(rows, columns=columns).to_csv(root / f"ST-spotfiles/{name}_selection.tsv", sep="\t", index=False)
        pd.DataFrame.from_dict(counts, orient="index", columns=genes).to_csv(root / f"ST-cnts/{name}.tsv.gz", sep="\t")
    return root


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
    assert json.loads(said)["spots"] == 25


def test_an_epoch_in_words() -> None:
    report = EpochReport(
        epoch=2, epochs=4, train_loss=0.5, val_loss=0.25, val_median_pcc=0.125, test_loss=None, test_median_pcc=None,
        learning_rate=1e-5, seconds=90.0, best=True,
    )  # fmt: skip
    assert describe(report) == (
        "epoch 2/4: training loss 0.5000, validation loss 0.2500, validation median PCC 0.1250, "
        "1 min 30 s, about 3 min 0 s left · best so far"
    )
