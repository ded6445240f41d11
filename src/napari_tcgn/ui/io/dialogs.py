"""What the plugin asks of the desktop: a file where napari's command palette names none, and a page in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Points
from napari.utils.notifications import show_info
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog

from napari_tcgn.ui.layers import canvas

if TYPE_CHECKING:
    from napari.viewer import Viewer

PLUGIN = "napari-tcgn"
IMAGES = (
    "Slides (*.svs *.ndpi *.mrxs *.scn *.bif *.vms *.vmu *.svslide *.tif *.tiff *.btf *.jpg *.jpeg *.png);;"
    "All files (*)"
)
SPOTS = "Spots (*.tsv *.txt *.csv *.gz *.parquet);;All files (*)"
SECTIONS = "Sections with genes (*.h5ad)"
NO_RESULT = "Select a layer of predicted or measured genes in the layer list first."


def open_from_dialog(title: str, names: str) -> None:
    """Ask for a file and open it in the viewer in front.

    Parameters
    ----------
    title : str
        Of the dialog.
    names : str
        Which files it offers, as Qt writes it.
    """
    viewer = _viewer()
    path, _ = QFileDialog.getOpenFileName(None, title, "", names)
    if path and viewer is not None:
        viewer.open(path, plugin=PLUGIN)
        for layer in viewer.layers:  # a reader cannot do it: it does not know its viewer
            canvas.show_scale_of(viewer, layer)


def save_from_dialog(title: str, names: str) -> None:
    """Ask for a name and save the selected layer under it; the dialog has asked whether to replace a file."""
    viewer = _viewer()
    layer = None if viewer is None else viewer.layers.selection.active
    if not isinstance(layer, Points):
        show_info(NO_RESULT)
        return
    path, _ = QFileDialog.getSaveFileName(None, title, "", names)
    if path:
        layer.save(path if path.endswith(".h5ad") else f"{path}.h5ad", plugin=PLUGIN)


def open_in_browser(path: Path) -> bool:
    """Open a page in the browser of the system; returns whether one could be asked."""
    return bool(QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))))


def _viewer() -> Viewer | None:
    import napari

    return napari.current_viewer()
