"""Commands of the plugin's menus and of napari's command palette, beside opening the dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.notifications import show_info

from napari_tcgn.ui.dock import Dock, open_docks

if TYPE_CHECKING:
    from napari.viewer import Viewer

NO_DOCK = "Open Plugins ▸ Spatial gene prediction (TCGN) first."


def _dock_of(viewer: Viewer) -> Dock | None:
    """Return the dock of a viewer; says so if it has none."""
    viewer = getattr(viewer, "__wrapped__", viewer)
    for dock in open_docks():
        if getattr(dock.session.viewer, "__wrapped__", dock.session.viewer) is viewer:
            return dock
    show_info(NO_DOCK)
    return None


def run_prediction(viewer: Viewer) -> None:
    """Run the prediction that the dock describes, or say what is missing."""
    dock = _dock_of(viewer)
    if dock is None:
        return
    missing = "A run is going on already." if dock.session.state.running else dock.session.state.missing_for_run()
    if missing:
        show_info(missing)
    dock.run.start()


def cancel_prediction(viewer: Viewer) -> None:
    """Cancel the run that is going on; what is predicted so far is kept."""
    dock = _dock_of(viewer)
    if dock is not None:
        dock.run.cancel()


def reset_dock(viewer: Viewer) -> None:
    """Forget what the dock remembers of earlier sessions and take the preferences again."""
    dock = _dock_of(viewer)
    if dock is not None:
        dock.reset()
