"""Spots that are dropped on the viewer or on the dock become those of the slide."""

from __future__ import annotations

import numpy as np
import pytest
from npe2 import PluginManager
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication

from napari_tcgn.spots import holds_spots
from napari_tcgn.ui.io import spots_reader
from support.visium import visium_folder

PLUGIN = "napari-tcgn"


def drop(widget, *paths):
    """Drop files on a widget with real events."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(widget.rect().center(), copy, data, left, none)
    QApplication.sendEvent(widget, enter)
    if enter.isAccepted():
        QApplication.sendEvent(widget, QDropEvent(QPointF(widget.rect().center()), copy, data, left, none))
    return enter.isAccepted()


@pytest.fixture
def with_slide(dock_in_viewer, use_predictor, kit):
    use_predictor(kit.predictor())
    viewer, dock = dock_in_viewer(show=True)
    viewer.add_image(kit.stained(), rgb=True, name="slide")  # of unknown µm per px
    return viewer, dock


def wait_for_spots(qtbot, kit, dock, count):
    state = dock.session.state
    qtbot.waitUntil(lambda: state.spots is not None and len(state.spots) == count, timeout=kit.TIMEOUT)


def test_a_table_and_a_visium_folder_opened_by_napari_are_the_slides_spots(
    with_slide, qtbot, kit, spot_table, tmp_path
):
    viewer, dock = with_slide
    assert viewer.open(spot_table, plugin=PLUGIN) == []
    wait_for_spots(qtbot, kit, dock, 6)
    assert dock.session.spots_file == spot_table
    assert dock.spots.source_box.currentData() == "table"
    assert len(viewer.layers) == 2
    folder = visium_folder(tmp_path / "outs", kit.SIDE, kit.SIDE, pitch_px=70)
    viewer.open(folder, plugin=PLUGIN)
    wait_for_spots(qtbot, kit, dock, 12)
    assert len(viewer.layers) == 2
    # With the slide in one go: the spots wait until it is there.
    dock.session.state.busy = "Opening …"
    viewer.open(spot_table, plugin=PLUGIN)
    assert len(dock.session.state.spots) == 12
    dock.session.state.busy = ""
    wait_for_spots(qtbot, kit, dock, 6)


def test_dropped_on_the_section(with_slide, qtbot, kit, spot_table, tmp_path):
    _viewer, dock = with_slide
    assert not drop(dock.spots, spot_table, spot_table)  # one at a time
    assert drop(dock.spots, spot_table)
    wait_for_spots(qtbot, kit, dock, 6)
    (tmp_path / "other.txt").write_text("no spots\n", encoding="utf-8")
    assert drop(dock.spots, tmp_path / "other.txt")
    qtbot.waitUntil(lambda: "holds no spots of a known kind" in dock.spots.message.text(), timeout=kit.TIMEOUT)


def test_without_a_slide_or_a_dock_a_sentence_says_what_to_do(
    dock_in_viewer, use_predictor, kit, spot_table, monkeypatch
):
    use_predictor(kit.predictor())
    viewer, dock = dock_in_viewer()
    viewer.open(spot_table, plugin=PLUGIN)
    assert dock.spots.message.text().startswith("stained_selection.tsv holds spots of a section: choose or open the")
    told = []
    monkeypatch.setattr(spots_reader, "show_info", told.append)
    viewer.window.remove_dock_widget(dock)
    viewer.open(spot_table, plugin=PLUGIN)
    assert told == [spots_reader.NO_DOCK.format(name="stained_selection.tsv")]
    assert len(viewer.layers) == 0


def test_during_a_run_nothing_is_read(held, spot_table):
    viewer, dock = held
    before = dock.session.state.spots
    viewer.open(spot_table, plugin=PLUGIN)
    assert "wait for the run to end" in dock.spots.message.text()
    assert dock.session.state.spots is before


def test_only_what_holds_spots_is_taken(tmp_path, spot_table, kit):
    def text(name, first_line):
        (tmp_path / name).write_text(f"{first_line}\n", encoding="utf-8")
        return tmp_path / name

    assert holds_spots(spot_table)
    assert holds_spots(text("tissue_positions_list.csv", "ACGTACGTACGTACGT-1,1,0,0,10,20"))
    assert holds_spots(visium_folder(tmp_path / "outs", kit.SIDE, kit.SIDE, pitch_px=70))
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "folder").mkdir()
    for path in (
        text("counts.tsv", "\tGNAS\tFASN"),
        text("xy.tsv", "x\ty\tname"),
        text("table.csv", "a,b"),
        text("empty.tsv", ""),
        tmp_path / "array.npy",
        tmp_path / "missing.tsv",
        tmp_path / "folder",
    ):
        assert not holds_spots(path), path.name
        assert spots_reader.get_reader(str(path)) is None
    assert spots_reader.get_reader(str(spot_table)) is spots_reader.hand_over


def test_the_manifest_offers_the_reader_for_names_of_spots_only():
    def offered(name):
        readers = PluginManager.instance().iter_compatible_readers(name)
        return "napari-tcgn.read_spots" in [reader.command for reader in readers]

    for name in ("C2_selection.tsv", "tissue_positions_list.csv", "tissue_positions.parquet", "mine_spots.csv"):
        assert offered(name), name
    assert not offered("any.csv")
