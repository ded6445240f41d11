"""Slides that are turned, moved or cannot be used, and several of them in one session."""

from __future__ import annotations

import numpy as np
import pytest

from napari_tcgn.ui.layers.veil import is_veil

ON_TISSUE = {"scale": (2.0, 2.0), "units": ("um", "um")}
PLACEMENTS = {
    "plain": {},
    "moved": {"translate": (500.0, -250.0)},
    "turned": {"rotate": 30},
    "flipped": {"scale": (2.0, -2.0)},
    "turned, moved and flipped": {"scale": (-2.0, 2.0), "rotate": 75, "translate": (10.0, 20.0)},
    "affine": {"scale": (1.0, 1.0), "affine": np.array([[0, -2.0, 7], [2.0, 0, 9], [0, 0, 1]])},
}


def world_of(layer):
    return np.array([layer.data_to_world(point) for point in layer.data])


def expected_world(image, spots):
    """Where the centres of the spots lie: spots count px from the corner, napari from the middle of the first px."""
    return np.array([image.data_to_world((y - 0.5, x - 0.5)) for x, y in zip(spots.x, spots.y, strict=True)])


@pytest.fixture
def dock_and_viewer(dock_in_viewer, use_predictor, kit):
    use_predictor(kit.predictor())
    return dock_in_viewer()


def add(viewer, kit, name="tissue", **kwargs):
    viewer.add_image(kit.stained(), rgb=True, name=name, **(ON_TISSUE | kwargs))
    return viewer.layers[name]


@pytest.mark.parametrize("placement", PLACEMENTS.values(), ids=PLACEMENTS.keys())
def test_results_lie_on_the_slide_however_it_is_placed(dock_and_viewer, kit, placement):
    viewer, dock = dock_and_viewer
    image = add(viewer, kit, **placement)
    state = dock.session.state
    assert state.image == image
    assert state.mpp == pytest.approx(kit.MPP)
    kit.lay_spots(dock)
    kit.run_to_end(dock)
    spots, result = state.spots, state.result_layer
    np.testing.assert_allclose(world_of(dock.session.spots_layer), expected_world(image, spots), atol=1e-6)
    np.testing.assert_allclose(world_of(result), expected_world(image, spots), atol=1e-6)
    # the values are those of the pixels that the world position lies on
    y, x = np.array([image.world_to_data(point) for point in world_of(result)]).T + 0.5
    np.testing.assert_allclose(x, spots.x, atol=1e-6)
    np.testing.assert_allclose(y, spots.y, atol=1e-6)
    side = round(60 / kit.MPP)
    left, top = int(x[0]) - side // 2, int(y[0]) - side // 2
    dock.session.state.gene = "RED"
    patch = kit.stained()[top : top + side, left : left + side, 0]
    assert result.features["value"][0] == pytest.approx(patch.mean(), abs=1)

    # and they follow when the slide is moved afterwards
    image.translate = np.add(image.translate, (40, 60))
    image.rotate = 10
    np.testing.assert_allclose(world_of(result), expected_world(image, spots), atol=1e-6)
    np.testing.assert_allclose(world_of(dock.session.spots_layer), expected_world(image, spots), atol=1e-6)
    assert state.spots is not None  # moving is no change of scale


def test_a_new_mpp_rescales_a_turned_and_flipped_layer(dock_and_viewer, kit):
    viewer, dock = dock_and_viewer
    image = add(viewer, kit, **PLACEMENTS["turned, moved and flipped"])
    dock.slide.mpp_box.setValue(0.5)
    np.testing.assert_allclose(image.scale, (-0.5, 0.5))
    assert image.rotate[1, 0] == pytest.approx(np.sin(np.deg2rad(75)))
    affine = add(viewer, kit, name="affine", **PLACEMENTS["affine"])
    assert dock.session.state.image == affine, "the active slide is the one to work on"
    dock.slide.mpp_box.setValue(0.5)
    corner, right = affine.data_to_world((0, 0)), affine.data_to_world((0, 1))
    assert np.hypot(*np.subtract(right, corner)) == pytest.approx(0.5)


