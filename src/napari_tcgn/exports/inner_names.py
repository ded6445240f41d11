"""Names inside the entries of an AnnData (columns of a table in obsm, keys in uns) that a zarr store cannot hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anndata import AnnData

PARTS = ("obsm", "varm", "uns")


def make_inner_names_valid(adata: AnnData) -> None:
    """Give the inner names of an AnnData that have a slash in them others, in place; what is shared stays as it is."""
    for part in PARTS:
        entries = getattr(adata, part)
        for key in list(entries):
            made, told = _valid(entries[key], "")
            if told:
                entries[key] = made


def renamed_inside(adata: AnnData) -> dict[str, str]:
    """Return which inner names have a slash, and what they become: {"obsm[scores][a/b]": "a_b"}."""
    told: dict[str, str] = {}
    for part in PARTS:
        entries = getattr(adata, part)
        for key in entries:
            told |= _valid(entries[key], f"{part}[{key}]")[1]
    return told


def _valid(value: Any, where: str) -> tuple[Any, dict[str, str]]:
    """Return a table or dict with valid names, and those that were changed by where they stood."""
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        names = _names([str(name) for name in value.columns])
        told = {f"{where}[{old}]": new for old, new in names.items() if old != new}
        return (value.set_axis([names[str(name)] for name in value.columns], axis=1), told) if told else (value, {})
    if not isinstance(value, Mapping):
        return value, {}
    names = _names([str(name) for name in value])
    told = {f"{where}[{old}]": new for old, new in names.items() if old != new}
    made = {}
    for name, one in value.items():
        made[names[str(name)]], inner = _valid(one, f"{where}[{name}]")
        told |= inner
    return (made, told) if told else (value, {})


def _names(given: list[str]) -> dict[str, str]:
    """Return names without slashes, each once."""
    taken = {name for name in given if "/" not in name}
    names = {name: name for name in taken}
    for name in given:
        if "/" in name:
            plain, number = name.replace("/", "_"), 1
            while (new := plain if number == 1 else f"{plain}_{number - 1}") in taken:
                number += 1
            taken.add(new)
            names[name] = new
    return names
