"""JSON for people and programs: what fits on a line is one, and long lists of figures are filled into lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

WIDTH = 120  # characters of a line, at the most where a single value is no longer
_plain = json.JSONEncoder(ensure_ascii=False).encode
_item_a_line = json.JSONEncoder(ensure_ascii=False, separators=(",\n", ": ")).encode  # text has \\n for a new line


def readable_json(record: dict[str, Any]) -> str:
    """Return JSON with a line for every entry of a record, more for those that are longer than a line.

    `json.dumps(…, indent=1)` gives every number a line of its own, which makes 84,000 of a card of 8,373 genes. Only
    white space differs.
    """
    return _block("{}", _entries(record, 0), 0)


def _entries(record: dict[str, Any], depth: int) -> Iterable[str]:
    for key, value in record.items():
        yield f"{_plain(key)}: {_text(value, depth + 1, len(key) + 4)},"


def _text(value: Any, depth: int, before: int = 0) -> str:
    """Return a value that stands on a line `before` of whose characters are taken."""
    plain = _plain(value)
    if depth + before + len(plain) < WIDTH or not isinstance(value, dict | list | tuple):
        return plain
    if isinstance(value, dict):
        return _block("{}", _entries(value, depth), depth)
    if any(isinstance(item, dict) for item in value):
        return _block("[]", (f"{_text(item, depth + 1)}," for item in value), depth)
    return _block("[]", _filled(value, WIDTH - depth - 1), depth)


def _block(brackets: str, lines: Iterable[str], depth: int) -> str:
    """Put lines that end in commas between brackets, one step further in."""
    inner = "\n".join(" " * (depth + 1) + line for line in lines)
    return f"{brackets[0]}\n{inner[:-1]}\n{' ' * depth}{brackets[1]}"


def _filled(items: Sequence[Any], width: int) -> Iterable[str]:
    """Put as many items on a line as it holds."""
    nested = any(isinstance(item, list | tuple) for item in items)
    texts = [f"{_plain(item)}," for item in items] if nested else f"{_item_a_line(items)[1:-1]},".split("\n")
    line = ""
    for text in texts:
        if line and len(line) + 1 + len(text) > width:
            yield line
            line = text
        else:
            line = f"{line} {text}" if line else text
    yield line
