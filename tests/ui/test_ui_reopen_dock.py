"""A dock that is closed and opened again goes on with the slides, spots and results of the one before."""

from __future__ import annotations

import gc
import weakref

import anndata
import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtWidgets import QFileDialog

from napari_tcgn.ui.layers.slide_layers import slide_of
from napari_tcgn.ui.layers.slides import Slides


@pytest.fixture
def opened(dock_in_viewer, use_predictor, kit):
    """Return (viewer, dock) with a slide whose µm per px was typed, spots in a region of it, and a result."""
    use_predictor(kit.predictor())
    viewer, dock = dock_in_viewer(show=True)
    viewer.add_image(kit.stained(), rgb=True, name="slide")
    dock.slide.mpp_box.setValue(kit.MPP)
    kit.lay_spots(dock)
    kit.run_to_end(dock)
    return viewer, dock


@pytest.fixture
def reopen(qtbot, kit):
    """Return a function that closes the dock for good and gives a new one."""

    def again(viewer, dock):
        from napari_tcgn.ui import make_dock

        viewer.window.remove_dock_widget(dock)
        assert dock.session.closed
        new = make_dock(viewer)
        viewer.window.add_dock_widget(new, name="Spatial gene prediction", area="right")
        qtbot.waitUntil(lambda: new.session.state.model is not None and new.run.run_button.isEnabled(), timeout=30_000)
        return new

    return again


def test_slides_spots_and_results_are_taken_up_again(opened, reopen, kit, qtbot, tmp_path, monkeypatch):
    viewer, dock = opened
    before = dock.session.state
    spots, result, slide = before.spots, before.result_layer, before.slide
    qtbot.waitUntil(lambda: "slide · dimmed" in viewer.layers, timeout=kit.TIMEOUT)  # a moment after the result
    layers = {layer.name: layer for layer in viewer.layers}
    dock = reopen(viewer, dock)
    state = dock.session.state
    qtbot.waitUntil(lambda: {layer.name for layer in viewer.layers} == layers.keys(), timeout=kit.TIMEOUT)
    again = {layer.name: layer for layer in viewer.layers}
    assert again["slide"].visible
    # What dims the slide is of the dock, and goes and comes with it.
    assert [name for name, layer in again.items() if layer != layers[name]] == ["slide · dimmed"]
    assert state.image == viewer.layers["slide"]
    assert (state.slide, state.mpp, state.spots) == (slide, kit.MPP, spots)
    assert state.slide.mpp_source == "given in the dock"
    assert dock.session.spots_layer == viewer.layers["slide · spots"]
    assert dock.slide.mpp_box.value() == kit.MPP
    assert f"{len(spots)} spots of 70 µm, 100 µm apart" in dock.spots.count.text()
    assert dock.spots.source_box.currentData() == "square"
    assert (dock.spots.pitch_box.value(), dock.spots.diameter_box.value()) == (100, 70)
    assert state.result_layer == result
    assert dock.genes.table.model().rowCount() == 3, "the trusted ones"
    # The result can be browsed and written, and another run is told apart from it.
    state.gene = "BLUE"
    assert result.features["gene"].iloc[0] == "BLUE"
    path = tmp_path / "again.h5ad"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(path), ""))
    kit.click(dock.export.export_button)
    qtbot.waitUntil(lambda: "Wrote" in dock.export.message.text(), timeout=kit.TIMEOUT)
    assert anndata.read_h5ad(path).n_obs == len(spots)
    kit.run_to_end(dock)
    assert state.result_layer != result
    assert state.result_layer.name.endswith("predicted 2")
    # The layers still follow the slide, once.
    viewer.layers["slide"].translate = (50, 0)
    for layer in (result, dock.session.spots_layer):
        np.testing.assert_allclose(layer.data_to_world((0, 0)), viewer.layers["slide"].data_to_world((0, 0)))


def test_the_slide_that_was_worked_on_is_chosen_and_the_others_keep_theirs(opened, reopen, kit):
    viewer, dock = opened
    spots = dock.session.state.spots
    viewer.add_image(kit.stained(), rgb=True, name="above", scale=(kit.MPP,) * 2, units=("um", "um"))
    kit.lay_spots(dock, 150)
    others = dock.session.state.spots
    viewer.layers.selection.active = viewer.layers["slide"]
    dock = reopen(viewer, dock)
    state = dock.session.state
    assert state.image == viewer.layers["slide"]
    assert state.spots is spots
    viewer.layers.selection.active = viewer.layers["above"]
    assert state.spots is others
    assert state.result_layer is None


def test_what_was_changed_while_no_dock_was_open_is_seen(opened, reopen, kit):
    viewer, dock = opened
    spots, layer = dock.session.state.spots, dock.session.spots_layer
    viewer.window.remove_dock_widget(dock)
    layer.selected_data = {0, 1}
    layer.remove_selected()
    viewer.layers.remove(viewer.layers["slide · GREEN · predicted"])
    dock = reopen_closed(viewer)
    state = dock.session.state
    assert state.spots.ids.tolist() == spots.ids[2:].tolist()
    assert state.spots.source.deleted == 2
    assert state.result_layer is None
    viewer.window.remove_dock_widget(dock)
    viewer.layers.remove(layer)
    assert reopen_closed(viewer).session.state.spots is None


def reopen_closed(viewer):
    from napari_tcgn.ui import make_dock

    dock = make_dock(viewer)
    viewer.window.add_dock_widget(dock, name="Spatial gene prediction", area="right")
    return dock


def test_a_slide_that_is_removed_is_not_kept_alive(kit):
    image = Image(kit.stained(), rgb=True)
    slides = Slides()
    slides.add(image, slide_of(image))
    slides.leave(None)
    there = weakref.ref(image)
    del image
    gc.collect()
    assert there() is None
