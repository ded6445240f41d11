"""Training TCGN: sections with measured counts, folds, the loop and its checkpoints."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_tcgn.train.crossval import Evaluation, cross_validate
    from napari_tcgn.train.folds import HER2ST_SECTIONS, resolve_fold
    from napari_tcgn.train.her2st import find_sections, load_section
    from napari_tcgn.train.loop import train
    from napari_tcgn.train.record import EpochReport, TrainResult
    from napari_tcgn.train.section import Section, SectionData

__all__ = [
    "HER2ST_SECTIONS",
    "EpochReport",
    "Evaluation",
    "Section",
    "SectionData",
    "TrainResult",
    "cross_validate",
    "find_sections",
    "load_section",
    "resolve_fold",
    "train",
]

# The loop needs torch, the folds do not: each name is imported when it is first asked for.
_HOMES = {
    "Evaluation": "crossval",
    "cross_validate": "crossval",
    "HER2ST_SECTIONS": "folds",
    "resolve_fold": "folds",
    "Section": "section",
    "SectionData": "section",
    "find_sections": "her2st",
    "load_section": "her2st",
    "EpochReport": "record",
    "TrainResult": "record",
    "train": "loop",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
