"""Spots of a table are read before the slide's µm per px is known, and may tell it."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from support.her2st import write_selection


@pytest.fixture
def unknown(dock_in_viewer, use_predictor, kit):
    """Return (viewer, dock) on a slide that does not say its µm per px, with the spots of a file as source."""
    use_predictor(kit.predictor())
    viewer, dock = dock_in_viewer(show=True)
    viewer.add_image(kit.stained(), rgb=True, name="slide")
    dock.spots.source_box.setCurrentIndex(dock.spots.source_box.findData("table"))
    return viewer, dock


@pytest.fixture
def read(qtbot, kit, monkeypatch):
    """Return a function that reads a table by the dock's button."""

    def by_button(dock, path):
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(path), ""))
        kit.click(dock.spots.lay_button)
        qtbot.waitUntil(lambda: dock.session.state.spots is not None, timeout=kit.TIMEOUT)

    return by_button


def test_the_array_tells_it_and_a_click_takes_it(unknown, read, kit, spot_table):
    viewer, dock = unknown
    state, section = dock.session.state, dock.spots
    assert "read the spots of its array" in dock.slide.info.text()
    read(dock, spot_table)
    # 200 µm over 100 px; shown, and taken only by a click.
    assert state.mpp is None
    assert len(dock.session.spots_layer.data) == 6
    np.testing.assert_allclose(dock.session.spots_layer.size, 50)  # px: 100 µm
    assert "Their array implies 2 µm per pixel; the slide has none yet" in section.count.text()
    assert "Say how many µm one pixel covers" in dock.run.reason.text()
    assert section.use_mpp_button.text() == "Use the array's 2 µm per pixel"
    kit.click(section.use_mpp_button)
    assert state.mpp == pytest.approx(2.0)
    assert state.slide.mpp_source == "implied by the array of the spots"
    assert len(state.spots) == 6
    assert not section.use_mpp_button.isVisibleTo(section)
    np.testing.assert_allclose(viewer.layers["slide"].scale, 2)
    np.testing.assert_allclose(dock.session.spots_layer.scale, 2)
    kit.run_to_end(dock)


def test_a_table_that_tells_nothing_is_shown_and_asks(unknown, read, kit, tmp_path):
    _viewer, dock = unknown
    path = tmp_path / "row_selection.tsv"
    write_selection(path, [(c, 0, 100.5 + 80 * c, 150.5) for c in range(4)])  # one row is no lattice
    read(dock, path)
    section, layer = dock.spots, dock.session.spots_layer
    assert "They do not tell how many µm one pixel covers" in section.count.text()
    assert not section.use_mpp_button.isVisibleTo(section)
    np.testing.assert_allclose(layer.size, 40)  # half as large as they are apart
    assert not dock.run.run_button.isEnabled()
    dock.slide.mpp_box.setValue(kit.MPP)
    assert len(dock.session.state.spots) == 4
    np.testing.assert_allclose(layer.size, 100 / kit.MPP)
    kit.run_to_end(dock)


def test_a_grid_still_asks_first(unknown):
    _viewer, dock = unknown
    dock.spots.source_box.setCurrentIndex(0)
    assert not dock.spots.lay_button.isEnabled()
    assert "Say how many µm one pixel covers" in dock.spots.count.text()
