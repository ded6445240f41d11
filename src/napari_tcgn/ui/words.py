"""Sentences of the package as the dock says them: it has controls where the command line has options.

Errors, warnings and help are written once, for both; here options like `--mpp` become what the dock calls them.
"""

from __future__ import annotations

import re

# What the dock calls an option of the command line. Others are called what they are, in words.
_NAMES = {
    "mpp": "the µm per pixel",
    "out": "name",
    "spots": "measured or saved spots",
    "grid": "grid",
    "roi": "region",
    "whole-slide": "“only on tissue” unticked",
    "tissue-threshold": "tissue threshold",
    "trust-spots": "“trust the spots”",
    "stain": "stain normalisation",
    "batch-size": "batch size",
    "library": "section",
    "layer": "layer",
    "aliases": "table of gene names",
    "gene-sets": "gene sets",
}
# Which the dock has no control for.
_ELSEWHERE = {
    "match", "min-matched", "orientation", "values", "resume", "overwrite", "aliases", "bulk-scale", "workers",
    "encoder-weights",
}  # fmt: skip

_OPTION = re.compile(r"--([a-z][a-z-]*)")
_ASIDE = re.compile(r" \((?:--[a-z-]+(?: [a-z0-9.]+)?(?:, )?)+\)")  # only says which option it is
_COMMAND = re.compile(r"[^.]*`napari-tcgn [^`]*`[^.]*\.")  # a sentence about a command


def in_the_dock(sentence: str) -> str:
    """Return a sentence without options of the command line.

    Parameters
    ----------
    sentence : str
        Of an error, a warning or an option's help.
    """
    said = _ASIDE.sub("", _COMMAND.sub("", sentence)).rstrip()
    elsewhere = any(name in _ELSEWHERE for name in _OPTION.findall(said))
    said = _OPTION.sub(_named, said)
    return f"{said.rstrip('.')} (an option of the command line)." if elsewhere else said


def _named(found: re.Match[str]) -> str:
    name = found[1]
    return _NAMES.get(name, name.replace("-", " "))
