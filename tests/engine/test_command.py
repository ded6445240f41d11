"""A run record as a command line; that the line gives equal values is tested where it is run (cli, ui)."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest
import typer

from napari_tcgn.cli.app import app
from napari_tcgn.engine.command import Files, as_line, file_to_save, predict_command
from napari_tcgn.engine.record import RunRecord
from napari_tcgn.errors import DataError
from napari_tcgn.options import GridSettings, PredictSettings, as_arguments, options_of, to_record
from napari_tcgn.options.declaration import check, option
from napari_tcgn.spots.source import _KINDS, SpotsSource, read_source


def recorded(source: dict | None = None, **settings) -> dict:
    """A record as versions before the typed one wrote it, as far as a command needs it."""
    return {
        "slide": {"name": "C2", "file": "C2.jpg"},
        "mpp": 0.688,
        "device": "cuda:0",
        "settings": {"model": "tcgn-tiny-her2st", "precision": "float32", "batch_size": None} | settings,
        "spots": {"source": source or {"kind": "ST selection table", "file": "C2_selection.tsv"}},
    }


def record(source: dict | None = None, **settings) -> RunRecord:
    return RunRecord.read(recorded(source, **settings))


def test_names_of_files_stand_where_paths_are_unknown() -> None:
    line = as_line(predict_command(record(), "C2.h5ad"))
    assert line == (
        "napari-tcgn predict C2.jpg --mpp 0.688 --spots C2_selection.tsv --model tcgn-tiny-her2st --device cuda "
        "--precision float32 --out C2.h5ad"
    )
    command = predict_command(
        record(batch_size=4), "C2.h5ad", Files(slide=Path("/my slides/C2.jpg"), spots=Path("/t/s.tsv"))
    )
    assert command[2] == str(Path("/my slides/C2.jpg"))
    assert command[command.index("--spots") + 1] == str(Path("/t/s.tsv"))
    assert command[command.index("--batch-size") + 1] == "4"
    assert shlex.split(as_line(command, windows=False)) == command


def test_every_setting_of_a_grid_is_an_option_that_gives_it_back() -> None:
    settings = GridSettings("hex", 120.5, 60.0, 10.0, -3.25, 12.0, False, 0.75)
    command = predict_command(record({"kind": "grid", "settings": to_record(settings)}), "C2.h5ad")
    context = typer.main.get_command(app).commands["predict"].make_context("predict", command[2:])
    given = context.params
    for field in fields(GridSettings):
        name = "grid" if field.name == "layout" else field.name
        assert given[name] == getattr(settings, field.name), field.name
    plain = predict_command(record({"kind": "grid", "settings": to_record(GridSettings())}), "C2.h5ad")
    assert plain[5:7] == ["--grid", "st"]
    assert plain[7] == "--model"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slide": {"name": "layer", "file": None}}, "without a file"),
        ({"spots": {"source": {"kind": "grid", "settings": {}, "region": {"layer": "drawn"}}}}, "shaped by region"),
        ({"spots": {"source": {"kind": "drawn"}}}, "of no file"),
        ({"spots": {"source": {"kind": "ST selection table", "file": "a", "without_counts": 2}}}, "count table"),
        ({"spots": {"source": {"kind": "h5ad", "file": "a", "thinned": 2}}}, "also shaped by thinned"),
        ({"spots": {"source": {"kind": "grid", "settings": {"jitter_um": 2}}}}, r"also shaped by settings\.jitter_um"),
        ({"settings": {"model": "m", "tiles": 3}}, "does not know: tiles"),
    ],
)
def test_runs_that_no_command_repeats_say_why(change: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        predict_command(RunRecord.read(recorded() | change), "C2.h5ad")


OTHER_VALUES = {bool: lambda one: not one.default, int: lambda one: (one.default or 2) + 1, float: lambda one: 0.25}


def another_value(one):
    """A value that an option may have and that is not its default."""
    if one.choices:
        return next(choice for choice in one.choices if choice != one.default)
    return OTHER_VALUES.get(one.kind, lambda one: "another")(one)


def test_every_option_of_a_run_stands_in_its_command() -> None:
    for one in options_of(PredictSettings):
        value = another_value(one)
        line = predict_command(record(**{one.name: value}), "C2.h5ad")
        if one.kind is bool:
            assert one.flags[0].split("/")[0 if value else 1] in line
            given = typer.main.get_command(app).commands["predict"].make_context("predict", line[2:]).params
            assert given[one.name] == value
            continue
        # The device is the one that was computed on.
        expected = "cuda" if one.name == "device" else str(value)
        assert line[line.index(one.flags[0]) + 1] == expected
        given = typer.main.get_command(app).commands["predict"].make_context("predict", line[2:]).params
        assert str(given[one.name]) == expected


def test_an_option_that_comes_is_in_the_command_by_itself() -> None:
    @dataclass(frozen=True, slots=True)
    class Later(PredictSettings):
        tiles: int = option(1, "Of a version to come.", at_least=1)
        mirror: bool = option(False, "Of a version to come.")

        def __post_init__(self) -> None:
            check(self)

    assert as_arguments(Later()) == []
    assert as_arguments(Later(tiles=3, mirror=True)) == ["--tiles", "3", "--mirror"]


def test_what_decides_the_spots_is_in_the_command_or_refused() -> None:
    """Also a field that some kind of source gets later: only what is declared as told is left out."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Thinned(SpotsSource):
        kind: str = "thinned"
        every: int | None = None

    for kind in (*_KINDS.values(), Thinned):
        source = kind(file="a.csv", **({"every": 2} if kind is Thinned else {}))
        run = replace(record(), spots=replace(record().spots, source=source))
        if kind is Thinned:
            with pytest.raises(DataError, match="also shaped by every"):
                predict_command(run, "C2.h5ad")
        elif source.kind != "grid":
            assert predict_command(run, "C2.h5ad")[5:7] == ["--spots", "a.csv"]


