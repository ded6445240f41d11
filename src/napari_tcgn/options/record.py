"""Settings as plain values, in records, cards and recipes; what options were called before is told here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

from napari_tcgn.options.declaration import options_of

Settings = TypeVar("Settings")
Part = TypeVar("Part")

# Names under which older recipes, records, checkpoints and cards know an option (and a card its architecture).
RENAMED = {"beside": "residual"}


def to_record(settings: Any) -> dict[str, Any]:
    """Return a settings dataclass as a plain dict for a record."""
    return asdict(settings)


def with_new_names(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return recorded values under the names that options have now."""
    return {RENAMED.get(name, name): value for name, value in recorded.items()}


def read_settings(kind: type[Settings], recorded: Mapping[str, Any]) -> tuple[Settings, dict[str, Any]]:
    """Return the settings of a record, and what it says beyond them.

    Parameters
    ----------
    kind : type
        The settings dataclass.
    recorded : mapping
        From `to_record`, of this or another version; what it lacks has its default, which is what was done before
        the option came.

    Raises
    ------
    SettingsError
        If a value is not one that the option may have.
    """
    values = with_new_names(recorded)
    known = {one.name for one in options_of(kind)}
    unknown = {name: value for name, value in values.items() if name not in known}
    return kind(**{name: value for name, value in values.items() if name in known}), unknown


def read_part(kind: type[Part], recorded: Mapping[str, Any] | None) -> Part:
    """Return a part of a record as its dataclass; what another version has told beyond it is left out.

    Parameters
    ----------
    kind : type
        A dataclass of plain values.
    recorded : mapping or None
        None is taken as an empty record: everything has its default.
    """
    names = {one.name for one in fields(kind)}  # type: ignore[arg-type]  # the parts are dataclasses
    return kind(**{name: value for name, value in (recorded or {}).items() if name in names})
