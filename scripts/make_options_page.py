"""Write docs/options.md, the page of every option, from the declarations in `napari_tcgn.options`.

python scripts/make_options_page.py
"""

from __future__ import annotations

from pathlib import Path

from napari_tcgn.options import (
    CompareSettings,
    ExportSettings,
    GridSettings,
    Option,
    PredictSettings,
    SpotsSettings,
    TrainSettings,
    options_of,
)

PAGE = Path(__file__).parents[1] / "docs" / "options.md"
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


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
