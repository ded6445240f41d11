"""A window that Mesa draws with LLVM, and torch's compiler with another LLVM: both in one process."""

from __future__ import annotations

import subprocess
import sys

DRAWN_FIRST = """
from qtpy.QtWidgets import QApplication
application = QApplication([])
from vispy import scene
canvas = scene.SceneCanvas(show=True)
application.processEvents()
canvas.render()
from napari_tcgn.model import import_timm
print(import_timm().__name__)
import torch
print(float(torch.ones(3).sum()))
"""


def test_timm_is_imported_after_a_window_was_drawn() -> None:
    done = subprocess.run([sys.executable, "-c", DRAWN_FIRST], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["timm", "3.0"]
