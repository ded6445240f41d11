"""From an opened file to an .h5ad by clicking the real widgets."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMessageBox


def click(qtbot, button):
    assert button.isEnabled(), button.toolTip()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def set_source(dock, layout):
    dock.spots.source_box.setCurrentIndex(dock.spots.source_box.findData(layout))


def run_to_end(qtbot, dock, timeout):
    click(qtbot, dock.run.run_button)
    assert dock.session.state.running
    qtbot.waitUntil(lambda: not dock.session.state.running, timeout=timeout)
    assert dock.run.message.text().startswith("Done"), dock.run.message.details.toPlainText()


@pytest.fixture
def opened(dock_in_viewer, qtbot, slide_png, monkeypatch, use_predictor, kit):
    """A dock with the slide opened through its button and its µm per px typed."""
    use_predictor(kit.predictor())
    viewer, dock = dock_in_viewer()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(slide_png), ""))
    click(qtbot, dock.slide.open_button)
    qtbot.waitUntil(lambda: dock.session.state.slide is not None, timeout=kit.TIMEOUT)
    return viewer, dock


def test_open_spots_run_gene_export(opened, qtbot, tmp_path, monkeypatch, kit):
    _viewer, dock = opened
    state = dock.session.state
    # µm per px is asked for, not assumed
    assert state.mpp is None
    assert dock.slide.mpp_box.text() == "unknown"
    assert "How many µm" in dock.slide.info.text()
    assert not dock.run.run_button.isEnabled()
    assert "µm" in dock.run.reason.text()
    dock.slide.mpp_box.setValue(kit.MPP)
    image = state.image
    np.testing.assert_allclose(image.scale, kit.MPP)
    assert str(image.units[0]) == "micrometer"
    assert "Lay spots" in dock.run.reason.text()

    # a custom grid on the tissue only
    set_source(dock, "square")
    dock.spots.pitch_box.setValue(150)
    dock.spots.diameter_box.setValue(70)
    click(qtbot, dock.spots.lay_button)
    qtbot.waitUntil(lambda: state.spots is not None, timeout=kit.TIMEOUT)
    spots = state.spots
    assert f"{len(spots)} spots of 70 µm" in dock.spots.count.text()
    assert spots.x.max() < 2 * kit.SIDE / 3  # none on glass
    layer = dock.session.spots_layer
    np.testing.assert_allclose(layer.size * layer.scale[0], 70)  # µm
    assert len(np.unique(layer.face_color, axis=0)) == 1  # one grey: not yet predicted

    # run
    assert dock.run.run_button.isEnabled()
    run_to_end(qtbot, dock, kit.TIMEOUT)
    result = state.result_layer
    assert result.name == "stained · GREEN · predicted"  # the best held-out gene is shown first
    assert "Done" in dock.run.message.text()
    assert not layer.visible, "no spot is without a prediction"
    assert np.isfinite(result.features["value"]).all()

    # another gene by typing; its values are those of the pixels under the spots
    dock.genes.search.setText("red")
    qtbot.keyClick(dock.genes.search, Qt.Key.Key_Return)
    assert result.name == "stained · RED · predicted"
    pixels = kit.stained()
    side = round(60 / kit.MPP)
    x, y = int(spots.x[0]), int(spots.y[0])
    patch = pixels[y - side // 2 : y - side // 2 + side, x - side // 2 : x - side // 2 + side]
    assert result.features["value"][0] == pytest.approx(patch[..., 0].mean(), abs=1e-3)
    # dark (low) on the right and pale (high) on the left have different colours
    left, right = np.argmin(spots.x), np.argmax(spots.x)
    assert np.abs(result.face_color[left] - result.face_color[right]).max() > 0.3

    # limits by hand stay for the next gene
    dock.map.scale.high_box.setValue(500)
    assert not dock.map.scale.auto_box.isChecked()
    assert tuple(result.face_contrast_limits)[1] == 500
    assert dock.map.scale.bar.high == 500
    assert dock.map.scale.bar.unit == "mean grey value"

    # export
    path = tmp_path / "out"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(path), ""))
    click(qtbot, dock.export.export_button)
    qtbot.waitUntil(lambda: "Wrote" in dock.export.message.text(), timeout=kit.TIMEOUT)
    import anndata

    adata = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert adata.shape == (len(spots), 4)
    np.testing.assert_allclose(adata[:, "RED"].X.ravel(), result.features["value"], rtol=1e-6)
    np.testing.assert_allclose(adata.obsm["spatial"], np.column_stack([spots.x, spots.y]))

    # an existing file is replaced only after a yes
    before = (tmp_path / "out.h5ad").stat().st_mtime_ns
    dock.export.message.say("")
    monkeypatch.setattr(QMessageBox, "question", lambda *a, **k: QMessageBox.StandardButton.No)
    click(qtbot, dock.export.export_button)
    qtbot.waitUntil(lambda: not dock.session.background.busy, timeout=kit.TIMEOUT)
    assert (tmp_path / "out.h5ad").stat().st_mtime_ns == before
    monkeypatch.setattr(QMessageBox, "question", lambda *a, **k: QMessageBox.StandardButton.Yes)
    click(qtbot, dock.export.export_button)
    qtbot.waitUntil(lambda: "Wrote" in dock.export.message.text(), timeout=kit.TIMEOUT)
    assert (tmp_path / "out.h5ad").stat().st_mtime_ns > before


def test_running_again_makes_a_new_result(opened, qtbot, kit):
    viewer, dock = opened
    state = dock.session.state
    dock.slide.mpp_box.setValue(kit.MPP)
    click(qtbot, dock.spots.lay_button)
    qtbot.waitUntil(lambda: state.spots is not None, timeout=kit.TIMEOUT)
    run_to_end(qtbot, dock, kit.TIMEOUT)
    first = state.result_layer
    run_to_end(qtbot, dock, kit.TIMEOUT)
    second = state.result_layer
    assert first in viewer.layers
    assert first != second
    # the genes section works on the layer that is selected
    viewer.layers.selection.active = first
    assert state.result_layer == first
    dock.genes.search.setText("BLUE")
    qtbot.keyClick(dock.genes.search, Qt.Key.Key_Return)
    assert first.name.startswith("stained · BLUE · predicted")
    assert second.name.startswith("stained · GREEN · predicted")


def test_spots_of_a_table_and_keys_in_the_gene_table(opened, qtbot, kit, spot_table, monkeypatch):
    _viewer, dock = opened
    state = dock.session.state
    dock.slide.mpp_box.setValue(kit.MPP)
    set_source(dock, "table")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(spot_table), ""))
    click(qtbot, dock.spots.lay_button)
    qtbot.waitUntil(lambda: state.spots is not None, timeout=kit.TIMEOUT)
    assert "6 spots of 100 µm, 200 µm apart (stained_selection.tsv)" in dock.spots.count.text()
    # positions of a table are px: they survive another µm per px, which only changes their size
    dock.slide.mpp_box.setValue(2 * kit.MPP)
    assert state.spots is not None
    np.testing.assert_allclose(dock.session.spots_layer.size * 2 * kit.MPP, 100)
    dock.slide.mpp_box.setValue(kit.MPP)
    run_to_end(qtbot, dock, kit.TIMEOUT)
    table = dock.genes.table
    qtbot.keyClick(dock.genes.trusted.box, Qt.Key.Key_Space)
    assert table.visible_genes() == ["GREEN", "BLUE", "RED", "DARK1"]  # by held-out PCC, unknown last
    qtbot.keyClick(table, Qt.Key.Key_Down)
    assert state.gene == "BLUE"
    assert state.result_layer.name == "stained · BLUE · predicted"
    qtbot.keyClick(table, Qt.Key.Key_Down)
    assert state.gene == "RED"
    table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    dock.genes.search.setText("e")
    assert table.visible_genes() == ["BLUE", "GREEN", "RED"]
    qtbot.keyClicks(dock.genes.search, "xx")
    qtbot.keyClick(dock.genes.search, Qt.Key.Key_Return)
    assert "No gene" in dock.genes.found.text()


def test_another_mpp_drops_a_grid(opened, qtbot, kit):
    viewer, dock = opened
    state = dock.session.state
    dock.slide.mpp_box.setValue(kit.MPP)
    click(qtbot, dock.spots.lay_button)
    qtbot.waitUntil(lambda: state.spots is not None, timeout=kit.TIMEOUT)
    state.image.scale = (1.0, 1.0)  # from anywhere in napari
    assert state.mpp == 1.0
    assert dock.slide.mpp_box.value() == 1.0
    assert state.spots is None
    assert dock.session.spots_layer is None
    assert len(viewer.layers) == 1
    assert not dock.run.run_button.isEnabled()


def test_without_a_model_the_dock_says_so(make_napari_viewer_proxy, qtbot, kit, monkeypatch):
    from napari_tcgn.ui import make_dock

    monkeypatch.setattr("napari_tcgn.model.list_models", list)
    viewer = make_napari_viewer_proxy()
    dock = make_dock(viewer)
    viewer.window.add_dock_widget(dock, name="Spatial gene prediction", area="right")
    qtbot.waitUntil(lambda: "No model is installed" in dock.model.card.text(), timeout=kit.TIMEOUT)
    assert not dock.run.run_button.isEnabled()
