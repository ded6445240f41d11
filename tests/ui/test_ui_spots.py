"""Section Spots by its real widgets: the hand on the canvas, regions, the live threshold, files, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_tcgn.options import SpotsSettings
from napari_tcgn.spots import read_spots
from support.visium import visium_folder

NONE, LEFT = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
SHIFT = Qt.KeyboardModifier.ShiftModifier


def click(qtbot, button):
    assert button.isEnabled(), button.toolTip()
    qtbot.mouseClick(button, LEFT)


def set_source(dock, layout):
    dock.spots.source_box.setCurrentIndex(dock.spots.source_box.findData(layout))


def lay(qtbot, dock, timeout):
    state, before = dock.session.state, dock.session.state.spots
    click(qtbot, dock.spots.lay_button)
    qtbot.waitUntil(lambda: state.spots is not before and not state.busy, timeout=timeout)


@pytest.fixture
def turned(dock_in_viewer, use_predictor, kit, qtbot):
    """A dock on a layer that is scaled, moved and turned, with a square grid over the whole slide."""
    use_predictor(kit.predictor())
    viewer, dock = dock_in_viewer(show=True)
    place = {"scale": (kit.MPP,) * 2, "translate": (300, -120), "rotate": 30, "units": ("um", "um")}
    image = viewer.add_image(kit.stained(), rgb=True, name="turned", **place)
    assert dock.session.state.mpp == kit.MPP
    set_source(dock, "square")
    dock.spots.pitch_box.setValue(150)
    dock.spots.diameter_box.setValue(70)
    dock.spots.tissue_box.setChecked(False)
    lay(qtbot, dock, kit.TIMEOUT)
    viewer.reset_view()
    return viewer, dock, image


def camera_of(viewer):
    return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera  # since and before napari 0.9


class Mouse:
    """Real mouse events on the canvas, at places of the world."""

    def __init__(self, viewer, qtbot):
        self.viewer, self.qtbot = viewer, qtbot
        found = [w for w in QApplication.allWidgets() if type(w).__name__ == "CanvasBackendDesktop" and w.isVisible()]
        (self.canvas,) = found
        places: list[tuple] = []

        def settled() -> bool:
            """Whether the camera is where it was when the events were last worked off."""
            camera = camera_of(viewer)
            places.append((*camera.center, camera.zoom, self.canvas.width(), self.canvas.height()))
            return len(places) > 1 and places[-1] == places[-2]

        qtbot.waitUntil(settled)
        self.grain = 2 / camera_of(viewer).zoom  # µm: a mouse knows whole px of the canvas

    def at(self, world):
        camera = camera_of(self.viewer)
        centre, zoom = np.array(camera.center)[-2:], camera.zoom
        row, column = (np.asarray(world)[-2:] - centre) * zoom
        return QPointF(self.canvas.width() / 2 + column, self.canvas.height() / 2 + row)

    def send(self, kind, world, button, buttons, modifiers):
        where = self.at(world)
        everywhere = QPointF(self.canvas.mapToGlobal(where.toPoint()))
        QApplication.sendEvent(self.canvas, QMouseEvent(kind, where, everywhere, button, buttons, modifiers))
        QApplication.processEvents()

    def press(self, world, modifiers=Qt.KeyboardModifier.NoModifier):
        self.send(QEvent.Type.MouseMove, world, NONE, NONE, modifiers)
        self.send(QEvent.Type.MouseButtonPress, world, LEFT, LEFT, modifiers)

    def move(self, world, modifiers=Qt.KeyboardModifier.NoModifier):
        self.send(QEvent.Type.MouseMove, world, NONE, LEFT, modifiers)

    def release(self, world, modifiers=Qt.KeyboardModifier.NoModifier):
        self.send(QEvent.Type.MouseButtonRelease, world, LEFT, NONE, modifiers)


def on_canvas(viewer, dock):
    """Spots as they are drawn: (row, column) in the world."""
    layer = dock.session.spots_layer
    return np.array([layer.data_to_world(point) for point in layer.data])


def lattice_holds(dock, image):
    """The layer lies where the table says, through the image's transforms."""
    spots, layer = dock.session.state.spots, dock.session.spots_layer
    expected = [image.data_to_world((y - 0.5, x - 0.5)) for x, y in zip(spots.x, spots.y, strict=True)]
    np.testing.assert_allclose([layer.data_to_world(p) for p in layer.data], expected, atol=1e-6)


