"""Recipes of training: settings in a file, or in the record of an earlier run."""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from napari_tcgn.errors import SettingsError
from napari_tcgn.options import TrainSettings, to_record

# Those that come with the package, by name.
RECIPES: dict[str, Path] = {path.stem: path for path in sorted((Path(__file__).parents[1] / "recipes").glob("*.toml"))}

# By the annotation of a setting; settings that are names are checked by TrainSettings itself.
_EXPECTED = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a finite number",
    "float | None": "a finite number",
}


def read_train_settings(path: Path) -> dict[str, Any]:
    """Read the settings of a recipe: a TOML file with the names of `TrainSettings`, or the run.json of a run.

    Returns
    -------
    dict
        What the file says; `TrainSettings(**found)` checks the range of the values.

    Raises
    ------
    SettingsError
        If the file cannot be read, is neither of the two, names an unknown setting, or has a text where a number
        should be and the like.
    """
    kinds = {field.name: str(field.type) for field in fields(TrainSettings)}
    try:
        text = path.read_text(encoding="utf-8")
        found = dict(json.loads(text)["identity"]["settings"] if path.suffix == ".json" else tomllib.loads(text))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{path} is no recipe: {error}.", "Give a TOML file of training settings, or the run.json of a run."
        ) from error
    unknown = sorted(set(found) - set(kinds))
    if unknown:
        raise SettingsError(
            f"{path} names unknown settings: {', '.join(unknown)}.", f"Known: {', '.join(sorted(kinds))}."
        )
    for name, value in found.items():
        if not _is(value, kinds[name]):
            raise SettingsError(
                f"{path}: {name} must be {_EXPECTED[kinds[name]]}, found {value!r}.", f"Give {name} such a value."
            )
    return found


def with_defaults(recorded: dict[str, Any]) -> dict[str, Any]:
    """Return recorded training settings completed by the defaults of those that came later.

    The default of a new setting is what was done before it, so that older runs and cards stay comparable.
    """
    return {**to_record(TrainSettings()), **recorded}


def _is(value: object, kind: str) -> bool:
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind not in _EXPECTED:
        return True
    if value is None:
        return kind == "float | None"
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
