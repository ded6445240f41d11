"""Points changed by hand: those of a result come back, and genes still browse; spots can be deleted before a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.layers import Points
from napari.layers.points._points_constants import Mode
from qtpy.QtCore import Qt

from napari_tcgn.engine import Files, predict_command
from napari_tcgn.errors import DataError
from napari_tcgn.ui.layers import kept_points, laid_spots, store


@pytest.fixture
def result(dock_with_spots, kit, monkeypatch):
    """A dock, the layer of its result with the gene of another column than the first, and what was said."""
    viewer, dock = dock_with_spots
    kit.run_to_end(dock)
    layer = dock.session.state.result_layer
    viewer.layers.selection.active = layer
    said: list[str] = []
    monkeypatch.setattr(kept_points, "show_warning", said.append)
    return dock, getattr(layer, "__wrapped__", layer), said


def add_one(layer: Points) -> None:
    layer.mode = Mode.ADD
    layer.add((5.0, 7.0))


def delete_some(layer: Points) -> None:
    layer.mode = Mode.SELECT
    layer.selected_data = {0, 3}
    layer.remove_selected()


def delete_all(layer: Points) -> None:
    layer.selected_data = set(range(len(layer.data)))
    layer.remove_selected()


def move_one(layer: Points) -> None:
    layer.mode = Mode.SELECT
    layer.selected_data = {1}
    layer._move([1], layer.data[1])  # as napari does while a point is dragged
    layer._move([1], layer.data[1] + 40)


def replace_all(layer: Points) -> None:
    layer.data = np.zeros((3, 2))


@pytest.mark.parametrize("change", [add_one, delete_some, delete_all, move_one, replace_all])
def test_points_come_back_and_genes_browse(result, change):
    dock, layer, said = result
    state = dock.session.state
    there, colours, features = layer.data.copy(), layer.face_color.copy(), layer.features.copy()
    change(layer)
    np.testing.assert_array_equal(layer.data, there)
    np.testing.assert_array_equal(layer.face_color, colours)
    assert layer.features.equals(features)
    assert said == [kept_points.SENTENCE]
    assert np.all(layer.size == layer.size[0])
    other = next(gene for gene in store.result_of(layer).genes if gene != state.gene)
    state.gene = other
    assert layer.features["gene"].iloc[0] == other
    np.testing.assert_allclose(layer.features["value"], store.result_of(layer).values_of(other))


def test_another_points_layer_is_left_alone(result):
    dock, _layer, said = result
    mine = dock.session.viewer.add_points([(1, 2), (3, 4)], name="mine")
    mine.add((5, 6))
    assert len(mine.data) == 3
    assert said == []


@pytest.fixture
def laid(dock_with_spots, monkeypatch):
    """A dock with a grid that nothing is predicted for yet, its layer, and what was said."""
    _viewer, dock = dock_with_spots
    said: list[str] = []
    monkeypatch.setattr(laid_spots, "show_warning", said.append)
    layer = dock.session.spots_layer
    return dock, getattr(layer, "__wrapped__", layer), said


def test_spots_that_are_deleted_are_not_run(laid, kit, qtbot, tmp_path):
    dock, layer, said = laid
    state, before = dock.session.state, dock.session.state.spots
    layer.mode = Mode.SELECT
    layer.selected_data = {0, 3}
    canvas = dock.session.viewer.window._qt_viewer.canvas.native
    qtbot.keyClick(canvas, Qt.Key.Key_Delete)
    assert len(layer.data) == len(before) - 2
    assert state.spots.ids.tolist() == [name for i, name in enumerate(before.ids) if i not in (0, 3)]
    assert "2 deleted by hand" in dock.spots.count.text()
    layer.selected_data = {1}
    layer.remove_selected()
    assert state.spots.source.deleted == 3
    kit.run_to_end(dock)
    result = store.result_of(state.result_layer)
    assert len(result.values) == len(before) - 3
    np.testing.assert_array_equal(result.spots.ids, state.spots.ids)
    # No command lays these; the record says so, and the exported result does.
    with pytest.raises(DataError, match="shaped by deleted"):
        predict_command(result.record, "out.h5ad", Files(slide=Path("slide.tif")))
    assert said == []
    # The grid that is laid anew has them all.
    before = state.spots
    kit.click(dock.spots.lay_button)
    qtbot.waitUntil(lambda: state.spots is not before, timeout=kit.TIMEOUT)
    assert state.spots.source.deleted is None


@pytest.mark.parametrize("change", [add_one, delete_all, move_one])
def test_spots_are_neither_moved_nor_added(laid, change):
    dock, layer, said = laid
    there, spots = layer.data.copy(), dock.session.state.spots
    change(layer)
    np.testing.assert_array_equal(layer.data, there)
    assert layer.features["spot"].tolist() == spots.ids.tolist()
    assert dock.session.state.spots is spots
    assert said == [laid_spots.PUT_BACK]
