"""`napari-tcgn cross-validate` on the sample, from the command to the report; recipes from files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from napari_tcgn.errors import SettingsError
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.fit.recipe import RECIPES, read_train_settings


def test_recipes_that_come_along_are_valid() -> None:
    assert RECIPES
    for path in RECIPES.values():
        assert TrainSettings(**read_train_settings(path)).loss == "correlation"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.toml", "epochs = ", "cannot be read as a recipe"),
        ("a.toml", "epoch = 3", "unknown settings: epoch"),
        ("a.json", "{}", "has no identity: settings"),
        ("a.json", "[]", r"is \[\]; wanted: an object"),
        ("a.toml", 'epochs = "8"', "epochs must be a whole number, found '8'"),
        ("a.toml", "batch_size = 8.0", "batch_size must be a whole number"),
        ("a.toml", 'learning_rate = "fast"', "learning_rate must be a finite number"),
        ("a.toml", "learning_rate = inf", "learning_rate must be a finite number"),
        ("a.toml", 'augment = "no"', "augment must be true or false, found 'no'"),
        ("a.json", '{"identity": {"settings": {"ema": null}}}', "ema must be a finite number, found None"),
    ],
)
def test_files_that_are_no_recipe(tmp_path, name, text, said) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SettingsError, match=said):
        read_train_settings(tmp_path / name)
    with pytest.raises(SettingsError, match="cannot be read as a recipe"):
        read_train_settings(tmp_path / "absent.toml")


def test_run_record_repeats_its_recipe(tmp_path) -> None:
    from napari_tcgn.options import to_record

    settings = TrainSettings(epochs=3, clip_norm=2.0, loss="correlation")
    (tmp_path / "run.json").write_text(json.dumps({"identity": {"settings": to_record(settings)}}))
    assert TrainSettings(**read_train_settings(tmp_path / "run.json")) == settings


@pytest.mark.slow
def test_cross_validation_from_the_command_to_the_report(run, sections: Path, tmp_path: Path) -> None:
    out = tmp_path / "cv"
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('epochs = 7\nbatch_size = 8\nval_fraction = 0.0\nmin_counts = 265\nbeside = "colour-texture"\n')
    line = ["cross-validate", "--data", sections, "--out", out, "--config", recipe, "--epochs", 1, "--mpp", 2]
    code, said, err = run(*line, "--device", "cpu", "--final")
    assert code == 0, err
    assert "section all" in said
    assert "colour-texture-line" in said
    # `beside` in the recipe is the option's former name.
    settings = json.loads((out / "runs/fold-C2/run.json").read_text())["identity"]["settings"]
    assert settings["residual"] == "colour-texture"
    assert len((out / "runs/fold-C2/metrics.jsonl").read_text().splitlines()) == 1, "the option goes before the recipe"
    page = (out / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page.replace("https://", "http").split("<h2>Recipe")[0], "nothing is loaded from elsewhere"
    for picture in ("pcc_distribution.png", "medians.png"):
        assert Image.open(out / picture).size[0] > 500
    code, said, err = run("models", "info", out / "models/haematoxylin-her2st")
    assert code == 0, err
    assert "leave one section out" in said
    code, said, err = run("cross-validate", "--data", sections, "--by", "patient", "--mpp", 2, "--out", tmp_path / "x")
    assert code == 1
    assert "no patient can be held out" in err
