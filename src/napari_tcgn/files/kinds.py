"""What may stand in JSON that the program reads back: it may come from anywhere, and is checked before it is used.

A `Check` says of a value what is wanted where it is not that. Tables of contents are declared with these (a card, an
index) or told by the types of a dataclass (`declared`); `read_json` reads a file and checks it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from napari_tcgn.errors import TcgnError
from napari_tcgn.files.untrusted import reading, require_regular
from napari_tcgn.memory import in_bytes

MOST_BYTES = 64 * 2**20  # of a file of JSON, unless it is known to be smaller or larger
MAX_ENTRIES = 200_000  # of a list
MAX_DEPTH = 8
MAX_NODES = 10_000  # of an entry that is plain JSON
SHOWN = 60  # characters of a wrong value
RECORDED = 100_000  # characters of a text of ours

# What is wanted where a value is not that; None: it is.
Check: TypeAlias = Callable[[Any], str | None]


def read_json(
    path: Path, what: str, error: type[TcgnError], hint: str, check: Check, most_bytes: int = MOST_BYTES
) -> Any:
    """Read a file of JSON, and check what it says.

    Parameters
    ----------
    path : pathlib.Path
    what : str
        How the file is called in a sentence.
    error : type of TcgnError
    hint : str
        How to go on.
    check : Check
        Of the whole.
    most_bytes : int
        A larger file is not read.

    Raises
    ------
    TcgnError
        Of the given type: it cannot be read, is no JSON, or an entry of it is not what it should be; the entry, what
        was found and what is wanted are named.
    """
    with reading(what, error, hint):
        require_regular(path)
        size = path.stat().st_size
        if size > most_bytes:
            raise ValueError(f"it has {in_bytes(size)}, and at most {in_bytes(most_bytes)} are read")
        text = path.read_bytes().decode("utf-8-sig")
    return parse_json(text, what, error, hint, check)


def parse_json(text: str, what: str, error: type[TcgnError], hint: str, check: Check, finite: bool = False) -> Any:
    """Read a text of JSON, and check what it says; as `read_json`.

    With `finite`, NaN and Infinity, which JSON does not have and Python writes, are refused wherever they stand.
    """
    try:
        found = json.loads(text.removeprefix("\ufeff"), parse_constant=_no_number if finite else None)
    except RecursionError as cause:
        raise error(f"{what} is nested too deeply.", hint) from cause
    except ValueError as cause:
        raise error(f"{what} is not JSON: {cause}.", hint) from cause
    wrong = check(found)
    if wrong is not None:
        raise error(f"{what}{' ' if wrong.startswith(('is ', 'lacks ')) else ': '}{wrong}.", hint)
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"it holds {name}, which is no number")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int) else None  # what cannot be looked up is none of them


def _is(right: bool, value: Any, wanted: str) -> str | None:
    return None if right else f"is {_shown(value)}; wanted: {wanted}"


def text(least: int = 0, most: int = 10_000) -> Check:
    """Text of so many characters, none of which is a control character but tab and newline."""

    def check(value: Any) -> str | None:
        right = isinstance(value, str) and least <= len(value) <= most
        right = right and not any(ord(letter) < 32 and letter not in "\t\n" for letter in value)
        return _is(right, value, f"text of {least} to {most} characters")

    return check


def number(least: float = -math.inf, most: float = math.inf, whole: bool = False) -> Check:
    """A finite number between two others; true and false are none."""

    def check(value: Any) -> str | None:
        kinds = int if whole else (int, float)
        right = isinstance(value, kinds) and not isinstance(value, bool)
        right = right and (whole or math.isfinite(value)) and least <= value <= most
        span = "" if math.isinf(least) and math.isinf(most) else f" from {least:g} to {most:g}"
        return _is(right, value, f"{'a whole' if whole else 'a'} number{span}")

    return check


def one_of(*values: str | int) -> Check:
    """One of some words or numbers."""
    right = {(type(one), one) for one in values}
    return lambda value: _is((type(value), _plain(value)) in right, value, " or ".join(map(str, values)))


def matches(pattern: str, wanted: str) -> Check:
    """Text that a regular expression describes as a whole."""
    whole = re.compile(pattern, re.ASCII)
    return lambda value: _is(isinstance(value, str) and whole.fullmatch(value) is not None, value, wanted)


def or_null(kind: Check) -> Check:
    """A value of a kind, or null."""

    def check(value: Any) -> str | None:
        found = None if value is None else kind(value)
        return None if found is None else f"{found}, or null"

    return check


def list_of(kind: Check, least: int = 0, most: int = MAX_ENTRIES) -> Check:
    """A list of values of a kind, of so many entries."""

    def check(value: Any) -> str | None:
        if not isinstance(value, list) or not least <= len(value) <= most:
            size = f"{least}" if least == most else f"{least} to {most}"
            return _is(False, value, f"a list of {size} entries")
        for place, entry in enumerate(value):
            if (found := kind(entry)) is not None:
                return f"[{place}] {found}"
        return None

    return check


def mapping_of(kind: Check, most: int = 10_000) -> Check:
    """An object whose entries are of a kind, whatever their names."""

    def check(value: Any) -> str | None:
        if not isinstance(value, Mapping) or len(value) > most:
            return _is(False, value, f"an object of at most {most} entries")
        for name, entry in value.items():
            if (found := kind(entry)) is not None:
                return f"[{_shown(name)}] {found}"
        return None

    return check


def plain(value: Any) -> str | None:
    """JSON of a limited depth and size."""
    left, level = MAX_NODES, [value]
    for _ in range(MAX_DEPTH):
        inner = [v.values() if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)]
        level = [entry for entries in inner for entry in entries]
        left -= len(level)
        if left < 0:
            return _is(False, value, f"at most {MAX_NODES} values")
    return _is(not level, value, f"JSON nested at most {MAX_DEPTH} deep")


def entries_of(declared: Mapping[str, Check], others: Check = plain, needed: tuple[str, ...] = ()) -> Check:
    """An object with declared entries, some of which it needs; `others` is asked about the rest."""

    def check(value: Any) -> str | None:
        if not isinstance(value, Mapping):
            return _is(False, value, "an object")
        if missing := [name for name in needed if name not in value]:
            return f"lacks {', '.join(missing)}"
        for name, entry in value.items():
            if (found := declared.get(name, others)(entry)) is not None:
                return f"{name}: {found}" if not found.startswith("[") else f"{name}{found}"
        return None

    return check


def anything(value: Any) -> None:
    """Whatever is asked of it elsewhere."""


def figure(value: Any) -> str | None:
    """A number, or NaN where it is not known."""
    right = isinstance(value, int | float) and not isinstance(value, bool) and not math.isinf(value)
    return _is(right, value, "a number, or NaN")


def words(value: Any) -> str | None:
    """Text that the program has written; a name in it may hold anything."""
    return _is(isinstance(value, str) and len(value) <= RECORDED, value, f"text of at most {RECORDED} characters")


def yes_or_no(value: Any) -> str | None:
    """True or false."""
    return _is(isinstance(value, bool), value, "true or false")


def declared(kind: type, **special: Check) -> dict[str, Check]:
    """Return the checks that the types of a dataclass's fields tell.

    Parameters
    ----------
    kind : type
        A dataclass of plain values, lists and objects of them, and other such dataclasses.
    **special : Check
        Of fields that are stricter or other than their type.
    """
    hints = get_type_hints(kind)
    return {one.name: special.get(one.name) or _check_of(hints[one.name]) for one in fields(kind)}


def object_of(kind: type, **special: Check) -> Check:
    """An object with the fields of a dataclass (`declared`); it needs those that have no default."""
    needed = tuple(one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING)
    return entries_of(declared(kind, **special), needed=needed)


def _check_of(hint: Any) -> Check:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        (inner,) = (part for part in parts if part is not NoneType)
        return or_null(_check_of(inner))
    if origin is Literal:
        return one_of(*parts)
    if origin in (list, tuple):
        return list_of(_check_of(parts[0]))
    if origin is dict:
        return mapping_of(_check_of(parts[1]), MAX_ENTRIES)
    if is_dataclass(hint) and isinstance(hint, type):
        return object_of(hint)
    known: dict[Any, Check] = {
        str: words,
        bool: yes_or_no,
        int: number(-(2**63), 2**63, whole=True),
        float: figure,
    }
    return known.get(hint, plain)