def test_the_grid_is_dragged_and_turned_on_the_canvas(turned, qtbot, kit):
    viewer, dock, image = turned
    state, mouse = dock.session.state, Mouse(viewer, qtbot)
    lattice_holds(dock, image)
    click(qtbot, dock.spots.grid.adjust_button)
    camera = camera_of(viewer).center
    before, laid = on_canvas(viewer, dock), state.spots
    start, end = image.data_to_world((300, 300)), image.data_to_world((320, 290))  # 20 px down, 10 px to the left
    mouse.press(start)
    mouse.move(image.data_to_world((305, 296)))
    mouse.move(end)
    # It follows at once, before anything is laid, and the camera stays.
    moved = on_canvas(viewer, dock) - before
    np.testing.assert_allclose(moved, np.broadcast_to(np.subtract(end, start), moved.shape), atol=mouse.grain)
    assert state.spots is laid
    mouse.release(end)
    qtbot.waitUntil(lambda: state.spots is not laid and not state.busy, timeout=kit.TIMEOUT)
    np.testing.assert_allclose(camera_of(viewer).center, camera)
    grid = dock.spots.grid
    assert grid.x_box.value() == pytest.approx(75 - 10 * kit.MPP, abs=mouse.grain)
    assert grid.y_box.value() == pytest.approx(75 + 20 * kit.MPP, abs=mouse.grain)
    assert grid.rotation_box.value() == 0
    assert state.spots.source.settings.origin_x_um == grid.x_box.value()
    lattice_holds(dock, image)
    assert grid.adjust_button.isChecked()  # still in hand

    # With Shift it turns around its middle: a quarter turn clockwise, seen on the slide.
    laid = state.spots
    middle = np.array([np.ptp(laid.y) / 2 + laid.y.min(), np.ptp(laid.x) / 2 + laid.x.min()]) - 0.5
    places = [image.data_to_world(middle + 150 * np.array([np.sin(a), np.cos(a)])) for a in np.radians((0, 20, 40))]
    mouse.press(places[0], SHIFT)
    mouse.move(places[1], SHIFT)
    mouse.move(places[2], SHIFT)
    mouse.release(places[2], SHIFT)
    qtbot.waitUntil(lambda: state.spots is not laid and not state.busy, timeout=kit.TIMEOUT)
    assert grid.rotation_box.value() == pytest.approx(40, abs=1)
    lattice_holds(dock, image)
    settings = dock.spots.settings()
    assert settings.rotation_deg == grid.rotation_box.value()

    # By the keys: a tenth of the pitch to the right, and a turn.
    laid, x = state.spots, grid.x_box.value()
    mouse.canvas.setFocus()
    qtbot.keyClick(mouse.canvas, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: state.spots is not laid and not state.busy, timeout=kit.TIMEOUT)
    assert grid.x_box.value() == pytest.approx(x + 15, abs=0.05)
    laid, turn = state.spots, grid.rotation_box.value()
    qtbot.keyClick(mouse.canvas, Qt.Key.Key_Left, SHIFT)
    qtbot.waitUntil(lambda: state.spots is not laid and not state.busy, timeout=kit.TIMEOUT)
    assert grid.rotation_box.value() == pytest.approx(turn - 0.5, abs=0.02)

    # By numbers, which are laid at once in this mode; let go, the canvas pans again.
    laid = state.spots
    grid.rotation_box.setValue(0)
    qtbot.waitUntil(lambda: state.spots is not laid and not state.busy, timeout=kit.TIMEOUT)
    assert state.spots.source.settings.rotation_deg == 0
    click(qtbot, grid.adjust_button)
    laid = state.spots
    mouse.press(start)
    mouse.move(end)
    mouse.release(end)
    assert not np.allclose(camera_of(viewer).center, camera)
    assert state.spots is laid


