"""`napari-tcgn pseudobulk` from predictions to tables."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

pytestmark = pytest.mark.usefixtures("colour_model")


@pytest.fixture
def results(run, section, tmp_path: Path) -> list[Path]:
    """The section in three tints, predicted."""
    paths = []
    for name, channels in {"A": "RGB", "B": "GBR", "C": "BRG"}.items():
        bands = dict(zip("RGB", Image.open(section.image).split(), strict=True))
        image = tmp_path / f"{name}.png"
        Image.merge("RGB", [bands[c] for c in channels]).save(image)
        paths.append(tmp_path / f"{name}.h5ad")
        code, _, err = run(
            "predict", image, "--mpp", 2, "--spots", section.spots, "--model", "colours", "--out", paths[-1]
        )
        assert code == 0, err
    return paths


def test_slides_and_bulk(run, results, tmp_path: Path) -> None:
    code, _, err = run("pseudobulk", *results, "--out", tmp_path / "first")
    assert code == 0, err
    slides = pd.read_csv(tmp_path / "first" / "slides.csv", index_col="slide")
    assert slides.shape == (3, 3)
    (10**slides - 1).to_csv(tmp_path / "bulk.csv")
    bulk = ["--bulk", tmp_path / "bulk.csv", "--bulk-scale", "linear"]
    code, out, err = run("pseudobulk", *results, *bulk, "--out", tmp_path / "second", "--json")
    assert code == 0, err
    said = json.loads(out)
    assert said["median_pcc_over_slides"] == pytest.approx(1)
    assert said["compared_slides"] == said["compared_genes"] == 3
    assert pd.read_csv(tmp_path / "second" / "bulk_genes.csv", index_col="gene")["pcc"].min() == pytest.approx(1)
    assert pd.read_csv(tmp_path / "second" / "bulk_slides.csv", index_col="slide").shape == (3, 3)
    code, out, _ = run("pseudobulk", *results, *bulk, "--out", tmp_path / "second", "--overwrite")
    assert code == 0
    assert "3 slides and 3 genes (matched 3 by symbol):" in out
    assert "a gene over the slides: median PCC 1.000" in out


def test_genes_that_vary_nowhere_are_valid_json(run, results, tmp_path: Path) -> None:
    pd.DataFrame(5, index=list("ABC"), columns=["RED", "GREEN", "BLUE"]).to_csv(tmp_path / "bulk.csv")
    arguments = ["pseudobulk", *results, "--bulk", tmp_path / "bulk.csv"]
    code, out, err = run(*arguments, "--out", tmp_path / "flat", "--json")
    assert code == 0, err
    assert json.loads(out, parse_constant=pytest.fail)["median_pcc_over_slides"] is None
    code, out, _ = run(*arguments, "--out", tmp_path / "flat", "--overwrite")
    assert "median PCC unknown" in out


def test_refusals(run, results, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("pseudobulk", *results, "--out", out)[0] == 0
    code, _, err = run("pseudobulk", *results, "--out", out)
    assert code == 1
    assert "exists already" in err
    code, _, err = run("pseudobulk", results[0], results[0], "--out", tmp_path / "twice")
    assert code == 1
    assert "Two of the files are named 'A'" in err
    code, _, err = run("pseudobulk", results[0], "--out", tmp_path / "scale", "--bulk-scale", "log")
    assert code == 1
    assert "Give --bulk too" in err
    code, _, err = run("pseudobulk", results[0], "--out", results[0])
    assert code == 1
    assert "is a file, not a folder" in err
