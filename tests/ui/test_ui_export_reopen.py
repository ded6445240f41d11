"""Run, export every format by its widgets, reopen the .h5ad in a second viewer: the same values of the same gene."""

from __future__ import annotations

import json
import shlex
import threading
from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox

from napari_tcgn.model import HeldOut
from napari_tcgn.ui.layers import store

SUFFIXES = (".h5ad", ".zarr", ".csv", ".parquet", ".geojson", ".png", ".svg")


def click(qtbot, button):
    assert button.isEnabled(), button.toolTip()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.fixture
def ready(dock_in_viewer, qtbot, slide_png, monkeypatch, use_predictor, kit):
    """Return a function that gives (viewer, dock) with spots laid on an opened slide, one click from a run."""

    def make(predictor=None):
        use_predictor(predictor or kit.predictor())
        viewer, dock = dock_in_viewer()
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(slide_png), ""))
        click(qtbot, dock.slide.open_button)
        state = dock.session.state
        qtbot.waitUntil(lambda: state.slide is not None, timeout=kit.TIMEOUT)
        dock.slide.mpp_box.setValue(kit.MPP)
        dock.spots.source_box.setCurrentIndex(dock.spots.source_box.findData("st"))
        click(qtbot, dock.spots.lay_button)
        qtbot.waitUntil(lambda: state.spots is not None, timeout=kit.TIMEOUT)
        return viewer, dock

    return make


@pytest.fixture
def predicted(ready, qtbot, kit):
    viewer, dock = ready()
    click(qtbot, dock.run.run_button)
    qtbot.waitUntil(lambda: not dock.session.state.running, timeout=kit.TIMEOUT)
    return viewer, dock


@pytest.fixture
def export_to(qtbot, monkeypatch, kit):
    """Choose a format, click Export and answer the dialog; returns what the dock says."""

    def export(dock, path: Path, genes: str | None = None) -> str:
        section = dock.export
        formats = [section.format_box.itemData(i).suffix for i in range(section.format_box.count())]
        section.format_box.setCurrentIndex(formats.index(path.suffix))
        if genes is not None:
            section.genes_box.setCurrentIndex(section.genes_box.findData(genes))
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(path), ""))
        section.message.say("")
        click(qtbot, section.export_button)
        qtbot.waitUntil(lambda: section.message.text() != "", timeout=kit.TIMEOUT)
        return section.message.text()

    return export


def test_every_format_then_reopened_in_a_second_viewer(
    predicted, export_to, qtbot, tmp_path, make_napari_viewer_proxy, dock_in_viewer, kit
):
    _viewer, dock = predicted
    state = dock.session.state
    dock.genes.search.setText("BLUE")
    qtbot.keyClick(dock.genes.search, Qt.Key.Key_Return)
    shown = np.array(state.result_layer.features["value"])
    n = len(state.spots)
    for suffix in SUFFIXES:
        said = export_to(dock, tmp_path / f"t{suffix}")
        count = {".geojson": 3, ".png": 1, ".svg": 1}.get(suffix, 4)  # trusted, shown, all
        assert said == f"Wrote t{suffix} ({n} spots x {count} genes).", dock.export.message.details.toPlainText()
    assert pd.read_csv(tmp_path / "t.csv")["BLUE"].to_numpy() == pytest.approx(shown, rel=1e-6)
    assert pd.read_parquet(tmp_path / "t.parquet")["BLUE"].to_numpy() == pytest.approx(shown, rel=1e-6)
    features = json.loads((tmp_path / "t.geojson").read_text())["features"]
    assert [f["properties"]["measurements"]["BLUE (predicted)"] for f in features] == pytest.approx(shown, rel=1e-6)

    viewer, again = dock_in_viewer()
    (picture, points) = viewer.open(str(tmp_path / "t.h5ad"), plugin="napari-tcgn")
    assert again.session.state.result_layer == points
    assert again.session.state.image is None, "the small picture is no slide to predict from"
    assert points.name == "stained · GREEN · predicted"  # the best held-out gene
    again.genes.search.setText("BLUE")
    qtbot.keyClick(again.genes.search, Qt.Key.Key_Return)
    np.testing.assert_array_equal(points.features["value"], shown)
    assert points.name == "stained · BLUE · predicted"
    assert again.map.scale.bar.unit == "mean grey value"
    # in µm, where they were
    np.testing.assert_allclose(points.data, state.result_layer.data)
    np.testing.assert_allclose(points.scale, kit.MPP)
    np.testing.assert_allclose(points.size, state.result_layer.size)
    assert str(points.units[0]) == "micrometer"
    np.testing.assert_allclose(
        picture.extent.world, [[kit.MPP / 2 - kit.MPP / 2] * 2, [(kit.SIDE - 1) * kit.MPP] * 2], atol=kit.MPP
    )


