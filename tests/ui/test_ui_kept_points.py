"""Points of a result that are added, moved or deleted by hand come back, and genes still browse."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Points
from napari.layers.points._points_constants import Mode

from napari_tcgn.ui.layers import kept_points, store


@pytest.fixture
def result(dock_in_viewer, use_predictor, kit, monkeypatch):
    """A dock, the layer of its result with the gene of another column than the first, and what was said."""
    use_predictor(kit.predictor())
    viewer, dock = dock_in_viewer(show=True)
    viewer.add_image(kit.stained(), rgb=True, name="slide", scale=(kit.MPP,) * 2, units=("um", "um"))
    kit.lay_spots(dock)
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