def test_a_multiscale_layer_keeps_its_levels(dock_and_viewer, kit):
    viewer, dock = dock_and_viewer
    pixels = kit.stained()
    viewer.add_image([pixels, pixels[::2, ::2], pixels[::4, ::4]], rgb=True, name="pyramid", **ON_TISSUE)
    assert "3 levels" in dock.slide.info.text()
    kit.lay_spots(dock)
    kit.run_to_end(dock)
    assert np.isfinite(dock.session.state.result_layer.features["value"]).all()


@pytest.mark.parametrize(
    ("pixels", "rgb", "says"),
    [
        (np.zeros((64, 64), np.uint16), False, "not an RGB image"),
        (np.zeros((64, 64), np.uint8), False, "not an RGB image"),
        (np.zeros((3, 64, 64, 3), np.uint8), True, "3 dimensions"),
        (np.zeros((64, 64, 3), np.uint16), True, "uint16"),
        (np.zeros((64, 64, 3), np.float32), True, "float32"),
    ],
    ids=["grey 16", "grey 8", "stack", "RGB 16", "RGB float"],
)
def test_layers_that_are_no_slides_are_refused_with_a_sentence(dock_and_viewer, pixels, rgb, says):
    viewer, dock = dock_and_viewer
    viewer.add_image(pixels, rgb=rgb, name="other", scale=(1,) * (pixels.ndim - rgb))
    assert dock.session.state.image is None  # not taken by itself
    dock.slide.layer_box.setCurrentIndex(0)
    dock.slide.layer_box.activated.emit(0)
    assert says in dock.slide.info.text()
    assert dock.slide.info.text().startswith("⚠")
    assert not dock.run.run_button.isEnabled()
    assert "cannot be used" in dock.run.reason.text()
    viewer.layers.remove("other")
    assert dock.session.state.image is None
    assert not dock.slide.info.text().startswith("⚠")


def test_pixels_that_are_not_square_are_refused(dock_and_viewer, kit):
    viewer, dock = dock_and_viewer
    image = add(viewer, kit, scale=(2.0, 3.0))
    assert "not square" in dock.slide.info.text()
    viewer.layers.remove(image)
    add(viewer, kit, shear=[0.5])
    assert "sheared" in dock.slide.info.text()


def test_every_slide_has_its_own_spots_and_results(dock_and_viewer, kit, qtbot):
    viewer, dock = dock_and_viewer
    state = dock.session.state
    first = add(viewer, kit, "first")
    kit.lay_spots(dock, 100)
    first_spots, first_layer = state.spots, dock.session.spots_layer
    kit.run_to_end(dock)
    first_result = state.result_layer

    second = add(viewer, kit, "second")
    assert state.image == second
    assert state.spots is None
    assert state.result_layer is None
    assert "Lay spots" in dock.run.reason.text()
    kit.lay_spots(dock, 150)
    kit.run_to_end(dock)
    second_result = state.result_layer
    assert len(second_result.data) != len(first_result.data)
    assert (first_result.name, second_result.name) == ("first · GREEN · predicted", "second · GREEN · predicted")

    # back by the dock: its spots and result are chosen and shown, those of the other slide are hidden
    index = dock.slide.layer_box.findText("first")
    dock.slide.layer_box.setCurrentIndex(index)
    dock.slide.layer_box.activated.emit(index)
    assert state.image == first
    assert state.spots is first_spots
    assert dock.session.spots_layer == first_layer
    assert state.result_layer == first_result
    # the grey spots are hidden: all of them are predicted
    seen = [layer.name for layer in viewer.layers if layer.visible and not is_veil(layer)]
    assert seen == ["first", first_result.name]
    # another run adds to the first slide
    kit.run_to_end(dock)
    assert state.result_layer.name == "first · GREEN · predicted 2"
    assert len(state.result_layer.data) == len(first_result.data)

    # by napari's layer list: a result leads to its slide
    viewer.layers.selection.active = second_result
    assert state.image == second
    assert state.result_layer == second_result
    viewer.layers.selection.active = first
    assert state.image == first
    # a layer that is no slide changes nothing
    viewer.add_points(np.zeros((1, 2)), name="own points")
    assert state.image == first

    # a slide closed while in use: the dock goes on with the other one, the results stay
    viewer.layers.remove(first)
    assert state.image == second
    assert state.result_layer == second_result
    assert first_result in viewer.layers
    assert first_layer not in viewer.layers
    viewer.layers.selection.active = first_result
    assert state.result_layer == first_result
    assert state.image == second


