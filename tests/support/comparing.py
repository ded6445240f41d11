"""Measured counts for a slide of support/dock.py, and how a test compares with them in the dock."""

from __future__ import annotations

import numpy as np

GENES = ["RED", "GREEN", "BLUE", "EXTRA"]


def write_counts(path, spots, shift=0.0):
    """Counts that follow the pixels under the spots, as .h5ad; shift moves all spots by so many px."""
    import pandas as pd
    from anndata import AnnData

    x = (spots.x - spots.x.min()) / np.ptp(spots.x)
    random = np.random.default_rng(0)
    means = np.column_stack([60 - 40 * x, 40 - 10 * x, 50 - 30 * x, np.full(len(x), 5.0)])
    adata = AnnData(
        random.poisson(means).astype(np.float32),
        obs=pd.DataFrame(index=[f"spot{i}" for i in range(len(x))]),
        var=pd.DataFrame(index=GENES),
        obsm={"spatial": np.column_stack([spots.x, spots.y]) + shift},
    )
    adata.write_h5ad(path)
    return adata


def compare(qtbot, dock, kit, path, monkeypatch, source="h5ad"):
    """Choose measured counts in the dock's dialog and wait for the comparison."""
    from qtpy.QtWidgets import QFileDialog

    section = dock.compare
    section.source_box.setCurrentIndex(section.source_box.findData(source))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(path), ""))
    kit.click(section.load_button)
    qtbot.waitUntil(lambda: not section.comparing.running, timeout=kit.TIMEOUT)


def tick(qtbot, box):
    """Click into a tick box."""
    from qtpy.QtCore import QPoint, Qt

    assert box.isEnabled(), box.toolTip()
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
