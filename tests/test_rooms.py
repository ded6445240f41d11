"""The house: every room has one door, which names what exists, and says in one sentence what the room is for."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import napari_tcgn

PACKAGE = Path(napari_tcgn.__file__).parent
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
DOORS = [room for room in ROOMS if (PACKAGE / room / "__init__.pyi").exists()]


def names_of_stub(path: Path) -> dict[str, str]:
    """Return the names of a door with the module, relative to the package that the door is of, where each is from."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            assert node.level == 1, f"{path}: only from the own modules"
            for alias in node.names:
                assert alias.asname == alias.name, f"{path}: `{alias.name} as {alias.name}`, or checkers do not see it"
                found[alias.name] = node.module or alias.name
    return found


@pytest.mark.parametrize("package", ["napari_tcgn", *(f"napari_tcgn.{room}" for room in DOORS)])
def test_every_name_of_a_door_exists(package: str) -> None:
    module = importlib.import_module(package)
    names = names_of_stub(Path(module.__file__).with_suffix(".pyi"))
    for name, home in names.items():
        found = getattr(importlib.import_module(f"{package}.{home}"), name)
        assert getattr(module, name) is found
    assert set(names) == set(module.__all__) - {"__version__"}


@pytest.mark.parametrize("room", ROOMS)
def test_no_name_of_a_door_is_also_a_module_of_the_room(room: str) -> None:
    # `room.name` would be a function or a module, depending on what was imported before.
    modules = {path.stem for path in (PACKAGE / room).iterdir() if path.suffix == ".py" or path.is_dir()}
    assert set(importlib.import_module(f"napari_tcgn.{room}").__all__) & modules == set()


def test_every_room_but_the_command_line_has_a_lazy_door() -> None:
    assert set(ROOMS) - set(DOORS) == {"cli"}
    assert len(ROOMS) > 10


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_in_one_sentence_what_it_is_for(room: str) -> None:
    tree = ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))
    sentence = ast.get_docstring(tree)
    assert sentence is not None
    assert len(sentence.splitlines()) == 1
    assert sentence.endswith(".")
    assert ". " not in sentence
