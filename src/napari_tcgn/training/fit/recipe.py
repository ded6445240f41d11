"""Recipes of training: settings in a file, or in the record of an earlier run."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from napari_tcgn.errors import SettingsError
from napari_tcgn.files import entries_of, open_text, read_json, reading
from napari_tcgn.options import TrainSettings, check_kinds, options_of, to_record, with_new_names

MOST_CHARACTERS = 1_000_000  # of a recipe
# Those that come with the package, by name.
RECIPES: dict[str, Path] = {path.stem: path for path in sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))}


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
    hint = "Give a TOML file of training settings, or the run.json of a run."
    if path.suffix.lower() == ".json":
        from napari_tcgn.training.fit.run_record import RUN  # brings torch, which a recipe does without

        told = read_json(path, str(path), SettingsError, hint, entries_of(RUN))
        found = dict(told.get("identity", {}).get("settings", {}))
        if not found:
            raise SettingsError(f"{path} has no identity: settings, as the run.json of a run has.", hint)
    else:
        with reading(str(path), SettingsError, hint, "a recipe"), open_text(path) as file:
            text = file.read(MOST_CHARACTERS + 1)
            if len(text) > MOST_CHARACTERS:
                raise ValueError(f"it has more than {MOST_CHARACTERS:,} characters")
            found = tomllib.loads(text)
    found = with_new_names(found)
    known = sorted(one.name for one in options_of(TrainSettings))
    unknown = sorted(set(found) - set(known))
    if unknown:
        raise SettingsError(f"{path} names unknown settings: {', '.join(unknown)}.", f"Known: {', '.join(known)}.")
    check_kinds(TrainSettings, found, f"{path}: ")
    return found


def with_defaults(recorded: dict[str, Any]) -> dict[str, Any]:
    """Return recorded training settings under their names of now, completed by the defaults of those that came later.

    The default of a new setting is what was done before it, so that older runs and cards stay comparable.
    """
    return {**to_record(TrainSettings()), **with_new_names(recorded)}
