"""Writes the list of the public API: every name of `napari_tcgn`, by the room that it comes from."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from made_pages import write_api_page

TITLES = {
    "expression": "Predict, and read what was measured",
    "comparison": "Compare",
    "training": "Train",
    "explanation": "Explain",
    "exports": "Export",
    "slide": "Slides",
    "spots": "Spots",
    "model": "Models",
    "options": "Options",
    "errors": "Errors",
}


def names_by_room() -> dict[str, list[str]]:
    """Return the public names, as `napari_tcgn/__init__.pyi` lists them."""
    import napari_tcgn

    door = Path(napari_tcgn.__file__).with_suffix(".pyi")
    found: dict[str, list[str]] = {}
    for node in ast.parse(door.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            found.setdefault(node.module, []).extend(alias.name for alias in node.names)
    return found


def write_pages(app: Any, _config: Any) -> None:
    """Write docs/api/names.md."""
    rooms = names_by_room()
    missing = sorted(set(rooms) - set(TITLES))
    if missing:
        raise RuntimeError(f"docs/_ext/public_api.py has no title for the names of {missing}.")
    lines = ["# Python API", "", "Everything here is imported from `napari_tcgn` itself.", ""]
    for room, title in TITLES.items():
        lines += [
            f"## {title}",
            "",
            "```{eval-rst}",
            ".. autosummary::",
            "   :toctree: generated",
            "   :nosignatures:",
            "",
        ]
        lines += [f"   napari_tcgn.{name}" for name in sorted(rooms.get(room, []))]
        lines += ["```", ""]
    text = "\n".join(lines)
    write_api_page(app, "names.md", text)


def setup(app: Any) -> dict[str, bool]:
    """Connect to the build."""
    app.connect("config-inited", write_pages)  # before the pages are looked for
    return {"parallel_read_safe": True}
