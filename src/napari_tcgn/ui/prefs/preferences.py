"""Preferences ▸ TCGN of napari: where the dock's choices start."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from napari_tcgn.files import CACHE_VARIABLE
from napari_tcgn.options import PredictSettings, option, option_of
from napari_tcgn.slide import LIMIT_GB, LIMIT_VARIABLE

PLUGIN = "napari-tcgn"
GROUP = "prediction"  # key of the configuration in napari.yaml
# What the environment said before a preference replaced it; the cache reads the environment whenever it is used.
_replaced: dict[str, str | None] = {}
AUTOMATIC = 0  # batch size: JSON schema has no "number or nothing"
_BATCH = option_of(PredictSettings, "batch_size")


@dataclass(frozen=True, slots=True)
class Preferences(PredictSettings):
    """The properties of the configuration in napari.yaml, by the same names and with the same defaults.

    Those of `PredictSettings`, with 0 for a batch size that is chosen for the device, and what is the dock's own.
    """

    batch_size: int = option(AUTOMATIC, _BATCH.help, label=_BATCH.label, at_least=AUTOMATIC, form=(AUTOMATIC, 4096))
    remember: bool = option(True, "Start with the choices of the last time instead of these.")
    cache_folder: str = option(
        "", "Where pyramids of large flat images are kept; empty is the user's cache folder.", label="cache folder"
    )
    cache_gb: float = option(
        LIMIT_GB, "How much room they may take.", unit="GB", label="cache size", at_least=0, form=(0, 10_000)
    )

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
    return Preferences(**{field.name: getattr(group, field.name) for field in fields(Preferences)})


def watch_preferences(changed: Callable[[], object]) -> Callable[[], None]:
    """Call a function at every change of a preference; returns what ends that."""
    group = _group()
    if group is None:
        return lambda: None

    def on_change(event: Any = None) -> None:
        changed()

    group.events.connect(on_change)
    return lambda: group.events.disconnect(on_change)
