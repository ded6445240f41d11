"""Preferences ▸ TCGN of napari: where the dock's choices start."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_tcgn.files import CACHE_VARIABLE
from napari_tcgn.options import Option, PredictSettings, option, options_of
from napari_tcgn.slide import LIMIT_GB, LIMIT_VARIABLE

PLUGIN = "napari-tcgn"
GROUP = "prediction"  # key of the configuration in napari.yaml
# What the environment said before a preference replaced it; the cache reads the environment whenever it is used.
_replaced: dict[str, str | None] = {}


@dataclass(frozen=True, slots=True)
class Preferences(PredictSettings):
    """The options of a run, and what is the dock's own.

    `scripts/make_options_page.py` makes the configuration in napari.yaml of them.
    """

    remember: bool = option(True, "Start with the choices of the last time instead of these.", label="remember choices")
    cache_folder: str = option(
        "", "Where pyramids of large flat images are kept; empty is the user's cache folder.", label="cache folder"
    )
    cache_gb: float = option(
        LIMIT_GB,
        "Room of these pyramids; those used longest ago are dropped when all of them need more.",
        unit="GB", label="cache size", at_least=0, form=(0, 10_000),
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Take what the file has: `Choices` checks what it uses, so that a bad value costs the dock nothing."""

    def apply_cache(self) -> None:
        """Let this program keep its pyramids where and as large as the preferences say.

        What a preference leaves at its default is as the environment says.
        """
        wanted = {
            CACHE_VARIABLE: self.cache_folder,
            LIMIT_VARIABLE: f"{self.cache_gb:g}" if self.cache_gb != LIMIT_GB else "",
        }
        for name, value in wanted.items():
            if value:
                _replaced.setdefault(name, os.environ.get(name))
                os.environ[name] = value
            elif name in _replaced:
                before = _replaced.pop(name)
                os.environ.pop(name, None)
                if before is not None:
                    os.environ[name] = before


def nothing_of(one: Option) -> int | float | None:
    """Return the number that stands for None, where an option may be that: the one below its range, as in forms.

    JSON schema has no "number or nothing" that napari could show.
    """
    return one.kind(one.form[0] - 1) if one.if_none and one.form is not None else None


def to_plain(one: Option, value: Any) -> Any:
    """Return a value as napari's preferences and the dock's memory have it."""
    return nothing_of(one) if value is None else value


def from_plain(one: Option, value: Any) -> Any:
    """Return a value of napari's preferences or the dock's memory as the option has it."""
    return None if value is not None and value == nothing_of(one) else value


def _group() -> Any:
    """napari's settings object of this plugin; None before napari 0.9, which has none, or if it was disabled."""
    try:
        from napari.settings import get_plugin_settings

        return getattr(get_plugin_settings(PLUGIN), GROUP)
    except (ImportError, KeyError, AttributeError):
        return None


def read_preferences() -> Preferences:
    """Return what the user has set in napari's preferences."""
    group = _group()
    if group is None:
        return Preferences()
    # What napari.yaml does not list (it is made of an older declaration) has its default.
    listed = [one for one in options_of(Preferences) if hasattr(group, one.name)]
    return Preferences(**{one.name: from_plain(one, getattr(group, one.name)) for one in listed})


def watch_preferences(changed: Callable[[], object]) -> Callable[[], None]:
    """Call a function at every change of a preference; returns what ends that."""
    group = _group()
    if group is None:
        return lambda: None

    def on_change(event: Any = None) -> None:
        changed()

    group.events.connect(on_change)
    return lambda: group.events.disconnect(on_change)