def test_the_dock_takes_up_what_was_open_before_it(predicted, export_to, tmp_path, make_napari_viewer_proxy, qtbot):
    _viewer, dock = predicted
    export_to(dock, tmp_path / "t.h5ad")
    viewer = make_napari_viewer_proxy()
    points = viewer.open(str(tmp_path / "t.h5ad"), plugin="napari-tcgn")[1]
    from napari_tcgn.ui import make_dock

    late = make_dock(viewer)
    viewer.window.add_dock_widget(late, name="Spatial gene prediction", area="right")
    assert late.session.state.result_layer == points
    assert late.session.state.gene == "GREEN"
    assert late.genes.search.isEnabled()
    assert late.export.export_button.isEnabled()


def test_a_duplicated_layer_shows_the_same_result(predicted):
    from copy import deepcopy

    viewer, dock = predicted
    layer = dock.session.state.result_layer
    data, meta, kind = layer.as_layer_data_tuple()
    copied = deepcopy(meta) | {"name": "copy"}
    copy = viewer.add_layer(Layer.create(data, copied, kind))
    assert store.result_of(copy) is store.result_of(layer)


def test_saved_through_napari(predicted, tmp_path):
    viewer, dock = predicted
    layer = dock.session.state.result_layer
    written = layer.save(str(tmp_path / "saved.h5ad"), plugin="napari-tcgn")
    assert [Path(path).name for path in written] == ["saved.h5ad"]
    adata = anndata.read_h5ad(tmp_path / "saved.h5ad")
    np.testing.assert_array_equal(adata[:, "GREEN"].X.ravel(), layer.features["value"])
    again = viewer.layers.save(str(tmp_path / "saved.h5ad"), selected=True)  # without saying by whom
    assert [Path(path).name for path in again] == ["saved.h5ad"]
    plain = viewer.add_points(np.zeros((2, 2)), name="plain")
    with pytest.raises(Exception, match="holds no predicted or measured genes"):
        plain.save(str(tmp_path / "plain.h5ad"), plugin="napari-tcgn")
    assert sorted(path.name for path in tmp_path.glob("*.h5ad")) == ["saved.h5ad"]
    layer.data = layer.data + 5  # put back at once
    layer.save(str(tmp_path / "moved.h5ad"), plugin="napari-tcgn")
    moved = anndata.read_h5ad(tmp_path / "moved.h5ad")
    np.testing.assert_array_equal(moved.obsm["spatial"], adata.obsm["spatial"])


def test_saved_through_napari_s_dialog_without_an_ending(predicted, tmp_path, monkeypatch):
    viewer, dock = predicted
    viewer.layers.selection = {dock.session.state.result_layer}
    offered = []

    def answer(*_args, filter="", **_kwargs):  # napari's name
        offered.extend(filter.split(";;"))
        return str(tmp_path / "mine"), next(one for one in offered if ".h5ad" in one)

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    menu = next(a.menu() for a in dock.window().menuBar().actions() if a.text().strip("&") == "File")
    next(action for action in menu.actions() if "Save Selected" in action.text()).trigger()
    assert [path.name for path in tmp_path.glob("mine*")] == ["mine.h5ad"]
    assert anndata.read_h5ad(tmp_path / "mine.h5ad").n_vars == 4


@pytest.mark.parametrize("of_a_table", [False, True])
def test_the_copied_command_gives_the_same_matrix(
    predicted, of_a_table, spot_table, export_to, qtbot, tmp_path, monkeypatch, capsys, kit
):
    """UX check 14: a GUI run and its copied command line give equal matrices."""
    from napari_tcgn.cli import main

    _viewer, dock = predicted
    state = dock.session.state
    if of_a_table:
        dock.spots.source_box.setCurrentIndex(dock.spots.source_box.findData("table"))
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(spot_table), ""))
        click(qtbot, dock.spots.lay_button)
        qtbot.waitUntil(lambda: state.spots is not None and len(state.spots) == 6, timeout=kit.TIMEOUT)
        click(qtbot, dock.run.run_button)
        qtbot.waitUntil(lambda: not state.running, timeout=kit.TIMEOUT)
    export_to(dock, tmp_path / "gui.h5ad")
    click(qtbot, dock.export.copy_button)
    command = shlex.split(QApplication.clipboard().text())
    assert command[:2] == ["napari-tcgn", "predict"]
    assert dock.export.message.text() == "Copied the command that repeats this run."
    assert (str(spot_table) in command) == of_a_table
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(command[1:])
    assert not end.value.code, capsys.readouterr().err
    gui, line = anndata.read_h5ad(tmp_path / "gui.h5ad"), anndata.read_h5ad(tmp_path / command[-1])
    assert gui.X.tobytes() == line.X.tobytes()
    assert list(gui.obs_names) == list(line.obs_names)
    np.testing.assert_array_equal(gui.obsm["spatial"], line.obsm["spatial"])