def test_records_of_before_are_kept_word_for_word() -> None:
    old = {
        "kind": "h5ad", "file": "a.h5ad", "image_size": [600.0, 500.0], "image_size_tolerance": 0.0,
        "recorded": {
            "kind": "saved spots", "file": "s.csv",
            "recorded": {
                "kind": "grid", "tissue_threshold": 0.2,
                "settings": to_record(GridSettings("visium", rotation_deg=3.0)),
                "region": {"file": "r.geojson", "polygons": 2, "outline_px": {"type": "MultiPolygon"}, "left_out": 3},
            },
        },
    }  # fmt: skip
    assert read_source(old).to_record() == old
    assert read_source(old).is_grid
    assert RunRecord.read(recorded(old)).to_record()["spots"]["source"] == old
    again = RunRecord.from_json(record(old).to_json())
    assert again.settings == record(old).settings
    assert again.spots.source == record(old).spots.source


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ({"kind": "grid", "settings": {}}, ""),
        ({"kind": "ST selection table", "file": "a.tsv"}, ""),
        ({"kind": "grid", "settings": {}, "region": {"file": "roi.geojson"}}, ""),
        ({"kind": "grid", "settings": {}, "region": {"layer": "drawn"}}, "region"),
        ({"kind": "grid", "settings": {}, "region": {"layer": "drawn"}, "deleted": 2}, "spots"),
        ({"kind": "ST selection table", "file": "a.tsv", "without_counts": 3}, "spots"),
        ({"kind": "made by a program"}, "spots"),
    ],
)
def test_what_has_to_be_saved_for_a_command(source: dict, wanted: str) -> None:
    run = record(source)
    assert file_to_save(run) == wanted
    saved = {"": Files(), "region": Files(region=Path("r.geojson")), "spots": Files(saved_spots=Path("s.csv"))}[wanted]
    command = predict_command(run, "C2.h5ad", saved)
    assert ("r.geojson" in command, "s.csv" in command) == (wanted == "region", wanted == "spots")
    assert ("--grid" in command) == (source["kind"] == "grid" and wanted != "spots")
