"""Everything that imports napari and Qt: the dock and the sample slide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_tcgn.ui.dock import Dock as make_dock

__all__ = ["make_dock"]


def __getattr__(name: str) -> Any:
    # A class and not a function: napari hands its viewer to classes only.
    if name == "make_dock":
        from napari_tcgn.ui.dock import Dock

        return Dock
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
