"""Menus and the command palette: entries are called what we say, and run without being given a file."""

from __future__ import annotations

import subprocess
import sys

import pytest
from napari import Viewer
from napari.layers import Points
from qtpy.QtWidgets import QFileDialog

from napari_tcgn.ui.io import dialogs, reader, result_reader, result_writer

# In a process of its own: the test fixtures of napari leave out what plugins register.
SCRIPT = """
import napari
from napari._app_model import get_app_model
from qtpy.QtWidgets import QFileDialog

viewer = napari.Viewer(show=False)
menu = viewer.window.plugins_menu
menu.aboutToShow.emit()
print("menu:", [action.text() for action in menu.actions()])
app = get_app_model()
print("sample:", app.commands["napari-tcgn.section"].title)
QFileDialog.getOpenFileName = lambda *a, **k: (print("asked:", a[1]), ("", ""))[1]
for name in ("read_slide", "read_h5ad", "read_spots"):
    print(name, app.commands.execute_command(f"napari-tcgn.{name}").result())
for name in ("write_h5ad", "run", "cancel", "reset"):
    print(name, app.commands.execute_command(f"napari-tcgn.{name}").result())
viewer.close()
"""


@pytest.mark.slow
def test_entries_of_the_palette_run_and_menus_are_called_as_we_say():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "Spatial gene prediction (TCGN)" in lines[0]
    assert lines[1] == "sample: H&&E section with measured counts (TCGN)"
    assert [line for line in lines if line.startswith("asked")] == [
        "asked: Open an H&E slide",
        "asked: Open a section with its genes",
        "asked: Read the spots of a section",
    ]
    assert "write_h5ad []" in lines
    assert "run None" in lines


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Answer every dialog with this path."""
    path = tmp_path / "section"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(path.with_suffix(".h5ad")), ""))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(path), ""))
    return path


def test_a_result_is_saved_and_opened_from_the_palette(dock_in_viewer, use_predictor, kit, asked, monkeypatch):
    use_predictor(kit.predictor())
    viewer, dock = dock_in_viewer()
    monkeypatch.setattr(dialogs, "_viewer", lambda: viewer)
    told = []
    monkeypatch.setattr(dialogs, "show_info", told.append)
    viewer.add_image(kit.stained(), rgb=True, name="slide", scale=(kit.MPP,) * 2, units=("um", "um"))
    assert result_writer.write_result() == []
    assert told == [dialogs.NO_RESULT]
    kit.lay_spots(dock)
    kit.run_to_end(dock)
    viewer.layers.selection.active = dock.session.state.result_layer
    saved = []
    monkeypatch.setattr(Points, "save", lambda self, path, plugin: saved.append(path))
    result_writer.write_result()
    assert saved == [f"{asked}.h5ad"]
    # What napari does with that path, its plugins being left out in tests.
    layer = viewer.layers.selection.active
    data, meta, _ = layer.as_layer_data_tuple()
    result_writer.write_result(saved[0], data, meta)
    opened = []
    monkeypatch.setattr(Viewer, "open", lambda self, path, plugin: opened.append((path, plugin)))
    assert result_reader.get_reader() is None
    assert reader.get_reader() is None
    assert opened == [(saved[0], "napari-tcgn")] * 2
    *_, (points, _, kind) = result_reader.read_layers(saved[0])
    assert kind == "points"
    assert len(points) == len(dock.session.state.spots)
