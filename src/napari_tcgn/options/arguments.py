"""Settings as arguments of the command line."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from napari_tcgn.errors import SettingsError
from napari_tcgn.options.declaration import Option, options_of


def as_arguments(settings: Any, always: Collection[str] = ()) -> list[str]:
    """Return the arguments that give every option its value in `settings`.

    Parameters
    ----------
    settings : settings dataclass
    always : collection of str
        Names of options that are given even where they have their default.

    Raises
    ------
    SettingsError
        If the command line cannot say a value.
    """
    arguments: list[str] = []
    for one in options_of(type(settings)):
        value = getattr(settings, one.name)
        if value != one.default or one.name in always:
            arguments += _argument(one, value)
    return arguments


def _argument(one: Option, value: Any) -> list[str]:
    flag = one.flag_of(value)
    if one.kind is bool and flag:
        return [flag]
    if value is None or one.kind is bool:
        raise SettingsError(
            f"The command line has no {one.flag_of(True)} of {value!r}.", f"Leave {one.name} at its default."
        )
    return [flag, str(value) if one.kind is str else repr(one.kind(value))]