def test_a_grid_that_cannot_be_left_where_it_was_dragged_goes_back(turned, qtbot, kit):
    viewer, dock, image = turned
    state, grid = dock.session.state, dock.spots.grid
    click(qtbot, dock.spots.region.draw_button)
    # A region that holds the one spot of the corner; half a pitch to the right there is none in it.
    dock.spots.region.layer().add_rectangles(np.array([[20, 20], [20, 55], [55, 55], [55, 20]], float))
    lay(qtbot, dock, kit.TIMEOUT)
    assert state.spots.ids.tolist() == ["0x0"]
    click(qtbot, grid.adjust_button)
    laid, mouse = state.spots, Mouse(viewer, qtbot)
    start, end = image.data_to_world((300, 300)), image.data_to_world((300, 337))
    mouse.press(start)
    mouse.move(end)
    mouse.release(end)
    qtbot.waitUntil(lambda: "inside the region" in dock.spots.message.text(), timeout=kit.TIMEOUT)
    assert state.spots is laid
    assert (grid.x_box.value(), grid.y_box.value()) == (75, 75)
    lattice_holds(dock, image)


def test_what_is_drawn_is_what_is_laid(turned, qtbot, kit):
    viewer, dock, image = turned
    state, region, reason = dock.session.state, dock.spots.region, dock.run.reason
    everywhere = state.spots
    assert dock.run.run_button.isEnabled()

    def laid_anew(before):
        qtbot.waitUntil(lambda: state.spots is not before and not state.busy, timeout=kit.TIMEOUT)
        assert not state.region_trouble
        assert dock.run.run_button.isEnabled()
        assert len(dock.session.spots_layer.data) == len(state.spots)
        return state.spots

    click(qtbot, region.draw_button)
    layer = region.layer()
    assert layer in viewer.layers
    assert layer.mode == "add_polygon"
    assert region.inside_box.isChecked()
    assert not dock.run.run_button.isEnabled()  # the spots are those of the whole slide
    assert "Finish the region" in reason.text()
    click(qtbot, dock.spots.lay_button)
    assert "encloses nothing" in dock.spots.message.text()  # nothing is drawn yet

    # A polygon by real clicks on the canvas, closed by a double click; nothing is wrong before.
    mouse = Mouse(viewer, qtbot)
    corners = [(100, 100), (100, 400), (450, 400), (450, 100)]
    for number, corner in enumerate(corners, start=1):
        mouse.press(image.data_to_world(corner))
        mouse.release(image.data_to_world(corner))
        # Each click adds a corner; the last one follows the mouse.
        qtbot.waitUntil(
            lambda number=number: len(layer.data) == 1 and len(layer.data[0]) == number + 1, timeout=kit.TIMEOUT
        )
        qtbot.wait(250)  # longer than the pause after which spots are counted
        assert dock.spots.message.text() == ""
        assert "Finish the region" in reason.text()
        assert state.spots is everywhere
    mouse.send(QEvent.Type.MouseButtonDblClick, image.data_to_world(corners[-1]), LEFT, LEFT, Qt.KeyboardModifier(0))
    mouse.release(image.data_to_world(corners[-1]))
    spots = laid_anew(everywhere)
    layer.mode = "pan_zoom"
    assert 0 < len(spots) < len(everywhere)
    assert (np.abs(spots.x - 250) <= 153).all()
    assert (np.abs(spots.y - 275) <= 178).all()
    assert spots.source.region.layer == layer.name
    assert spots.source.region.outline_px["type"] == "MultiPolygon"

    # Another shape counts at once; an ellipse is an ellipse.
    layer.add_ellipses(np.array([[450, 400], [450, 580], [590, 580], [590, 400]], float))
    assert "being laid anew" in reason.text()
    more = laid_anew(spots)
    assert len(more) > len(spots)
    square = (np.abs(more.x - 490) <= 90) & (np.abs(more.y - 520) <= 70) & (more.y > 452)
    inside = ((more.x - 490) / 90) ** 2 + ((more.y - 520) / 70) ** 2 <= 1.05
    assert square.any()
    assert inside[square].all()

    # A layer of shapes that knows nothing of the slide's transforms: its coordinates are the world's.
    world = np.array([image.data_to_world(c) for c in ((0, 0), (0, 250), (250, 250), (250, 0))])
    other = viewer.add_shapes([world], shape_type="polygon", name="plain", units=("um", "um"))
    region.layer_box.setCurrentText("plain")
    assert region.layer() == other
    few = laid_anew(more)
    assert (few.x < 251).all()
    assert (few.y < 251).all()
    assert len(few) == 9  # of 4 x 4 on 250 px at a pitch of 75 px from 37.5: three in a row

    # Without the tick they are everywhere again, and with it inside, less what was deleted by hand.
    click(qtbot, region.inside_box)
    assert laid_anew(few).ids.tolist() == everywhere.ids.tolist()
    dock.session.spots_layer.selected_data = {0}
    dock.session.spots_layer.remove_selected()
    now = state.spots
    click(qtbot, region.inside_box)
    fewer = laid_anew(now)
    assert fewer.ids.tolist() == few.ids[1:].tolist()
    assert fewer.source.deleted == 1

    # Crossing lines, a region without spots, and a layer that is closed: said, and nothing is run.
    other.data = [world[[0, 2, 1, 3]]]
    assert "Self-intersection" in reason.text()
    assert not dock.run.run_button.isEnabled()
    click(qtbot, dock.spots.lay_button)
    assert "Self-intersection" in dock.spots.message.text()
    other.data = [np.array([image.data_to_world(c) for c in ((1, 1), (1, 5), (5, 5))])]
    qtbot.waitUntil(lambda: "inside the region" in dock.spots.message.text(), timeout=kit.TIMEOUT)
    assert "inside the region" in reason.text()
    assert state.spots is fewer
    viewer.layers.remove(other)
    viewer.layers.remove(layer)
    assert not region.layer_box.isEnabled()
    assert "no shapes layer" in reason.text()
    click(qtbot, region.inside_box)
    laid_anew(fewer)


