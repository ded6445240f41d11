"""One story on the canvas: one slide, one result; names that are true; a partial result says so."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_tcgn.ui.layers import store
from napari_tcgn.ui.layers.veil import is_veil
from support.comparing import tick


@pytest.fixture
def two_slides(dock_in_viewer, use_predictor, kit):
    """Return (viewer, dock, images, results): two slides with a run on each; the second one is chosen."""
    use_predictor(kit.predictor())
    viewer, dock = dock_in_viewer(show=True)
    images, results = [], []
    for name, pitch in (("A", 100), ("B", 150)):
        viewer.add_image(kit.stained(), rgb=True, name=name, scale=(kit.MPP,) * 2, units=("um", "um"))
        kit.lay_spots(dock, pitch)
        kit.run_to_end(dock)
        images.append(viewer.layers[name])
        results.append(dock.session.state.result_layer)
    return viewer, dock, images, results


def select(qtbot, viewer, layer) -> None:
    """Click a layer in napari's list."""
    view = viewer.window._qt_viewer.layers
    row = len(viewer.layers) - 1 - [one.name for one in viewer.layers].index(layer.name)
    index = view.model().index(row, 0)
    view.scrollTo(index)
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(index).center())
    assert viewer.layers.selection.active == layer


def seen(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers if layer.visible and not is_veil(layer)]


def text_of(viewer) -> str:
    """Return what the canvas says of a part of a result."""
    overlays = viewer.canvas.overlays
    shown = [overlays[key].text.strip() for key in overlays if key.startswith("tcgn_") and overlays[key].visible]
    return next((text for text in shown if text.startswith("Partial")), "")


@pytest.mark.filterwarnings("ignore:Private attribute access:FutureWarning")
def test_only_the_chosen_slide_is_seen_however_it_is_chosen(two_slides, qtbot) -> None:
    viewer, dock, (first, second), (first_result, second_result) = two_slides
    assert seen(viewer) == ["B", "B · GREEN · predicted"]
    select(qtbot, viewer, first)
    assert seen(viewer) == ["A", "A · GREEN · predicted"]
    assert dock.session.state.result_layer == first_result
    select(qtbot, viewer, second_result)
    assert seen(viewer) == ["B", "B · GREEN · predicted"]
    assert dock.session.state.image == second
    # what was hidden by hand stays hidden
    second_result.visible = False
    select(qtbot, viewer, first_result)
    select(qtbot, viewer, second)
    assert seen(viewer) == ["B"]
    # the user's own layers are left alone
    own = viewer.add_points(np.zeros((1, 2)), name="own")
    select(qtbot, viewer, first)
    assert seen(viewer) == ["A", "A · GREEN · predicted", "own"]
    viewer.layers.remove(own)
    # the slide that remains is shown when the other one goes
    viewer.layers.remove(first)
    assert seen(viewer) == ["B"]


@pytest.mark.filterwarnings("ignore:Private attribute access:FutureWarning")
def test_a_new_run_hides_the_older_result_and_either_can_be_seen(two_slides, qtbot, kit) -> None:
    viewer, dock, _images, (_, older) = two_slides
    kit.run_to_end(dock)
    newer = dock.session.state.result_layer
    assert newer.name == "B · GREEN · predicted 2", "numbered on each slide"
    assert seen(viewer) == ["B", newer.name]
    select(qtbot, viewer, older)
    assert seen(viewer) == ["B", older.name]
    assert dock.session.state.result_layer == older
    # three genes hide it; a gene that is chosen shows it again
    part = dock.map.composite
    for edit, gene in zip(part.gene_edits, ("RED", "GREEN", "BLUE"), strict=True):
        edit.setText(gene)
    part.add_button.click()
    assert seen(viewer) == ["B", "B · RED / GREEN / BLUE · red, green, blue"]
    dock.genes.search.setText("RED")
    qtbot.keyClick(dock.genes.search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: older.name == "B · RED · predicted")
    assert seen(viewer) == ["B", older.name]
    viewer.layers.remove(older)
    assert seen(viewer) == ["B", newer.name]
    # new spots are seen, and not what was predicted at others
    kit.lay_spots(dock, 120)
    assert seen(viewer) == ["B", "B · spots (not yet predicted)"]


def test_names_of_spots_and_results_stay_true(two_slides, kit) -> None:
    viewer, dock, _images, (_, result) = two_slides
    spots = dock.session.spots_layer
    assert spots.name == "B · spots"
    viewer.layers.remove(result)
    assert spots.name == "B · spots (not yet predicted)"
    assert spots.visible
    spots.name = "mine"
    kit.run_to_end(dock)
    assert spots.name == "mine"