def test_spots_of_a_slide_that_is_put_aside_can_be_removed(dock_and_viewer, kit):
    viewer, dock = dock_and_viewer
    first = add(viewer, kit, "first")
    kit.lay_spots(dock)
    layer = dock.session.spots_layer
    add(viewer, kit, "second")
    viewer.layers.remove(layer)
    viewer.layers.selection.active = first
    assert dock.session.state.image == first
    assert dock.session.state.spots is None
    # a scale that changes meanwhile is seen when the slide comes back
    viewer.layers.selection.active = viewer.layers["second"]
    first.scale = (1.0, 1.0)
    viewer.layers.selection.active = first
    assert dock.session.state.mpp == 1.0


def test_the_ruler_gives_mpp(dock_and_viewer, kit):
    viewer, dock = dock_and_viewer
    image = add(viewer, kit, scale=(1.0, 1.0), units=("pixel", "pixel"))
    ways, state = dock.slide.ways, dock.session.state
    assert state.mpp is None
    assert ways.isVisibleTo(dock)
    assert ways.heading.isChecked(), "offered as long as it is unknown"
    kit.click(ways.ruler_button)
    ruler = next(layer for layer in viewer.layers if layer.name.startswith("ruler"))
    assert ruler.mode == "add_line"
    assert not ways.use_ruler_button.isEnabled()
    ruler.add_lines(np.array([[100.0, 100.0], [100.0, 500.0]]))
    ways.count_box.setValue(4)  # four steps
    ways.unit_box.setValue(200.0)  # of 200 µm
    assert "400.0 px" in ways.ruler_text.text()
    assert state.mpp is None, "only a click takes it"
    kit.click(ways.use_ruler_button)
    assert state.mpp == pytest.approx(2.0)
    np.testing.assert_allclose(image.scale, 2.0)
    assert ruler not in viewer.layers
    assert not ways.ruler_button.isChecked()
    assert not ways.heading.isChecked()
    assert "a line of 800 µm" in dock.slide.info.text()


def test_the_ruler_can_be_put_away_or_removed(dock_and_viewer, kit):
    viewer, dock = dock_and_viewer
    add(viewer, kit, scale=(1.0, 1.0), units=("pixel", "pixel"))
    ways = dock.slide.ways
    kit.click(ways.ruler_button)
    kit.click(ways.ruler_button)
    assert [layer.name for layer in viewer.layers] == ["tissue"]
    kit.click(ways.ruler_button)
    viewer.layers.remove(viewer.layers[-1])
    assert not ways.ruler_button.isChecked()
    kit.click(ways.ruler_button)
    viewer.layers.remove("tissue")
    assert len(viewer.layers) == 0


def test_an_objective_is_a_guess_that_must_be_confirmed(dock_and_viewer, kit):
    viewer, dock = dock_and_viewer
    image = add(viewer, kit, scale=(1.0, 1.0), units=("pixel", "pixel"))
    ways, state = dock.slide.ways, dock.session.state
    assert not ways.use_objective_button.isEnabled()
    ways.objective_box.setCurrentText("20x")
    assert "guess" in ways.objective_text.text()
    assert state.mpp is None, "never assumed"
    np.testing.assert_allclose(image.scale, 1.0)
    kit.click(ways.use_objective_button)
    assert state.mpp == 0.5
    np.testing.assert_allclose(image.scale, 0.5)
    assert "guessed from a 20x objective" in dock.slide.info.text()
    assert state.slide.mpp_source.startswith("guessed"), "and the run record says so"
