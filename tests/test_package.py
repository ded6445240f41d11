"""What importing the package costs and offers."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import napari_tcgn

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"torch", "numpy", "pandas", "anndata", "scanpy", "squidpy", "skimage", "matplotlib", "napari", "qtpy", "PyQt6"}


def imported_by(statement: str) -> set[str]:
    """Top-level modules that a statement brings into a fresh interpreter."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_the_package_brings_nothing_but_lazy_loader_and_a_little_of_the_standard_library() -> None:
    found = imported_by("import napari_tcgn")
    assert found - set(sys.stdlib_module_names) == {"napari_tcgn", "lazy_loader"}
    assert len(found) < 40, "napari imports every plugin at its start"


@pytest.mark.parametrize("module", ["napari_tcgn.cli", "napari_tcgn.errors", "napari_tcgn.options"])
def test_light_modules_bring_nothing_heavy(module: str) -> None:
    assert imported_by(f"import {module}") & HEAVY == set()


@pytest.mark.parametrize("name", napari_tcgn.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(napari_tcgn, name)
    assert name in dir(napari_tcgn)
    assert isinstance(value, str) or value.__doc__


def test_no_public_name_is_also_a_room() -> None:
    # `napari_tcgn.engine` would be a function or a module, depending on what was imported before.
    rooms = {path.stem for path in (ROOT / "src" / "napari_tcgn").iterdir()}
    assert rooms & set(napari_tcgn.__all__) == set()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_thing"):
        import_module("napari_tcgn").no_such_thing  # noqa: B018


def test_no_source_uses_a_private_napari_or_a_qt_binding() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for word in ("napari._", "import PyQt", "import PySide", "from PyQt", "from PySide"):
            assert word not in text, f"{path} has {word!r}"
