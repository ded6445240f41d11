"""A run record as a command line; that the line gives equal values is tested where it is run (cli, ui)."""

from __future__ import annotations

import shlex
from dataclasses import fields
from pathlib import Path

import pytest
import typer

from napari_tcgn.cli.app import app
from napari_tcgn.engine.command import as_line, predict_command
from napari_tcgn.errors import DataError
from napari_tcgn.options import GridSettings, to_record


def record(source: dict | None = None, **settings) -> dict:
    return {
        "slide": {"name": "C2", "file": "C2.jpg"},
        "mpp": 0.688,
        "device": "cuda:0",
        "settings": {"model": "tcgn-tiny-her2st", "precision": "float32", "batch_size": None} | settings,
        "spots": {"source": source or {"kind": "ST selection table", "file": "C2_selection.tsv"}},
    }


def test_names_of_files_stand_where_paths_are_unknown() -> None:
    line = as_line(predict_command(record(), "C2.h5ad"))
    assert line == (
        "napari-tcgn predict C2.jpg --mpp 0.688 --spots C2_selection.tsv --model tcgn-tiny-her2st --device cuda "
        "--precision float32 --out C2.h5ad"
    )
    command = predict_command(record(batch_size=4), "C2.h5ad", Path("/my slides/C2.jpg"), Path("/t/s.tsv"))
    assert command[2] == "/my slides/C2.jpg"
    assert command[command.index("--spots") + 1] == "/t/s.tsv"
    assert command[command.index("--batch-size") + 1] == "4"
    assert shlex.split(as_line(command)) == command


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
    ],
)
def test_runs_that_no_command_repeats_say_why(change: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        predict_command(record() | change, "C2.h5ad")
