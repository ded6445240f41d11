"""The sample section: its slide, its spots and its counts, each by one click and without a dialog."""

from __future__ import annotations

import shutil

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFileDialog

from napari_tcgn.expression import OUTPUT_SCALE
from napari_tcgn.sample import sample_section
from napari_tcgn.spots import selection_beside
from napari_tcgn.ui.actions.measured_files import spots_of_counts
from napari_tcgn.ui.io.samples import open_sample
from napari_tcgn.ui.layers import store

GENES = ["GNAS", "FASN", "ERBB2", "MYL12B"]


@pytest.fixture
def sample(dock_in_viewer, use_predictor, kit, monkeypatch):
    """Return (viewer, dock) with the sample as File ▸ Open Sample shows it; a dialog of files fails the test."""
    predictor = kit.predictor()
    predictor.card = kit.card(genes=GENES, output_scale=OUTPUT_SCALE)
    use_predictor(predictor)
    for name in ("getOpenFileName", "getExistingDirectory"):
        monkeypatch.setattr(QFileDialog, name, lambda *a, **k: pytest.fail("a dialog"))
    viewer, dock = dock_in_viewer(show=True)
    ((levels, kwargs, _kind),) = open_sample()
    viewer.add_image(levels, **kwargs)
    return viewer, dock


def test_the_sample_in_three_clicks(sample, kit, qtbot):
    _viewer, dock = sample
    state = dock.session.state
    kit.click(dock.spots.sample_button)
    qtbot.waitUntil(lambda: state.spots is not None, timeout=kit.TIMEOUT)
    assert len(state.spots) == 79
    assert state.spots.source.kind == "ST selection table"
    assert dock.spots.sample_button.isHidden()
    assert dock.spots.source_box.currentData() == "table"
    kit.run_to_end(dock)
    assert dock.compare.source_box.currentText() == "The sample's counts"
    kit.click(dock.compare.load_button)
    qtbot.waitUntil(lambda: not dock.compare.comparing.running, timeout=kit.TIMEOUT)
    assert dock.compare.message.text() == ""
    compared = dock.compare.comparing.of(store.result_of(state.result_layer))
    assert set(compared.measured.genes) == set(GENES)
    assert compared.measured.done.all()


def test_only_the_sample_offers_the_sample(sample, kit):
    viewer, dock = sample
    assert dock.spots.sample_button.isVisibleTo(dock.spots)
    viewer.add_image(kit.stained(), rgb=True, name="slide", scale=(kit.MPP,) * 2, units=("um", "um"))
    assert not dock.spots.sample_button.isVisibleTo(dock.spots)
    kit.lay_spots(dock)
    kit.run_to_end(dock)
    assert dock.compare.source_box.findData("sample") == -1


def test_counts_find_the_table_of_their_spots(sample, kit, tmp_path, monkeypatch, qtbot):
    _viewer, dock = sample
    kit.lay_spots(dock)  # a grid: their names are not those of the counts
    kit.run_to_end(dock)
    result = store.result_of(dock.session.state.result_layer)
    files = sample_section()
    table, told = spots_of_counts(files.counts, result, None)
    assert table == files.spots
    assert told.endswith("is taken from section_selection.tsv, which lies beside it.")
    alone = shutil.copy(files.counts, tmp_path / "alone.tsv.gz")
    assert spots_of_counts(alone, result, None) == (None, "")
    assert spots_of_counts(alone, result, files.spots) == (files.spots, "")
    (tmp_path / "ST-cnts").mkdir()
    (tmp_path / "ST-spotfiles").mkdir()
    counts = shutil.copy(files.counts, tmp_path / "ST-cnts" / "C2.tsv.gz")
    there = shutil.copy(files.spots, tmp_path / "ST-spotfiles" / "C2_selection.tsv")
    assert selection_beside(counts) == there

    # In the dock: one dialog, for the counts; that of the table only where it is asked for.
    section, asked = dock.compare, []
    section.source_box.setCurrentIndex(section.source_box.findData("st"))
    answers = {"Measured counts": alone, "Selection table of the counts": files.spots}
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: asked.append(a[1]) or (str(answers[a[1]]), ""))
    box = section.table_box
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))  # its row is wider than its text
    assert section.table_box.text() == "their spots lie as in section_selection.tsv"
    kit.click(section.load_button)
    qtbot.waitUntil(lambda: not section.comparing.running, timeout=kit.TIMEOUT)
    assert asked == ["Selection table of the counts", "Measured counts"]