def test_read_spots_are_chosen_anew_from_all_of_the_table(turned, qtbot, kit, spot_table, monkeypatch):
    viewer, dock, image = turned
    state, region = dock.session.state, dock.spots.region
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(spot_table), ""))
    dock.slide.mpp_box.setValue(2.0)
    click(qtbot, dock.spots.files.file_button)
    qtbot.waitUntil(lambda: state.spots is not None and state.spots.source.file is not None, timeout=kit.TIMEOUT)
    everywhere = state.spots
    assert len(everywhere) == 6
    world = np.array([image.data_to_world(c) for c in ((0, 0), (0, 250), (400, 250), (400, 0))])
    viewer.add_shapes([world], shape_type="polygon", name="left", units=("um", "um"))
    click(qtbot, region.inside_box)
    qtbot.waitUntil(lambda: len(state.spots) == 4, timeout=kit.TIMEOUT)
    assert state.spots.source.region.left_out == 2
    assert dock.session.spots_file == spot_table
    click(qtbot, region.inside_box)
    qtbot.waitUntil(lambda: len(state.spots) == 6, timeout=kit.TIMEOUT)
    assert state.spots.source.region is None
    # Another slide has no region of this one, and coming back this one has its own again.
    click(qtbot, region.inside_box)
    qtbot.waitUntil(lambda: len(state.spots) == 4, timeout=kit.TIMEOUT)
    viewer.add_image(kit.stained(), rgb=True, name="second", scale=(kit.MPP,) * 2, units=("um", "um"))
    assert not region.inside_box.isChecked()
    assert state.region_trouble == ""
    viewer.layers.selection.active = image
    assert region.inside_box.isChecked()
    assert len(state.spots) == 4