def test_a_layer_without_a_file_says_why_no_command_repeats_it(dock_in_viewer, qtbot, use_predictor, kit):
    use_predictor(kit.predictor())
    viewer, dock = dock_in_viewer()
    viewer.add_image(kit.stained(), name="array", rgb=True, scale=(kit.MPP, kit.MPP), units=("um", "um"))
    state = dock.session.state
    click(qtbot, dock.spots.lay_button)
    qtbot.waitUntil(lambda: state.spots is not None, timeout=kit.TIMEOUT)
    click(qtbot, dock.run.run_button)
    qtbot.waitUntil(lambda: not state.running, timeout=kit.TIMEOUT)
    QApplication.clipboard().setText("mine")
    click(qtbot, dock.export.copy_button)
    assert "a layer without a file" in dock.export.message.text()
    assert QApplication.clipboard().text() == "mine"


def test_a_partial_result_is_named_so(ready, qtbot, kit, tmp_path, monkeypatch, export_to):
    gate = threading.Event()
    _viewer, dock = ready(kit.predictor(gate))
    state = dock.session.state
    try:
        click(qtbot, dock.run.run_button)
        qtbot.waitUntil(lambda: state.progress is not None and state.progress.stage == "predict", timeout=kit.TIMEOUT)
        assert not dock.export.export_button.isEnabled()
        click(qtbot, dock.run.cancel_button)
    finally:
        gate.set()
    total = len(state.spots)
    said = export_to(dock, tmp_path / "t.csv")
    assert "8 spots x 4 genes, a partial result" in said
    assert pd.read_csv(tmp_path / "t.csv")["partial_result"].all()
    suggested = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (suggested.append(a[2]), ("", ""))[1])
    click(qtbot, dock.export.export_button)
    assert suggested[0].endswith("_partial.csv")
    export_to(dock, tmp_path / "t.h5ad")
    assert total > 8
    assert anndata.read_h5ad(tmp_path / "t.h5ad").uns["napari_tcgn"]["partial"]


def test_zarr_with_the_slide_at_full_resolution(predicted, export_to, tmp_path, kit):
    import spatialdata

    _viewer, dock = predicted
    dock.export.full_box.setChecked(True)
    assert "Wrote t.zarr" in export_to(dock, tmp_path / "t.zarr")
    image = spatialdata.read_zarr(tmp_path / "t.zarr")["image"]
    np.testing.assert_array_equal(np.moveaxis(image.values, 0, 2), kit.stained())


def test_errors_are_sentences_and_nothing_is_replaced_unasked(predicted, export_to, tmp_path, monkeypatch, qtbot, kit):
    _viewer, dock = predicted
    (tmp_path / "t.csv").write_text("mine")
    monkeypatch.setattr(QMessageBox, "question", lambda *a, **k: QMessageBox.StandardButton.No)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(tmp_path / "t.csv"), ""))
    dock.export.format_box.setCurrentIndex(2)
    click(qtbot, dock.export.export_button)
    qtbot.waitUntil(lambda: not dock.session.background.busy, timeout=kit.TIMEOUT)
    assert (tmp_path / "t.csv").read_text() == "mine"
    said = export_to(dock, tmp_path / "missing" / "t.csv")
    assert said.startswith("⚠ The folder")
    assert "Traceback" in dock.export.message.details.toPlainText()
    result = store.result_of(dock.session.state.result_layer)
    result.adata.uns["napari_tcgn"]["model_card"] = replace(result.card, metrics=HeldOut()).to_json()
    said = export_to(dock, tmp_path / "t.geojson", "trusted")
    assert said.startswith("⚠ Nothing is known of how far")
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".geojson"] == []


def test_nothing_of_the_section_is_wider_than_the_dock(predicted, qtbot):
    _viewer, dock = predicted
    dock.resize(370, 800)
    for index in range(dock.export.format_box.count()):
        dock.export.format_box.setCurrentIndex(index)
        # Less the scroll bar.
        qtbot.waitUntil(lambda: dock.export.minimumSizeHint().width() <= 370 - 20, timeout=5000)
    for widget in ("format_box", "genes_box", "tidy_box", "full_box", "export_button", "copy_button"):
        assert getattr(dock.export, widget).toolTip()
