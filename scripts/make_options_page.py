"""Write what is made of the declared options: docs/options.md, and the preferences in napari.yaml.

python scripts/make_options_page.py
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from napari_tcgn.options import (
    CompareSettings,
    ExplainSettings,
    ExportSettings,
    GridSettings,
    Option,
    PredictSettings,
    SpotsSettings,
    TrainSettings,
    options_of,
)

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "options.md"
MANIFEST = ROOT / "src" / "napari_tcgn" / "napari.yaml"
PROPERTIES = "      properties:\n"  # of the one configuration, at the end of the manifest
HEAD = """\
# Options

Made from `src/napari_tcgn/options/` by `scripts/make_options_page.py`; a test holds that it is current. The names are
those of the settings in Python, in the record of a run and, for training, in a recipe (TOML). The same declarations
make the options of the command line and the forms of the dock.
"""
SETTINGS = (
    (GridSettings, "Grid of spots", "`GridSettings`: `napari-tcgn predict --grid`; section Spots of the dock."),
    (SpotsSettings, "Spots of a file", "`SpotsSettings`: `napari-tcgn predict --spots`."),
    (PredictSettings, "Prediction", "`PredictSettings`: `napari-tcgn predict`; sections Model and Run of the dock."),
    (ExportSettings, "Export", "`ExportSettings`: `napari-tcgn export`; section Export of the dock."),
    (CompareSettings, "Comparison", "`CompareSettings`: `napari-tcgn compare`."),
    (
        ExplainSettings,
        "Explanation",
        "`ExplainSettings`: `napari-tcgn explain`, and all but `check` of `explain-gene`.",
    ),
    (
        TrainSettings,
        "Training",
        "`TrainSettings`: `napari-tcgn train`, `cross-validate`, recipes (training.md).",
    ),
)


def page() -> str:
    """Return the text of the page."""
    parts = [HEAD]
    for settings, title, used in SETTINGS:
        rows = [_row(one) for one in options_of(settings)]
        head = "| Name | Command line | Values | Default | Meaning |\n|---|---|---|---|---|"
        parts.append("\n".join([f"## {title}", "", used, "", head, *rows, ""]))
    return "\n".join(parts)


def _row(one: Option) -> str:
    meaning = " ".join(text for text in (one.help, one.more) if text)
    cells = (f"`{one.name}`", f"`{' / '.join(one.flags[0].split('/'))}`", _values(one), _default(one), meaning)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _values(one: Option) -> str:
    if one.choices:
        return ", ".join(f"`{choice}`" for choice in one.choices)
    kind = {bool: "yes or no", int: "whole number", float: "number", str: "text"}[one.kind]
    # The unit has its own place here.
    span = one.expected_range if one.above != 0 or one.at_most is not None else "positive"
    return ", ".join(text for text in (kind, span, one.unit) if text)


def _default(one: Option) -> str:
    if one.default is None or one.default == "":
        return "–"
    return {True: "yes", False: "no"}[one.default] if one.kind is bool else f"`{one.default}`"


def manifest() -> str:
    """Return the text of napari.yaml with the preferences that are declared; the rest of it stays."""
    import yaml

    from napari_tcgn.ui.prefs.preferences import Preferences

    head, _, _ = MANIFEST.read_text(encoding="utf-8").partition(PROPERTIES)
    properties = {one.name: _property(one) for one in options_of(Preferences)}
    text = yaml.safe_dump(properties, sort_keys=False, allow_unicode=True, width=110)
    return head + PROPERTIES + textwrap.indent(text, " " * 8)


def _property(one: Option) -> dict[str, Any]:
    """Return an option as JSON schema, as far as napari shows it."""
    from napari_tcgn.ui.prefs.preferences import nothing_of, to_plain

    title = (one.label or one.name.replace("_", " ")).capitalize() + (f", {one.unit}" if one.unit else "")
    kind = {bool: "boolean", int: "integer", float: "number", str: "string"}[one.kind]
    said: dict[str, Any] = {"title": title, "type": kind, "default": to_plain(one, one.default)}
    nothing, description = nothing_of(one), one.help
    if nothing is not None:
        description += f" {nothing:g} is {one.if_none}."
    if one.choices:
        said["enum"] = list(one.choices)
    if one.form is not None:
        low, high = map(one.kind, one.form)
        said |= {"minimum": low if nothing is None else nothing, "maximum": high}
    return said | {"description": description}


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    MANIFEST.write_text(manifest(), encoding="utf-8")
