"""Spots that are dropped on the viewer: they make no layer by themselves but become those of the dock's slide."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from napari.utils.notifications import show_info

from napari_tcgn.spots import holds_spots
from napari_tcgn.ui.io.dialogs import SPOTS, open_from_dialog

if TYPE_CHECKING:
    from napari.viewer import Viewer

NO_LAYER: list[Any] = [(None,)]  # napari's word for "read, and there is nothing to add"
NO_DOCK = (
    "{name} holds spots of a section. Open Plugins ▸ Spatial gene prediction (TCGN) and the slide that they lie on, "
    "then drop {name} again."
)


class Taker(Protocol):
    """Who lays the spots of files that are dropped on its viewer."""

    def is_in(self, viewer: Viewer | None) -> bool:
        """Whether its dock is open in a viewer."""

    def take(self, path: Path) -> None:
        """Lay the spots of a file or folder, or say what is missing."""


takers: weakref.WeakSet[Taker] = weakref.WeakSet()  # of the docks that are open


def get_reader(path: str | Sequence[str] | None = None) -> Callable[[str | Sequence[str]], list[Any]] | None:
    """Return the reader of a table of spots or a Visium folder; None to leave the path to others (npe2's contract).

    Without a path, as the command palette calls it, ask for a file and open it.
    """
    if path is None:
        open_from_dialog("Read the spots of a section", SPOTS)
        return None
    single = path if isinstance(path, str) else path[0] if len(path) == 1 else None
    return hand_over if single is not None and holds_spots(Path(single)) else None


def hand_over(path: str | Sequence[str]) -> list[Any]:
    """Give the spots to the dock of the viewer in front; without one, say what to do."""
    import napari

    single = Path(path if isinstance(path, str) else path[0])
    viewer = napari.current_viewer()
    taker = next((one for one in takers if one.is_in(viewer)), None)
    if taker is None:
        show_info(NO_DOCK.format(name=single.name))
    else:
        taker.take(single)
    return NO_LAYER