def test_the_threshold_is_live_and_the_count_comes_before_the_run(turned, qtbot, kit):
    viewer, dock, image = turned
    section, state = dock.spots, dock.session.state
    section.tissue_box.setChecked(True)
    qtbot.waitUntil(lambda: "would be laid" in section.count.text(), timeout=kit.TIMEOUT)
    automatic = float(section.tissue.value.text())
    click(qtbot, section.tissue.show_box)
    qtbot.waitUntil(lambda: section.view.layer is not None, timeout=kit.TIMEOUT)
    overlay = section.view.layer
    assert viewer.layers.selection.active != overlay
    # The picture lies on the slide: its corners are the slide's, and the glass at the right is not coloured.
    for corner, px in (((-0.5, -0.5), (-0.5, -0.5)), ((599.5, 599.5), (599.5, 599.5))):
        there = np.array(overlay.world_to_data(image.data_to_world(px)))
        np.testing.assert_allclose(there, corner, atol=1e-6)  # a slide of 600 px is its own picture
    assert overlay.data[300, 100] == 1
    assert overlay.data[300, 550] == 0
    dock.slide.mpp_box.setValue(kit.MPP * 1.5)
    where = [one.data_to_world((300, 100)) for one in (overlay, image)]
    np.testing.assert_allclose(*where, atol=1e-6, err_msg="the overlay stays on a slide that is rescaled")
    dock.slide.mpp_box.setValue(kit.MPP)
    qtbot.waitUntil(lambda: "would be laid" in section.count.text(), timeout=kit.TIMEOUT)
    shown = int(overlay.data.sum())

    # Page Up on the slider: by hand now, less tissue, another count.
    section.tissue.slider.setFocus()
    for _ in range(6):
        qtbot.keyClick(section.tissue.slider, Qt.Key.Key_PageUp)
    assert not section.tissue.auto_box.isChecked()
    assert section.settings().tissue_threshold == pytest.approx(automatic + 0.6, abs=0.011)
    qtbot.waitUntil(lambda: int(section.view.layer.data.sum()) < 0.8 * shown, timeout=kit.TIMEOUT)
    assert section.view.layer == overlay
    lay(qtbot, dock, kit.TIMEOUT)
    few = len(state.spots)
    assert state.spots.source.tissue_threshold == section.settings().tissue_threshold
    state.rate = 2.0
    assert f"{few} spots" in section.count.text()
    assert "to predict" in section.count.text()
    click(qtbot, section.tissue.auto_box)
    qtbot.waitUntil(lambda: "With the choices above" in section.count.text(), timeout=kit.TIMEOUT)
    assert section.settings().tissue_threshold is None
    lay(qtbot, dock, kit.TIMEOUT)
    assert len(state.spots) > few
    click(qtbot, section.tissue.show_box)
    assert overlay not in viewer.layers

    # Nothing is dark enough: said before the button is pressed, and what is laid stays.
    laid = state.spots
    section.tissue.slider.setValue(100)
    section.fraction_box.setValue(1)
    qtbot.waitUntil(lambda: "No spots would be laid" in section.count.text(), timeout=kit.TIMEOUT)
    click(qtbot, section.lay_button)
    qtbot.waitUntil(lambda: "tissue" in section.message.text(), timeout=kit.TIMEOUT)
    assert state.spots is laid


def test_bins_of_visium_hd_are_squares(turned, qtbot, kit):
    _viewer, dock, _image = turned
    set_source(dock, "visium-hd")
    assert dock.spots.grid.bin_box.isVisibleTo(dock.spots)
    assert not dock.spots.pitch_box.isVisibleTo(dock.spots)
    dock.spots.grid.bin_box.setCurrentText("16 µm")
    lay(qtbot, dock, kit.TIMEOUT)
    spots = dock.session.state.spots
    assert (spots.layout, spots.pitch_um, spots.diameter_um) == ("visium-hd", 16.0, 16.0)
    assert len(spots) == 75 * 75
    assert set(map(str, dock.session.spots_layer.symbol)) == {"square"}
    np.testing.assert_allclose(dock.session.spots_layer.size, 8)  # px
    set_source(dock, "st")
    lay(qtbot, dock, kit.TIMEOUT)
    assert set(map(str, dock.session.spots_layer.symbol)) == {"disc"}
    # 2 µm bins are as small as a px here; smaller ones than a px are refused.
    set_source(dock, "square")
    dock.spots.pitch_box.setValue(1)
    click(qtbot, dock.spots.lay_button)
    qtbot.waitUntil(lambda: "less than one pixel" in dock.spots.message.text(), timeout=kit.TIMEOUT)


