"""`napari-tcgn export`, and a predicted file's own command run again."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields

import anndata
import numpy as np
import pandas as pd
import pytest
import typer

from napari_tcgn.cli.app import app
from napari_tcgn.engine import RunRecord, predict_command
from napari_tcgn.options import ExportSettings


@pytest.fixture
def result(run, section, colour_model, tmp_path):
    path = tmp_path / "T1.h5ad"
    code, _, err = run(
        "predict", section.image, "--mpp", 2, "--spots", section.spots, "--model", "colours", "--out", path
    )
    assert code == 0, err
    return path


def test_every_setting_is_an_option_with_the_same_default() -> None:
    options = {p.name: p for p in typer.main.get_command(app).commands["export"].params}
    for field in fields(ExportSettings):
        assert options[field.name].default == field.default, field.name


def test_help_shows_an_example(run) -> None:
    code, out, _ = run("export", "--help")
    assert code == 0
    assert "napari-tcgn export C2.h5ad" in out.partition("Example")[2]


def test_several_formats_at_once(run, result, section, tmp_path) -> None:
    names = ("t.csv", "t.geojson", "t.png")
    targets = [x for name in names for x in ("--to", tmp_path / name)]
    code, out, err = run("export", result, *targets, "--genes", "GREEN,RED", "--json")
    assert code == 0, err
    assert [(one["spots"], one["genes"], one["partial"]) for one in json.loads(out)] == [(9, 2, False)] * 3
    table = pd.read_csv(tmp_path / "t.csv")
    np.testing.assert_allclose(table["GREEN"], section.colours[:, 1], atol=1e-4)
    code, out, err = run("export", result, "--to", tmp_path / "t.csv", "--overwrite")
    assert code == 0, err
    assert out == f"Wrote {tmp_path / 't.csv'}: 3 genes at 9 spots.\n"


def test_spatialdata_with_the_slide(run, result, section, tmp_path) -> None:
    import spatialdata

    code, out, err = run("export", result, "--to", tmp_path / "t.zarr", "--slide", section.image)
    assert code == 0, err
    assert "9 spots" in out
    assert spatialdata.read_zarr(tmp_path / "t.zarr")["image"].shape == (3, 400, 400)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--to", "t.xlsx"], "none of the formats"),
        (["--to", "t.csv", "--genes", "PURPLE"], "Gene 'PURPLE' is not among the 3 genes"),
        (["--to", "t.csv", "--library", "B4"], "no section 'B4'"),
        (["--to", "t.csv", "--mpp", "-1"], "positive"),
        (["--to", "t.csv", "--top", "0"], "at least 1"),
        (["--to", "t.zarr", "--slide", "no.jpg"], "does not exist"),
        (["--to", "t.csv", "--slide", "no.jpg"], "no --to ends in .zarr"),
    ],
)
def test_errors_are_sentences(run, result, tmp_path, monkeypatch, more, message) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    code, _, err = run("export", result, *more)
    assert code == 1
    assert message in err
    assert set(tmp_path.iterdir()) == before


def test_what_exists_is_refused_before_anything_is_written(run, result, tmp_path) -> None:
    (tmp_path / "b.csv").write_text("mine")
    code, _, err = run("export", result, "--to", tmp_path / "a.csv", "--to", tmp_path / "b.csv")
    assert code == 1
    assert "exists already" in err
    assert not (tmp_path / "a.csv").exists()


def test_the_recorded_command_repeats_the_run(run, result, section, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # a record holds names without folders
    first = anndata.read_h5ad(result)
    record = RunRecord.from_json(first.uns["napari_tcgn"]["run_record"])
    code, _, err = run(*predict_command(record, "again.h5ad")[1:])
    assert code == 0, err
    again = anndata.read_h5ad(tmp_path / "again.h5ad")
    assert again.X.tobytes() == first.X.tobytes()
    assert list(again.obs_names) == list(first.obs_names)


@pytest.mark.parametrize("damage", ["{", "[]", "null", "spots"])
def test_a_damaged_run_record_is_named(run, result, tmp_path, damage) -> None:
    adata = anndata.read_h5ad(result)
    ours = adata.uns["napari_tcgn"]
    ours["run_record"] = (
        json.dumps(json.loads(ours["run_record"]) | {"spots": None}) if damage == "spots" else damage
    )  # fmt: skip
    adata.write_h5ad(tmp_path / "damaged.h5ad")
    adata.write_h5ad(tmp_path / "measured.h5ad")
    for command in (
        ("export", tmp_path / "damaged.h5ad", "--to", tmp_path / "t.csv"),
        ("compare", tmp_path / "damaged.h5ad", tmp_path / "measured.h5ad", "--out", tmp_path / "c"),
    ):
        code, _, err = run(*command)
        assert code == 1
        assert "The run record of the result" in err
        assert "wanted" in err or "not JSON" in err
        assert "bug" not in err


def test_positions_that_are_text_are_named(run, result, tmp_path) -> None:
    import h5py

    shutil.copy(result, tmp_path / "text.h5ad")
    with h5py.File(tmp_path / "text.h5ad", "a") as file:
        spots = len(file["obsm/spatial"])
        del file["obsm/spatial"], file["uns/napari_tcgn"]
        file["obsm"].create_dataset("spatial", data=np.array([[b"a", b"b"]] * spots))
    for command in (
        ("export", tmp_path / "text.h5ad", "--to", tmp_path / "t.csv"),
        ("compare", result, tmp_path / "text.h5ad", "--out", tmp_path / "c"),
    ):
        code, _, err = run(*command)
        assert code == 1
        assert "obsm['spatial'] of" in err
        assert "cannot be read as numbers" in err
