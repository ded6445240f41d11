"""What consoles and shells of other systems make necessary."""

from __future__ import annotations

import errno
import glob
import io
import json
import sys
from collections.abc import Sequence
from typing import Any

import typer

from napari_tcgn import paths


def say_json(value: Any, indent: int | None = None) -> None:
    """Print a value as JSON, in ASCII: a program reads it, and which encoding a pipe of Windows has nobody knows."""
    typer.echo(json.dumps(value, indent=indent))


def print_what_cannot_be_shown_as_escapes() -> None:
    """Print a character that the console's encoding lacks (µ, ≥, of a file's name) as \\u…, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def with_matches(arguments: Sequence[str]) -> list[str]:
    """Return arguments with the files that patterns (*.svs) stand for: shells of Windows leave them as they are."""
    if not paths.WINDOWS:
        return list(arguments)
    found: list[str] = []
    for argument in arguments:
        is_pattern = not argument.startswith("-") and glob.has_magic(argument)
        found += (sorted(glob.glob(argument)) if is_pattern else []) or [argument]
    return found


def reader_has_gone(error: OSError) -> bool:
    """Tell whether the program that our output is piped into has ended; Windows calls that an invalid argument."""
    if isinstance(error, BrokenPipeError):
        return True
    # An invalid name of a file is the same error, but has a number of Windows.
    return paths.WINDOWS and error.errno == errno.EINVAL and getattr(error, "winerror", None) is None
