"""Predicted beside measured: names of the halves, swapping them, limits, dots of the scatter plot, reopened files."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QFileDialog

from napari_tcgn.expression import OUTPUT_SCALE
from napari_tcgn.ui.io import dialogs
from napari_tcgn.ui.layers import result_layers, store
from napari_tcgn.ui.layers.veil import is_veil
from napari_tcgn.ui.shortcuts import SHORTCUTS, keys_of
from napari_tcgn.ui.widgets.scatter import MOST_DOTS, Scatter
from support.comparing import compare, tick, write_counts


@pytest.fixture
def pair(ready, qtbot, kit, tmp_path, monkeypatch):
    """Return (viewer, dock, predicted layer, measured layer), side by side in a window that is shown."""
    predictor = kit.predictor()
    predictor.card = kit.card(output_scale=OUTPUT_SCALE)
    viewer, dock = ready(predictor, show=True)
    kit.run_to_end(dock)
    layer = dock.session.state.result_layer
    write_counts(tmp_path / "measured.h5ad", dock.session.state.spots)
    compare(qtbot, dock, kit, tmp_path / "measured.h5ad", monkeypatch)
    comparing = dock.compare.comparing
    return viewer, dock, layer, comparing.layer_of(comparing.of(store.result_of(layer)).measured)


def left_of(layer) -> float:
    return float(layer.data_to_world(layer.data[0])[1])


def names(viewer):
    return next(layer for layer in viewer.layers if layer.name.endswith("names of the halves"))


def seen(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers if layer.visible and not is_veil(layer)]


def test_the_halves_are_named_and_swapped_with_a_key(pair, qtbot, kit) -> None:
    viewer, dock, predicted, measured = pair
    beside = dock.compare.comparing.side_by_side
    home, step = left_of(predicted), 1.04 * kit.SIDE * kit.MPP
    above = names(viewer)
    assert [text.split("\n")[0] for text in above.text.values] == ["predicted", "measured"]
    for plate, layer in zip(above.data, (predicted, measured), strict=True):
        world = np.array([layer.data_to_world(point) for point in layer.data])
        assert plate[:, 1].mean() == pytest.approx((world[:, 1].min() + world[:, 1].max()) / 2)
        assert plate[:, 0].max() < world[:, 0].min(), "above the half"
    assert dock.spots.region.layer() is None, "no region to lay spots in"
    assert above.text.scaling, "zooms with it"
    assert keys_of("swap_halves") in dock.compare.side_by_side_box.toolTip()
    window = dock.window()
    with qtbot.waitActive(window):
        window.activateWindow()
    key = QKeySequence(SHORTCUTS["swap_halves"].chord)[0]
    qtbot.keyClick(window, key.key(), key.keyboardModifiers())
    qtbot.waitUntil(lambda: left_of(predicted) > home, timeout=3000)
    assert [left_of(one) - home for one in (measured, predicted)] == pytest.approx([0, step])
    assert [text.split("\n")[0] for text in names(viewer).text.values] == ["measured", "predicted"]
    assert viewer.layers.selection.active == predicted, "nothing else is chosen"
    assert all(one.visible for one in (predicted, measured))
    tick(qtbot, dock.compare.side_by_side_box)
    assert not beside.is_open
    assert [left_of(one) - home for one in (predicted, measured)] == pytest.approx([0, 0])
    assert [predicted.visible, measured.visible] == [True, False], "what is selected is what is seen"
    viewer.layers.selection.active = measured
    assert [predicted.visible, measured.visible] == [False, True]
    assert not any(layer.name.endswith(("halves", "beside")) for layer in viewer.layers)


def test_shared_limits_or_own_ones_but_one_gene_and_one_colour_map(pair, qtbot, kit) -> None:
    viewer, dock, predicted, measured = pair
    box = dock.compare.limits_box
    assert box.isChecked()
    assert tuple(predicted.face_contrast_limits) == tuple(measured.face_contrast_limits)
    assert "shared limits" in names(viewer).text.values[0]
    tick(qtbot, box)
    for layer in (predicted, measured):
        own = np.nanpercentile(layer.features["value"], (1, 99))
        np.testing.assert_allclose(layer.face_contrast_limits, own, rtol=1e-6)
    low, high = measured.face_contrast_limits
    assert names(viewer).text.values[1] == f"measured\nown limits {low:.3g} to {high:.3g}"
    dock.map.scale.colormap_box.setCurrentText("magma")
    assert [one.face_colormap.name for one in (predicted, measured)] == ["magma", "magma"]
    dock.genes.search.setText("RED")
    qtbot.keyClick(dock.genes.search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: result_layers.shown_gene(predicted) == "RED", timeout=kit.TIMEOUT)
    assert result_layers.shown_gene(measured) == "RED"
    np.testing.assert_allclose(measured.face_contrast_limits, np.percentile(measured.features["value"], (1, 99)))
    tick(qtbot, box)
    assert tuple(predicted.face_contrast_limits) == tuple(measured.face_contrast_limits)
    assert "shared limits" in names(viewer).text.values[1]


def test_a_dot_of_the_scatter_plot_shows_its_spot(pair, qtbot) -> None:
    viewer, dock, predicted, measured = pair
    scatter, result = dock.compare.scatter, store.result_of(predicted)
    values = np.column_stack([layer.features["value"] for layer in (predicted, measured)])
    spot = int(np.lexsort(values.T[::-1])[0])  # the leftmost dot, alone at the edge
    share = (values - values.min(axis=0)) / np.ptp(values, axis=0)
    box = scatter._box()
    at = box.left() + share[spot, 0] * box.width(), box.bottom() - share[spot, 1] * box.height()
    qtbot.mouseClick(scatter, Qt.MouseButton.LeftButton, pos=QPoint(*(round(place) for place in at)))
    ring = next(layer for layer in viewer.layers if layer.name == f"stained · spot {result.spots.ids[spot]}")
    places = np.array([one.data_to_world(one.data[spot]) for one in (predicted, measured)])
    np.testing.assert_allclose(ring.data, places)
    camera = getattr(getattr(viewer, "scene", viewer), "camera", None) or viewer.camera
    np.testing.assert_allclose(camera.center[-2:], places.mean(axis=0))
    assert np.ptp(places, axis=0).max() * camera.zoom <= 300 * 1.001, "both rings are on the canvas"
    said = viewer.status if isinstance(viewer.status, str) else str(viewer.status)
    assert said.startswith(f"spot {result.spots.ids[spot]} · GREEN: predicted {values[spot, 0]:.3g}, measured")
    assert f"{values[spot, 1]:.3g} log10" in said
    assert viewer.layers.selection.active == predicted
    # the ring goes with the pair
    tick(qtbot, dock.compare.side_by_side_box)
    assert ring not in viewer.layers


def test_dots_that_are_thinned_out_still_name_their_spot(qtbot) -> None:
    values = np.arange(4.0 * MOST_DOTS)
    values[:7] = np.nan
    scatter = Scatter()
    qtbot.addWidget(scatter)
    scatter.resize(400, scatter.height())
    scatter.show()
    scatter.show_values(values, values, "GENE")
    assert scatter.dots <= MOST_DOTS
    box = scatter._box()
    with qtbot.waitSignal(scatter.picked) as picked:
        qtbot.mouseClick(scatter, Qt.MouseButton.LeftButton, pos=box.center().toPoint())
    middle = (7 + len(values) - 1) / 2
    assert picked.args[0] == pytest.approx(middle, abs=2 * len(values) / box.width()), "7 spots have no value"
    with qtbot.assertNotEmitted(scatter.picked):
        qtbot.mouseClick(scatter, Qt.MouseButton.LeftButton, pos=box.topLeft().toPoint() + QPoint(20, 5))


def test_the_written_report_is_opened_in_the_browser(pair, qtbot, tmp_path, monkeypatch, kit) -> None:
    _viewer, dock, _, _ = pair
    section, opened = dock.compare, []
    dock.open_section(section)
    monkeypatch.setattr(dialogs, "open_in_browser", lambda path: opened.append(path) or True)
    assert section.report_button.isHidden()
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a, **k: str(tmp_path / "out"))
    kit.click(section.write_button)
    qtbot.waitUntil(lambda: section.report_button.isVisible(), timeout=kit.TIMEOUT)
    kit.click(section.report_button)
    assert opened == [tmp_path / "out" / "report.html"]
    assert opened[0].is_file()
    opened[0].unlink()
    kit.click(section.report_button)
    assert "is gone" in section.message.text()
    assert len(opened) == 1


def test_a_reopened_result_lies_on_no_other_slide_and_has_a_scale_bar(
    pair, qtbot, tmp_path, monkeypatch, kit, dock_in_viewer
) -> None:
    _viewer, dock, _, _ = pair
    path = tmp_path / "t.h5ad"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(path), ""))
    kit.click(dock.export.export_button)
    qtbot.waitUntil(lambda: path.is_file() and "Wrote" in dock.export.message.text(), timeout=kit.TIMEOUT)
    viewer, other = dock_in_viewer(show=True)
    slide = viewer.add_image(kit.stained(300), rgb=True, name="another")
    canvas = getattr(viewer, "canvas", None)
    bar = viewer.scale_bar if canvas is None else canvas.overlays.scale_bar
    assert not bar.visible
    picture, points = viewer.open(str(path), plugin="napari-tcgn")
    assert bar.visible, "the file says its µm per px"
    assert [layer.name for layer in viewer.layers if layer.visible and not is_veil(layer)] == [
        picture.name,
        points.name,
    ]
    viewer.layers.selection.active = slide
    assert seen(viewer) == ["another"]
    # side by side: the measurement beside the whole picture, on a second view of it
    viewer.layers.selection.active = points
    compare(qtbot, other, kit, tmp_path / "measured.h5ad", monkeypatch)
    assert other.compare.message.text() == ""
    second = next(layer for layer in viewer.layers if layer.name.endswith("beside"))
    measured = next(layer for layer in viewer.layers if layer.name.endswith("measured"))
    assert second.extent.world[0, 1] > picture.extent.world[1, 1]
    assert left_of(measured) - left_of(points) == pytest.approx(second.extent.world[0, 1] - picture.extent.world[0, 1])
    assert all(layer.visible for layer in (picture, points, second, measured))
    assert not slide.visible
