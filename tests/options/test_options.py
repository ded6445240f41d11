"""What is declared of the options: kinds, ranges, flags, former names, and the page of the docs that lists them."""

from __future__ import annotations

import runpy
from dataclasses import fields
from pathlib import Path

import pytest

from napari_tcgn.errors import SettingsError
from napari_tcgn.options import (
    CompareSettings,
    ExplainSettings,
    ExportSettings,
    GridSettings,
    PredictSettings,
    TrainSettings,
    as_arguments,
    option_of,
    options_of,
    read_settings,
    to_record,
    with_new_names,
)

EVERY = (GridSettings, PredictSettings, ExportSettings, CompareSettings, ExplainSettings, TrainSettings)
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("settings", EVERY)
def test_every_field_is_declared_with_a_default_that_it_may_have(settings: type) -> None:
    declared = {one.name: one for one in options_of(settings)}
    assert list(declared) == [field.name for field in fields(settings)]
    for one in declared.values():
        assert one.help.endswith("."), one.name
        assert one.is_of_kind(one.default), one.name
        assert one.is_in_range(one.default), one.name
        assert one.form is None or one.form[0] < one.form[1]
    assert as_arguments(settings()) == []


@pytest.mark.parametrize(
    ("settings", "value", "said"),
    [
        (PredictSettings, {"device": "tpu"}, r"device must be one of auto, cuda, mps, cpu, found 'tpu'"),
        (PredictSettings, {"batch_size": 0}, "batch_size must be at least 1, found 0"),
        (PredictSettings, {"read_threads": "2"}, "read_threads must be a whole number, found '2'"),
        (PredictSettings, {"read_threads": True}, "read_threads must be a whole number, found True"),
        (GridSettings, {"pitch_um": -1.0}, "pitch_um must be a positive number of µm, found -1.0"),
        (GridSettings, {"rotation_deg": float("nan")}, "rotation_deg must be a finite number"),
        (GridSettings, {"min_tissue_fraction": 1.1}, "min_tissue_fraction must be from 0 to 1, found 1.1"),
        (GridSettings, {"layout": "hex", "pitch_um": 5.0}, "diameter_um must be given for a custom lattice"),
        (GridSettings, {"layout": "visium-hd", "pitch_um": 4.0}, "2, 8 or 16 for the bins"),
        (CompareSettings, {"min_matched": 0.0}, "min_matched must be above 0, to 1, found 0.0"),
        (CompareSettings, {"permutations": 18}, "permutations must be at least 19"),
        (TrainSettings, {"ema": 1.0}, "ema must be from 0 to below 1"),
        (TrainSettings, {"learning_rate": 0.0}, "learning_rate must be positive"),
        (TrainSettings, {"min_counts": -1}, "min_counts must be zero or positive"),
        (TrainSettings, {"augment": 1}, "augment must be true or false, found 1"),
        (TrainSettings, {"val_fraction": 0.0, "patience": 2}, "patience must be 0 where no epoch is chosen"),
        (TrainSettings, {"loss": "negative-binomial", "centre_sections": True}, "centre_sections must be off"),
    ],
)
def test_a_value_that_an_option_may_not_have_is_named(settings: type, value: dict, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        settings(**value)


def test_numbers_of_numpy_are_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    settings = GridSettings(rotation_deg=numpy.float64(2.5), origin_x_um=numpy.float32(1.0))
    assert as_arguments(settings) == ["--origin-x-um", "1.0", "--rotation-deg", "2.5"]
    assert PredictSettings(batch_size=numpy.int64(4)).batch_size == 4


def test_flags_are_those_of_the_command_line() -> None:
    assert option_of(GridSettings, "layout").parameter == "grid"
    assert option_of(GridSettings, "tissue_only").flags == ("--tissue-only/--whole-slide",)
    assert option_of(TrainSettings, "augment").flags == ("--augment/--no-augment",)
    assert option_of(TrainSettings, "centre_sections").flags == ("--centre-sections",)
    tissue_only = option_of(GridSettings, "tissue_only")
    assert (tissue_only.flag_of(True), tissue_only.flag_of(False)) == ("--tissue-only", "--whole-slide")
    assert option_of(TrainSettings, "centre_sections").flag_of(False) == ""
    assert option_of(GridSettings, "pitch_um").flag_of(100.0) == "--pitch-um"
    assert as_arguments(GridSettings(tissue_only=False), ("layout",)) == ["--grid", "st", "--whole-slide"]


def test_settings_of_another_version_are_read() -> None:
    assert with_new_names({"beside": "none", "seed": 1}) == {"residual": "none", "seed": 1}
    old = to_record(TrainSettings(residual="colour-texture", seed=3))
    old["beside"] = old.pop("residual")
    del old["ema"]
    assert read_settings(TrainSettings, old | {"later": 5}) == (
        TrainSettings(residual="colour-texture", seed=3),
        {"later": 5},
    )


def test_the_page_of_the_docs_is_current() -> None:
    page = runpy.run_path(str(ROOT / "scripts" / "make_options_page.py"))["page"]()
    assert (ROOT / "docs" / "options.md").read_text(encoding="utf-8") == page, "run scripts/make_options_page.py"
