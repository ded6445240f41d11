"""A µm per pixel that is given in the dock against what the slide's file says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt

from napari_tcgn.engine import domain_warnings
from napari_tcgn.slide import open_slide

STATED = "OME PhysicalSizeX"


@pytest.fixture
def opened(dock_in_viewer, use_predictor, kit, qtbot, tmp_path: Path):
    """The dock with an OME-TIFF that says 2 µm per pixel."""
    use_predictor(kit.predictor())
    path = tmp_path / "S.ome.tif"
    tifffile.imwrite(
        path, kit.stained(), photometric="rgb", tile=(64, 64),
        metadata={"axes": "YXS", "PhysicalSizeX": 2.0, "PhysicalSizeY": 2.0},
    )  # fmt: skip
    viewer, dock = dock_in_viewer()
    dock.session.open_file(path, lambda failure: pytest.fail(str(failure)))
    qtbot.waitUntil(lambda: dock.session.state.slide is not None, timeout=30_000)
    return viewer, dock, path


def type_mpp(dock, qtbot, text: str) -> None:
    dock.slide.mpp_box.selectAll()
    qtbot.keyClicks(dock.slide.mpp_box, text)
    qtbot.keyClick(dock.slide.mpp_box, Qt.Key.Key_Return)


def test_both_numbers_are_shown_and_the_files_is_a_click_away(opened, kit, qtbot) -> None:
    _, dock, path = opened
    section, state = dock.slide, dock.session.state
    assert section.contradiction.isHidden()
    assert section.file_button.isHidden()
    type_mpp(dock, qtbot, "0.5")
    told = (
        f"The file says 2 µm per pixel ({STATED}), and 0.5 was given, 4 times less: patches are cut by what was given. "
        "Take the file's if it was mistyped."
    )
    assert not section.contradiction.isHidden()
    assert section.contradiction.text() == f"⚠ {told}"
    assert section.file_button.text() == "Use the file's 2 µm"
    assert state.slide.mpp_source == f"given in the dock; the file says 2 ({STATED})"

    kit.lay_spots(dock, 100)
    kit.run_to_end(dock)
    from napari_tcgn.ui.layers import store

    record = store.result_of(state.result_layer).prediction.record
    assert record.mpp_source == state.slide.mpp_source
    with_mpp = domain_warnings(kit.predictor().card, open_slide(path, mpp=0.5))
    assert told in with_mpp, "as on the command line"
    assert record.warnings == with_mpp

    kit.click(section.file_button)
    assert (state.mpp, state.slide.mpp_source) == (2.0, STATED)
    assert section.mpp_box.value() == 2.0
    assert section.contradiction.isHidden()
    assert section.file_button.isHidden()
    np.testing.assert_allclose(state.image.scale, 2.0)


def test_nearly_the_same_number_says_nothing(opened, qtbot) -> None:
    _, dock, _ = opened
    type_mpp(dock, qtbot, "2.05")
    assert dock.slide.contradiction.isHidden()
    assert dock.session.state.slide.mpp_source == "given in the dock"


def test_every_other_way_to_a_number_is_told_too(opened, kit) -> None:
    viewer, dock, path = opened
    state = dock.session.state
    state.image.scale = (1.0, 1.0)
    assert state.slide.mpp_source == f"layer's scale and units; the file says 2 ({STATED})"
    assert not dock.slide.contradiction.isHidden()
    kit.click(dock.slide.file_button)
    ways = dock.slide.ways
    ways.heading.setChecked(True)
    ways.objective_box.setCurrentText("20x")
    kit.click(ways.use_objective_button)
    assert state.slide.mpp_source.startswith("guessed from a 20x objective, confirmed in the dock; the file says 2")
    # and when the layer was scaled before the dock saw it
    slide = open_slide(path)
    from napari_tcgn.ui.layers.pyramid import levels_for_napari

    viewer.add_image(
        levels_for_napari(slide), rgb=True, multiscale=True, name="other", scale=(3, 3), units=("um", "um")
    )
    assert state.image.name == "other"
    assert "The file says 2 µm per pixel" in dock.slide.contradiction.text()


def test_each_slide_has_its_own(opened, kit, qtbot) -> None:
    viewer, dock, _ = opened
    type_mpp(dock, qtbot, "0.5")
    viewer.add_image(kit.stained(), rgb=True, name="pixels", scale=(3, 3), units=("um", "um"))
    assert dock.slide.contradiction.isHidden(), "pixels without a file"
    dock.slide.layer_box.setCurrentIndex(0)
    dock.slide.layer_box.activated.emit(0)
    assert not dock.slide.contradiction.isHidden()


def test_a_file_that_contradicts_itself_has_no_way_back(dock_in_viewer, use_predictor, kit, qtbot, tmp_path) -> None:
    use_predictor(kit.predictor())
    tifffile.imwrite(
        tmp_path / "S.ome.tif", kit.stained(), photometric="rgb", resolution=(40_000, 40_000),
        resolutionunit="CENTIMETER", metadata={"axes": "YXS", "PhysicalSizeX": 2.0, "PhysicalSizeY": 2.0},
    )  # fmt: skip
    _, dock = dock_in_viewer()
    dock.session.open_file(tmp_path / "S.ome.tif", lambda failure: pytest.fail(str(failure)))
    qtbot.waitUntil(lambda: dock.session.state.slide is not None, timeout=30_000)
    assert "2 µm per pixel (OME PhysicalSizeX) and 0.25 (TIFF resolution tag)" in dock.slide.contradiction.text()
    assert dock.slide.file_button.isHidden()
    type_mpp(dock, qtbot, "0.25")
    assert dock.slide.file_button.text() == "Use the file's 2 µm"
