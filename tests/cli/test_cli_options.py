"""Help, and that every option's default is the settings dataclass's own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import MISSING, fields

import pytest
import typer

from napari_tcgn import __version__
from napari_tcgn.cli.app import app
from napari_tcgn.options import MPP_HELP, GridSettings, PredictSettings, TrainSettings

COMMANDS = [["demo"], ["predict"], ["train"], ["models", "list"], ["models", "info"], ["doctor"]]


def parameters(command: str) -> dict[str, object]:
    return {p.name: p for p in typer.main.get_command(app).commands[command].params}


@pytest.mark.parametrize(
    ("command", "settings", "under_another_name"),
    [
        # --grid names the layout and has no default: where to predict is never guessed.
        ("predict", GridSettings, {"layout"}),
        ("predict", PredictSettings, set()),
        ("train", TrainSettings, set()),
    ],
)
def test_every_setting_is_an_option_with_the_same_default(
    command: str, settings: type, under_another_name: set[str]
) -> None:
    options = parameters(command)
    for field in fields(settings):
        assert field.default is not MISSING
        if field.name not in under_another_name:
            assert options[field.name].default == field.default, field.name


def test_demo_takes_its_device_from_the_settings() -> None:
    assert parameters("demo")["device"].default == PredictSettings().device


def test_every_command_says_the_same_of_mpp() -> None:
    commands = ("predict", "compare", "train", "cross-validate", "export")
    assert all(parameters(command)["mpp"].help.startswith(MPP_HELP) for command in commands)


def test_where_to_predict_has_no_default() -> None:
    options = parameters("predict")
    assert options["grid"].default is options["spots"].default is options["mpp"].default is None


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_shows_an_example(command: list[str], run) -> None:
    code, out, err = run(*command, "--help")
    assert code == 0
    assert not err
    assert f"napari-tcgn {' '.join(command)}" in out.partition("Example")[2]


@pytest.mark.parametrize("arguments", [[], ["models"]])
def test_without_a_command_the_help_is_shown(arguments: list[str], run) -> None:
    _, out, err = run(*arguments)
    assert "Commands:" in out + err


def test_version(run) -> None:
    assert run("--version") == (0, f"{__version__}\n", "")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom napari_tcgn.cli import main\n"
        "try: main(['predict', '--help'])\n"
        "except SystemExit: print('IMPORTED', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.partition("IMPORTED")[2].split())
    assert "typer" in modules
    assert modules & {"torch", "numpy", "pandas", "anndata", "rich", "napari", "qtpy"} == set()