def test_a_partial_result_says_so_and_shows_nothing_older(held, gate, kit, qtbot) -> None:
    viewer, dock = held
    gate.set()
    kit.click(dock.run.cancel_button)
    partial = dock.session.state.result_layer
    total = len(dock.session.state.spots)
    qtbot.waitUntil(lambda: text_of(viewer) == f"Partial result: 8 of {total} spots")
    assert partial.name == "stained · GREEN · predicted (partial)"
    assert seen(viewer) == ["stained", "stained · spots (not yet predicted)", partial.name]
    kit.run_to_end(dock)
    whole = dock.session.state.result_layer
    qtbot.waitUntil(lambda: text_of(viewer) == "")
    assert seen(viewer) == ["stained", whole.name]
    viewer.layers.selection.active = partial
    qtbot.waitUntil(lambda: text_of(viewer).startswith("Partial result: 8 of"))
    assert not whole.visible, "it would be seen through the gaps"
    assert not store.result_of(whole).partial
    viewer.layers.remove(partial)
    qtbot.waitUntil(lambda: (text_of(viewer), whole.visible) == ("", True))


def test_a_text_of_the_user_on_the_canvas_is_left(held, gate, kit) -> None:
    viewer, dock = held
    canvas = getattr(viewer, "canvas", None)
    overlay = viewer.text_overlay if canvas is None else canvas.overlays.text
    overlay.text = "my figure"
    gate.set()
    kit.click(dock.run.cancel_button)
    assert overlay.text == "my figure"


def test_slides_in_a_row_are_all_seen_and_predict_the_same(two_slides, qtbot, kit) -> None:
    viewer, dock, (first, second), (_, second_result) = two_slides
    box = dock.slide.apart_box
    assert not box.isChecked()
    values = np.array(second_result.features["value"])
    kit.click(dock.spots.region.draw_button)
    region = viewer.layers[-1]
    region.add_rectangles(np.array([[0.0, 0.0], [599.0, 399.0]]))
    viewer.layers.selection.active = second_result
    tick(qtbot, box)
    assert {"A", "A · GREEN · predicted", "B", "B · GREEN · predicted"} <= set(seen(viewer))
    assert second.extent.world[0, 1] > first.extent.world[1, 1], "they do not overlap"
    spots = dock.session.state.spots
    on_slide = [second.data_to_world((y - 0.5, x - 0.5)) for x, y in zip(spots.x, spots.y, strict=True)]
    np.testing.assert_allclose([second_result.data_to_world(at) for at in second_result.data], on_slide)
    np.testing.assert_allclose(region.data_to_world((7, 9)), second.data_to_world((7, 9)))
    assert dock.session.state.mpp == pytest.approx(kit.MPP)
    # what is laid and predicted there is the same
    dock.spots.region.inside_box.setChecked(False)
    kit.lay_spots(dock, 150)
    kit.run_to_end(dock)
    np.testing.assert_array_equal(dock.session.state.result_layer.features["value"], values)
    # a third slide joins the row; then all go back
    third = viewer.add_image(kit.stained(), rgb=True, name="C", scale=(kit.MPP,) * 2, units=("um", "um"))
    assert third.extent.world[0, 1] > second.extent.world[1, 1]
    tick(qtbot, box)
    assert seen(viewer) == ["C"]
    for image in (second, third):
        np.testing.assert_allclose(image.extent.world, first.extent.world)
    np.testing.assert_allclose(region.data_to_world((7, 9)), second.data_to_world((7, 9)))
    tick(qtbot, box)
    assert dock.session.choices.remembered.get("slides_apart", bool) is True


def test_a_slide_opened_after_its_result_lies_below_it(dock_with_spots, kit, tmp_path, qtbot) -> None:
    """Also where the slide of a result was closed and opened again."""
    viewer, dock = dock_with_spots
    kit.run_to_end(dock)
    result = dock.session.state.result_layer
    viewer.layers.remove(viewer.layers["slide"])
    assert result.visible, "what is left is shown"
    viewer.add_image(kit.stained(), rgb=True, name="slide", scale=(kit.MPP,) * 2, units=("um", "um"))
    assert dock.session.state.image.name == "slide"
    assert viewer.layers.index(viewer.layers["slide"]) < viewer.layers.index(result)
    viewer.layers.selection.active = result
    assert result.visible
    assert viewer.layers["slide"].visible
