"""`napari-tcgn compare` from a prediction on disk to tables, and what it refuses."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_tcgn.options import CompareSettings
from support.her2st import write_counts, write_selection


@pytest.fixture
def files(tmp_path: Path, run, colour_model) -> dict[str, Path]:
    """A predicted slide of 42 coloured squares, its selection table and its counts."""
    random = np.random.default_rng(0)
    image = np.full((800, 900, 3), 255, np.uint8)
    places, counts = [], {}
    for col in range(1, 8):
        for row in range(1, 7):
            colour = random.integers(20, 220, 3)
            x, y = 100 * col + 20, 100 * row + 10
            image[y - 40 : y + 40, x - 40 : x + 40] = colour
            places.append((col, row, x, y))
            counts[col, row] = colour
    paths = {name: tmp_path / name for name in ("T9.png", "T9_selection.tsv", "T9.tsv", "T9.h5ad", "out")}
    Image.fromarray(image).save(paths["T9.png"])
    write_selection(paths["T9_selection.tsv"], places)
    write_counts(paths["T9.tsv"], counts, ["RED", "GREEN", "BLUE"])
    code, _, error = run(
        "predict", paths["T9.png"], "--mpp", 2, "--spots", paths["T9_selection.tsv"], "--model", "colours",
        "--out", paths["T9.h5ad"],
    )  # fmt: skip
    assert code == 0, error
    return paths


QUICK = ("--draws", 40, "--no-domains")


def test_tables_and_words(files, run) -> None:
    code, out, error = run(
        "compare",
        files["T9.h5ad"],
        files["T9.tsv"],
        "--spots",
        files["T9_selection.tsv"],
        "--out",
        files["out"],
        *QUICK,
    )
    assert code == 0, error
    assert "42 spots matched by name, 3 of 3 genes measured (3 of them vary)." in out
    assert "haematoxylin alone" in out
    assert "reachable at best" in out
    assert "Too noisy to judge: 0 of 3 genes" in out
    assert "measured depth (no predictor)" in out
    assert "Note: The model was trained on T1, T2" in out
    assert "figures: " in error
    genes = pd.read_csv(files["out"] / "genes.csv", index_col=0)
    assert (genes["pcc"] > 0.6).all(), "colours follow colours"
    assert {path.name for path in files["out"].iterdir()} == {
        "genes.csv", "baselines.csv", "overall.json", "compared.h5ad", "report.html",
    }  # fmt: skip
    again = ("compare", files["T9.h5ad"], files["T9.tsv"], "--out", files["out"], *QUICK)
    code, _, error = run(*again)
    assert code == 1
    assert "exists already" in error
    assert run(*again, "--overwrite")[0] == 0


def test_json_gene_sets_slide_and_domains(files, run, tmp_path: Path) -> None:
    (tmp_path / "sets.gmt").write_text("WARM\t\tRED\tGREEN\n")
    (tmp_path / "aliases.tsv").write_text("AZURE\tBLUE\n")
    files["T9.tsv"].write_text(files["T9.tsv"].read_text().replace("BLUE", "AZURE"))
    code, out, error = run(
        "compare", files["T9.h5ad"], files["T9.tsv"], "--out", files["out"], "--json", "--draws", 40, "--slide",
        files["T9.png"], "--mpp", 2, "--gene-sets", tmp_path / "sets.gmt", "--aliases", tmp_path / "aliases.tsv",
    )  # fmt: skip
    assert code == 0, error
    result = json.loads(out)
    assert result["overall"]["n_spots"] == 42
    assert result["manifest"]["genes"]["matched_by"]["alias"] == 1
    assert result["manifest"]["haematoxylin"].startswith("patches of the slide")
    assert result["overall"]["domains"]["n_measured"] >= 1
    sets = pd.read_csv(files["out"] / "gene_sets.csv")
    assert sets["gene_set"].tolist() == ["WARM"]
    assert str(files["out"] / "niches.csv") in result["out"]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda f: f["T9.tsv"].write_text("\tA\n1x1\t3\n"), "None of the model's 3 genes"),
        (lambda f: f["T9.tsv"].write_text("\tRED\n1x1\t3\n1x1\t3\n"), "holds spot '1x1' twice"),
        (lambda f: f["T9.tsv"].write_text("\tRED\n1x1\t-3\n"), "negative or missing"),
        (lambda f: f["T9.tsv"].write_text("\tRED\n91x1\t3\n"), "nothing in common"),
        (lambda f: f["T9.tsv"].unlink(), "There is no file or folder"),
        (lambda f: f["T9.h5ad"].write_bytes(b"no"), "it is no HDF5"),
        (lambda f: f["T9.h5ad"].unlink(), "There is no file"),
        (lambda f: f["out"].write_text(""), "is a file"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(files, run, damage, sentence: str) -> None:
    damage(files)
    code, out, error = run("compare", files["T9.h5ad"], files["T9.tsv"], "--out", files["out"], *QUICK)
    assert code == 1
    assert sentence in error
    assert "Traceback" not in error
    assert out == ""
    assert not files["out"].is_dir()


def test_log_values_of_an_h5ad_are_named(files, run, tmp_path: Path) -> None:
    from napari_tcgn.expression import read_measured

    adata = read_measured(files["T9.tsv"])
    adata.layers["counts"] = adata.X.copy()
    adata.X = np.log1p(adata.X)
    adata.write_h5ad(tmp_path / "m.h5ad")
    given = ("compare", files["T9.h5ad"], tmp_path / "m.h5ad", "--out", files["out"], *QUICK)
    code, _, error = run(*given)
    assert code == 1
    assert "look log-transformed" in error
    assert "--layer counts" in error
    assert run(*given, "--layer", "counts")[0] == 0


def test_help_has_an_example_and_defaults_are_the_settings(run) -> None:
    import inspect

    from napari_tcgn.cli.compare import compare

    code, out, _ = run("compare", "--help")
    assert code == 0
    assert "napari-tcgn compare C2.h5ad C2.tsv.gz" in out
    parameters = inspect.signature(compare).parameters
    for field in fields(CompareSettings):
        assert parameters[field.name].default == field.default, field.name


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit to the size of a file")
@pytest.mark.parametrize("there", [True, False])
def test_a_disk_that_is_full_in_the_middle_leaves_nothing(files, run, there: bool) -> None:
    import resource

    if there:
        files["out"].mkdir()
        (files["out"] / "genes.csv").write_text("of before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # enough for the tables, not for compared.h5ad
    try:
        code, _, error = run(
            "compare", files["T9.h5ad"], files["T9.tsv"], "--spots", files["T9_selection.tsv"], "--out", files["out"],
            "--overwrite", *QUICK,
        )  # fmt: skip
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 1
    assert "compared.h5ad cannot be written: File too large" in error
    assert ".out." not in error, "no temporary name is told"
    assert files["out"].exists() == there
    if there:
        assert [path.name for path in files["out"].iterdir()] == ["genes.csv"]
        assert (files["out"] / "genes.csv").read_text() == "of before"