def test_spots_are_saved_and_read_again(turned, qtbot, kit, tmp_path, monkeypatch):
    _viewer, dock, _image = turned
    section, state = dock.spots, dock.session.state
    saved = state.spots
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(tmp_path / "mine"), ""))
    click(qtbot, section.files.save_button)
    qtbot.waitUntil(lambda: "Saved" in section.message.text(), timeout=kit.TIMEOUT)
    np.testing.assert_array_equal(read_spots(tmp_path / "mine.csv").x, saved.x)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(tmp_path / "mine.csv"), ""))
    click(qtbot, section.files.file_button)
    qtbot.waitUntil(lambda: state.spots is not saved and not state.busy, timeout=kit.TIMEOUT)
    np.testing.assert_array_equal(state.spots.ids, saved.ids)
    np.testing.assert_array_equal(state.spots.y, saved.y)
    assert "(mine.csv)" in section.count.text()
    assert dock.session.spots_file == tmp_path / "mine.csv"


def test_a_visium_folder_is_read_and_a_wrong_one_refused(turned, qtbot, kit, tmp_path, monkeypatch):
    _viewer, dock, _image = turned
    section, state = dock.spots, dock.session.state
    right = visium_folder(tmp_path / "right", kit.SIDE, kit.SIDE, pitch_px=70)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a, **k: str(right))
    click(qtbot, section.files.folder_button)
    qtbot.waitUntil(lambda: state.spots.layout == "visium" and not state.busy, timeout=kit.TIMEOUT)
    assert len(state.spots) == 12
    # 100 µm over 70 px are 1.43 µm per px, but the slide says 2.
    assert "implies 1.429 µm per pixel" in section.count.text()
    assert not section.grid.adjust_button.isEnabled()  # measured spots stay where they are
    # A click takes it for the slide; the spots stay, since they are px.
    click(qtbot, section.use_mpp_button)
    assert state.mpp == pytest.approx(100 / 70)
    assert len(state.spots) == 12
    assert "implies" not in section.count.text()
    assert not section.use_mpp_button.isVisibleTo(section)
    other = visium_folder(tmp_path / "other", 1200, 1200, pitch_px=70)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a, **k: str(other))
    section._timer.setInterval(1000)
    section.grid.rotation_box.setValue(5)  # counted after the refusal
    click(qtbot, section.files.folder_button)
    qtbot.waitUntil(lambda: "1200 x 1200 px" in section.message.text(), timeout=kit.TIMEOUT)
    assert "full-resolution" in section.message.text()
    qtbot.waitUntil(lambda: not section._timer.isActive(), timeout=kit.TIMEOUT)
    assert "full-resolution" in section.message.text()
    qtbot.waitUntil(lambda: section.files.folder_button.isEnabled(), timeout=kit.TIMEOUT)  # not while it is busy
    (right / "spatial" / "scalefactors_json.json").unlink()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a, **k: str(right))
    click(qtbot, section.files.folder_button)
    qtbot.waitUntil(lambda: "no scalefactors_json.json" in section.message.text(), timeout=kit.TIMEOUT)


def test_reset_width_and_closing(turned, qtbot, kit):
    viewer, dock, _image = turned
    section = dock.spots
    section.grid.x_box.setValue(33)
    section.grid.rotation_box.setValue(12)
    section.tissue.slider.setValue(77)
    section.tissue.show_box.setChecked(True)
    qtbot.waitUntil(lambda: section.view.layer is not None, timeout=kit.TIMEOUT)
    section.files.trust_box.setChecked(True)
    section.files.library_edit.setText("s1")
    assert section.files.settings() == SpotsSettings("s1", True)
    click(qtbot, section.reset_button)
    assert section.files.settings() == SpotsSettings()
    from napari_tcgn.options import GridSettings

    assert section.settings() == GridSettings()
    assert not any("preview" in layer.name for layer in viewer.layers)
    # Nothing is clipped in the narrowest dock, whatever the source is.
    for index in range(section.source_box.count()):
        section.source_box.setCurrentIndex(index)
        QApplication.processEvents()
        assert section.minimumSizeHint().width() <= 370 - 16
    for widget in section.findChildren(type(section.lay_button)):
        assert widget.toolTip() or widget.parent() is section.message, widget.text()
    # The dock goes, the viewer stays: no overlay, and nobody listens to its layers any more.
    section.source_box.setCurrentIndex(0)
    section.tissue.show_box.setChecked(True)
    qtbot.waitUntil(lambda: section.view.layer is not None, timeout=kit.TIMEOUT)
    viewer.window.remove_dock_widget(dock)
    assert not any("preview" in layer.name for layer in viewer.layers)
    viewer.add_shapes(name="later")
