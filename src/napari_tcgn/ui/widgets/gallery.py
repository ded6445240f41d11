"""Patches in a row, each of which leads to its spot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QListWidget, QListWidgetItem

if TYPE_CHECKING:
    from napari_tcgn.explanation import Gallery

ICON_PX = 64


def gallery_list(name: str) -> QListWidget:
    """Return an empty list of patches, hidden until there are some."""
    box = QListWidget()
    box.setViewMode(QListWidget.ViewMode.IconMode)
    box.setFlow(QListWidget.Flow.LeftToRight)
    box.setWrapping(False)
    box.setMovement(QListWidget.Movement.Static)
    box.setIconSize(QSize(ICON_PX, ICON_PX))
    box.setFixedHeight(ICON_PX + 48)
    box.setAccessibleName(f"patches where the gene is {name}")
    box.setToolTip(f"Patches where the gene is {name}; a click goes there")
    box.hide()
    return box


def fill(box: QListWidget, part: Gallery) -> None:
    """Show the patches of one end of a gene's values."""
    box.clear()
    for spot, value, patch in zip(part.spots, part.values, part.patches, strict=True):
        pixels = np.ascontiguousarray(patch)
        height, width, _ = pixels.shape
        image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        pixmap: Any = QPixmap.fromImage(image.copy())  # the array goes
        item = QListWidgetItem(QIcon(pixmap), f"{value:.2f}")
        item.setData(Qt.ItemDataRole.UserRole, spot)
        item.setToolTip(f"spot {spot}")
        box.addItem(item)
    box.setVisible(bool(part.spots))
