"""What was done in the dock, done again: the copied command with a drawn region, and the session as scripts."""

from __future__ import annotations

import runpy
import shlex
from dataclasses import replace

import anndata
import numpy as np
import pytest
from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox

from napari_tcgn.ui.actions.comparing import Measured
from napari_tcgn.ui.layers import store

SCALE = "log10(1 + 1e4 * count / panel total)"
CORNERS = np.array([[100, 100], [100, 380], [500, 380], [500, 100]], float)  # (row, column) in px


def run_in_region(dock, kit, qtbot) -> store.Result:
    """Draw a rectangle, lay spots in it and run."""
    state = dock.session.state
    everywhere = state.spots
    kit.click(dock.spots.region.draw_button)
    dock.spots.region.layer().add_polygons([CORNERS])
    if state.spots is everywhere:  # not laid anew by itself
        kit.click(dock.spots.lay_button)
    qtbot.waitUntil(lambda: state.spots is not None and len(state.spots) < len(everywhere), timeout=kit.TIMEOUT)
    assert state.spots.source.region.layer
    kit.run_to_end(dock)
    return store.result_of(state.result_layer)


@pytest.fixture
def with_region(ready, kit, qtbot):
    """A run of the test's predictor inside a drawn rectangle."""
    viewer, dock = ready(kit.predictor())
    run_in_region(dock, kit, qtbot)
    return viewer, dock


def run_line(line: str, capsys) -> None:
    from napari_tcgn.cli import main

    with pytest.raises(SystemExit) as end:
        main(shlex.split(line)[1:])
    assert not end.value.code, capsys.readouterr().err


def test_a_drawn_region_is_saved_beside_the_copied_command(with_region, kit, tmp_path, monkeypatch, qtbot, capsys):
    _viewer, dock = with_region
    asked = []

    def answer(_parent, title, name, *_rest, **_options):
        asked.append((title, name))
        return str(tmp_path / "drawn.geojson"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    QApplication.clipboard().setText("mine")
    kit.click(dock.export.copy_button)
    qtbot.waitUntil(lambda: QApplication.clipboard().text() != "mine", timeout=kit.TIMEOUT)
    slide = dock.session.state.slide.path
    assert asked == [
        ("Save the region that was drawn, for the command", str(slide.with_name("stained_region.geojson")))
    ]
    line = QApplication.clipboard().text()
    assert str(tmp_path / "drawn.geojson") in shlex.split(line)
    assert "drawn.geojson is saved" in dock.export.message.text()
    monkeypatch.chdir(tmp_path)
    run_line(line, capsys)
    made, again = store.result_of(dock.session.state.result_layer), anndata.read_h5ad(shlex.split(line)[-1])
    assert list(again.obs_names) == list(made.spots.ids)
    assert again.X.tobytes() == np.asarray(made.values).tobytes()


def test_no_file_no_command(with_region, kit, tmp_path, monkeypatch, qtbot):
    _viewer, dock = with_region
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: ("", ""))
    QApplication.clipboard().setText("mine")
    kit.click(dock.export.copy_button)
    qtbot.wait(300)
    assert QApplication.clipboard().text() == "mine"


def test_the_clipboard_never_keeps_the_command_of_another_slide(with_region, kit, tmp_path, monkeypatch, qtbot):
    viewer, dock = with_region
    state = dock.session.state
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(tmp_path / "r.geojson"), ""))
    kit.click(dock.export.copy_button)
    qtbot.waitUntil(lambda: "napari-tcgn predict" in QApplication.clipboard().text(), timeout=kit.TIMEOUT)
    array = viewer.add_image(kit.stained(), rgb=True, name="array", scale=(kit.MPP,) * 2, units=("um", "um"))
    dock.session.choose_image(array, show=True)
    dock.spots.region.inside_box.setChecked(False)
    kit.lay_spots(dock)
    kit.run_to_end(dock)
    assert store.result_of(state.result_layer).library_id == "array"
    kit.click(dock.export.copy_button)
    assert "a layer without a file" in dock.export.message.text()
    assert QApplication.clipboard().text() == ""


def test_a_session_is_saved_as_scripts_that_give_the_same_files(ready, kit, tmp_path, monkeypatch, qtbot, capsys):
    """Two runs, one of them in a drawn region, and a comparison of the other one."""
    predictor = kit.predictor()
    predictor.card = replace(predictor.card, output_scale=SCALE)
    _viewer, dock = ready(predictor)
    state = dock.session.state
    kit.run_to_end(dock)
    everywhere = store.result_of(state.result_layer)
    measured = everywhere.to_adata().copy()
    measured.X = np.random.default_rng(0).poisson(5, measured.shape).astype(np.float32)
    del measured.uns["napari_tcgn"]
    measured.write_h5ad(tmp_path / "measured.h5ad")
    dock.compare.compare(Measured(tmp_path / "measured.h5ad"))
    qtbot.waitUntil(lambda: not dock.compare.comparing.running, timeout=kit.TIMEOUT)
    assert len(list(dock.compare.comparing)) == 1, dock.compare.message.text()
    in_region = run_in_region(dock, kit, qtbot)
    folders = [tmp_path / "python", tmp_path / "shell"]
    for folder in folders:
        folder.mkdir()
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a, folder=folder, **k: str(folder))
        kit.click(dock.export.session_button)
        qtbot.waitUntil(lambda folder=folder: (folder / "session.sh").exists(), timeout=kit.TIMEOUT)
        qtbot.waitUntil(lambda: dock.export.message.text().startswith("Saved session.py"), timeout=kit.TIMEOUT)
    asked = []
    monkeypatch.setattr(QMessageBox, "question", lambda *a, **k: (asked.append(a[2]), QMessageBox.StandardButton.No)[1])
    kit.click(dock.export.session_button)
    assert "holds a saved session already" in asked[0]

    runpy.run_path(str(folders[0] / "session.py"), run_name="__main__")
    monkeypatch.chdir(folders[1])
    lines = [line for line in (folders[1] / "session.sh").read_text().splitlines() if line.startswith("napari-tcgn")]
    assert [line.split()[1] for line in lines] == ["predict", "compare", "export", "predict", "export"]
    for line in lines:
        run_line(line, capsys)
    for folder in folders:
        files = {path.name: path for path in folder.iterdir()}
        assert [(path / "report.html").is_file() for name, path in files.items() if name.endswith("_compared")] == [
            True
        ]
        assert len([name for name in files if name.endswith(".png")]) == 2
        made = [anndata.read_h5ad(path) for name, path in sorted(files.items()) if name.endswith(".h5ad")]
        assert len(made) == 2
        for result in (everywhere, in_region):
            again = next(one for one in made if one.n_obs == len(result.spots))
            assert list(again.obs_names) == list(result.spots.ids)
            assert again.X.tobytes() == np.asarray(result.values).tobytes()
            np.testing.assert_array_equal(again.obsm["spatial"], np.column_stack([result.spots.x, result.spots.y]))


def test_a_session_of_layers_without_files_says_so(dock_with_spots, kit, tmp_path, monkeypatch):
    _viewer, dock = dock_with_spots
    kit.run_to_end(dock)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a, **k: str(tmp_path))
    kit.click(dock.export.session_button)
    said = dock.export.message.text()
    assert said.startswith("Nothing to save.")
    assert "a layer without a file" in said
    assert list(tmp_path.glob("session*")) == []
