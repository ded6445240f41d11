"""Names that the package imports from itself exist, also those that are imported when a function first runs."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import napari_tcgn


def missing_names(module: str, names: list[str]) -> list[str]:
    """Return the names that a module neither has nor holds as modules."""
    found = importlib.import_module(module)
    missing = []
    for name in names:
        if not hasattr(found, name):
            try:
                importlib.import_module(f"{module}.{name}")
            except ImportError:
                missing.append(f"{module}.{name}")
    return missing


def test_what_is_imported_late_exists() -> None:
    pytest.importorskip("napari")  # an installation without the GUI
    missing = []
    for file in Path(napari_tcgn.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("napari_tcgn"):
                missing += missing_names(node.module, [alias.name for alias in node.names])
    assert missing == []
    assert missing_names("napari_tcgn.files", ["no_such_name"]) == ["napari_tcgn.files.no_such_name"]
