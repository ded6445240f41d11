"""Names of layers, which say slide, gene and what it is: "C4 · GNAS · predicted".

A name that the user has given is left alone: `is_given_by_us` tells them apart.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.layers import Layer

DOT = " · "
MEASURED = "measured"  # kind of a result
PARTIAL = " (partial)"
SURFACE = f"{DOT}surface"
_SPOTS, _NOT_PREDICTED = "spots", " (not yet predicted)"


def result_name(slide: str, gene: str, kind: str, partial: bool = False) -> str:
    """Return the name of a result layer.

    Only what a run has left behind is partial: a measurement lacks the spots that were not matched, and is complete.
    """
    return f"{slide}{DOT}{gene}{DOT}{kind}{PARTIAL if partial and kind != MEASURED else ''}"


def surface_name(slide: str, gene: str, kind: str) -> str:
    """Return the name of the surface through a result's values."""
    return f"{result_name(slide, gene, kind)}{SURFACE}"


def three_genes_name(slide: str, genes: tuple[str, str, str], colours: tuple[str, str, str]) -> str:
    """Return the name of a layer that mixes three genes."""
    return f"{slide}{DOT}{' / '.join(genes)}{DOT}{', '.join(colours)}"


def spots_name(slide: str, predicted: bool = False) -> str:
    """Return the name of a layer of spots, for which something is predicted or not yet."""
    return f"{slide}{DOT}{_SPOTS}{'' if predicted else _NOT_PREDICTED}"


def name_spots(layer: Layer, predicted: bool) -> None:
    """Keep the name of a layer of spots true."""
    slide = re.fullmatch(rf"(.*){re.escape(DOT + _SPOTS)}({re.escape(_NOT_PREDICTED)})?( \[\d+\])?", layer.name)
    if slide is not None and layer.name != (name := spots_name(slide[1], predicted)):
        layer.name = name


def is_given_by_us(name: str, slide: str, kind: str) -> bool:
    """Whether a layer still has a name that `result_name` gave it (napari numbers equal ones), and not the user's."""
    begin, end = re.escape(slide + DOT), re.escape(DOT + kind)
    return re.fullmatch(rf"{begin}.*{end}({re.escape(PARTIAL)})?( \[\d+\])?", name) is not None


def says_partial(name: str) -> bool:
    """Whether a name says that its result is partial."""
    return PARTIAL in name


def without_number(name: str) -> str:
    """Return a name without the number that napari gives to the second of two equal ones."""
    return re.sub(r" \[\d+\]$", "", name)
