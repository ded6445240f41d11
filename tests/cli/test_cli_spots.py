"""`predict` with regions, saved spots, bins and thresholds; the record says so, and the copied command repeats it."""

from __future__ import annotations

import json
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from napari_tcgn.engine import RunRecord
from napari_tcgn.engine.command import Files, predict_command
from napari_tcgn.errors import DataError
from napari_tcgn.slide import open_slide
from napari_tcgn.spots import read_spots, write_spots

pytestmark = pytest.mark.usefixtures("colour_model")
LEFT = {"type": "Polygon", "coordinates": [[[0, 0], [250, 0], [250, 5000], [0, 5000], [0, 0]]]}


def record_of(path: Path) -> RunRecord:
    return RunRecord.from_json(anndata.read_h5ad(path).uns["napari_tcgn"]["run_record"])


@pytest.fixture
def predict(run, section, tmp_path):
    def call(name, *more):
        fixed = ("--mpp", 2.0, "--model", "colours", "--device", "cpu")
        return run("predict", section.image, *fixed, "--out", tmp_path / name, *more)

    return call


def test_roi_of_a_geojson_file(predict, section, tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    Path("left.geojson").write_text(json.dumps({"type": "Feature", "geometry": LEFT, "properties": {}}))
    for name, where in (("spots", ("--spots", section.spots)), ("grid", ("--grid", "st", "--whole-slide"))):
        code, _, err = predict(f"{name}.h5ad", *where, "--roi", "left.geojson")
        assert code == 0, err
        adata = anndata.read_h5ad(f"{name}.h5ad")
        assert (adata.obsm["spatial"][:, 0] <= 250).all()
        record = record_of(Path(f"{name}.h5ad"))
        assert record.spots.source.region.file == "left.geojson"
        # The command of the record makes the same again.
        spots_file = section.spots if name == "spots" else None
        command = predict_command(record, f"{name}2.h5ad", Files(slide=section.image, spots=spots_file))
        code, _, err = run(*command[1:])
        assert code == 0, err
        np.testing.assert_array_equal(anndata.read_h5ad(f"{name}2.h5ad").X, adata.X)


def test_saved_spots_and_the_spots_of_a_result(predict, section, tmp_path):
    spots = read_spots(section.spots)
    write_spots(spots, tmp_path / "saved.csv", slide=open_slide(section.image, mpp=2.0))
    assert predict("a.h5ad", "--spots", tmp_path / "saved.csv")[0] == 0
    assert predict("b.h5ad", "--spots", tmp_path / "a.h5ad")[0] == 0
    first, second = (anndata.read_h5ad(tmp_path / name) for name in ("a.h5ad", "b.h5ad"))
    np.testing.assert_array_equal(first.X, second.X)
    assert first.obs_names.tolist() == spots.ids.tolist()


def test_spots_that_are_trusted_are_told_of_and_repeated(run, section, tmp_path):
    """At 1 µm per px, where the array says 2: refused, or predicted with a warning in the record of the run."""
    command = ("predict", section.image, "--mpp", 1, "--spots", section.spots, "--model", "colours", "--out")
    code, _, err = run(*command, tmp_path / "a.h5ad")
    assert code == 1
    assert "implies 2 µm per pixel" in err
    assert not (tmp_path / "a.h5ad").exists()
    code, out, err = run(*command, tmp_path / "a.h5ad", "--trust-spots")
    assert code == 0, err
    assert "Note: The array of T1_selection.tsv implies 2 µm per pixel" in out
    record = record_of(tmp_path / "a.h5ad")
    assert "implies 2 µm per pixel" in record.warnings[0]
    repeated = predict_command(record, str(tmp_path / "b.h5ad"), Files(slide=section.image, spots=section.spots))
    assert "--trust-spots" in repeated
    assert run(*repeated[1:])[0] == 0


def test_a_library_belongs_to_spots(run, section, tmp_path):
    code, _, err = run(
        "predict", section.image, "--mpp", 2, "--grid", "st", "--library", "s", "--model", "colours",
        "--out", tmp_path / "a.h5ad",
    )  # fmt: skip
    assert code == 1
    assert "--library belongs to the --spots of an .h5ad" in err


def test_what_no_command_makes_is_repeated_by_its_own_result(predict, section, tmp_path):
    counts = pd.read_csv(section.counts, sep="\t", index_col=0).drop(index="2x2")
    counts.to_csv(section.counts, sep="\t")
    code, _, err = predict("a.h5ad", "--spots", section.spots, "--counts", section.counts)
    assert code == 0, err
    with pytest.raises(DataError, match=r"count table.*give predict that file as --spots"):
        predict_command(record_of(tmp_path / "a.h5ad"), "b.h5ad", Files(slide=section.image, spots=section.spots))
    assert predict("b.h5ad", "--spots", tmp_path / "a.h5ad")[0] == 0
    first, second = (anndata.read_h5ad(tmp_path / name) for name in ("a.h5ad", "b.h5ad"))
    assert first.n_obs == 8
    np.testing.assert_array_equal(first.X, second.X)
    pd.testing.assert_frame_equal(first.obs, second.obs)


def test_what_cannot_be(predict, section, tmp_path):
    (tmp_path / "far.geojson").write_text(json.dumps(LEFT).replace("[0, ", "[90000, ").replace("[250", "[90250"))
    code, _, err = predict("a.h5ad", "--spots", section.spots, "--roi", tmp_path / "far.geojson")
    assert code != 0
    assert "inside the region" in err
    code, _, err = predict("a.h5ad", "--grid", "st", "--tissue-threshold", 9)
    assert code != 0
    assert "No tissue was found" in err
    code, _, err = predict("a.h5ad", "--grid", "visium-hd", "--pitch-um", 3)
    assert code != 0
    assert "2, 8 or 16" in err
    code, _, err = predict("a.h5ad", "--spots", section.spots, "--tissue-threshold", 0.2)
    assert code != 0
    assert "--tissue-threshold shapes a --grid" in err
    assert not (tmp_path / "a.h5ad").exists()
