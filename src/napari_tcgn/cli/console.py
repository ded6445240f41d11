"""What consoles and shells of other systems make necessary."""

from __future__ import annotations

import errno
import glob
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import typer

from napari_tcgn import paths

NAME_SHOWN = 120  # characters of a file that the system refuses


def say_json(value: Any, indent: int | None = None) -> None:
    """Print a value as JSON, in ASCII: a program reads it, and which encoding a pipe of Windows has nobody knows."""
    typer.echo(json.dumps(value, indent=indent))


def print_what_cannot_be_shown_as_escapes() -> None:
    """Print a character that the console's encoding lacks (µ, ≥, of a file's name) as \\u…, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def open_closed_streams() -> None:
    """Let nothing be read from and written to what the shell has closed (`>&-`).

    A file that is opened would get the number of a closed stream, and with it what is printed.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
        if getattr(sys, name) is None or (mode == "w" and _is_read_only(number)):
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  as long as the process


def _is_read_only(number: int) -> bool:
    """Tell whether Python itself has opened a file in the place of a stream that the shell has closed."""
    if paths.WINDOWS:
        return False
    import fcntl

    return fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY


def fault_of_system(error: OSError) -> str:
    """Say what the system has refused, and how to go on."""
    hints = {
        errno.EACCES: "Check its permissions.",
        errno.EPERM: "Check its permissions.",
        errno.EROFS: "Choose another folder.",
        errno.ENAMETOOLONG: "Choose a shorter name.",
        errno.ENOSPC: "Free space.",
        errno.EFBIG: "Free space, or raise the limit to the size of files (ulimit -f).",
        errno.EMFILE: "Close other programs, or raise the limit to open files (ulimit -n).",
        errno.ENOMEM: "Close other programs.",
    }
    name = str(error.filename) if error.filename is not None else "What is printed, or a file"
    name = name if len(name) <= NAME_SHOWN else f"{name[:NAME_SHOWN]}…"
    reason = os.strerror(error.errno or 0)
    return f"{name}: {reason}. {hints.get(error.errno or 0, 'Check the file and its disk.')}"


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
