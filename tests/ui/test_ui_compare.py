"""Section Compare, clicked: measured counts beside predictions, table, scatter plot, files; and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_tcgn.expression import OUTPUT_SCALE
from napari_tcgn.model import HeldOut, ModelCard
from napari_tcgn.ui.actions.comparing import best_measured
from napari_tcgn.ui.dock import MINIMUM_WIDTH
from napari_tcgn.ui.layers import result_layers, slide_layers, store
from support.comparing import compare, tick, write_counts


@pytest.fixture
def predicted(ready, kit, request):
    """A predicted slide on the scale that counts can be brought to; the window is shown if the parameter is True."""
    predictor = kit.predictor()
    predictor.card = kit.card(output_scale=OUTPUT_SCALE)
    viewer, dock = ready(predictor, show=getattr(request, "param", False))
    kit.run_to_end(dock)
    return viewer, dock


def test_nothing_to_compare_says_why(dock_in_viewer, use_predictor, kit) -> None:
    use_predictor(kit.predictor())
    _viewer, dock = dock_in_viewer()
    assert not dock.compare.load_button.isEnabled()
    assert "Nothing is predicted yet" in dock.compare.state_label.text()
    assert dock.compare.table.isHidden()


def test_measured_beside_predicted(predicted, qtbot, tmp_path, monkeypatch, kit) -> None:
    viewer, dock = predicted
    section, state = dock.compare, dock.session.state
    layer, spots = state.result_layer, state.spots
    measured = write_counts(tmp_path / "measured.h5ad", spots)
    compare(qtbot, dock, kit, tmp_path / "measured.h5ad", monkeypatch)
    assert section.message.text() == ""
    shown = section.comparing.of(store.result_of(layer))
    found = section.comparing.layer_of(shown.measured)

    # both maps: the same gene, the same limits, one camera, the slide under both
    assert state.result_layer == layer, "the prediction stays the chosen one"
    gene = state.gene
    assert result_layers.shown_gene(layer) == result_layers.shown_gene(found) == gene
    assert found.name == f"stained · {gene} · measured"
    assert tuple(layer.face_contrast_limits) == tuple(found.face_contrast_limits)
    total = measured[:, ["RED", "GREEN", "BLUE"]].X.sum(axis=1)
    expected = np.log10(1 + 1e4 * measured[:, gene].X.ravel() / total)
    np.testing.assert_allclose(found.features["value"], expected, rtol=1e-4)
    assert section.side_by_side_box.isChecked()
    offset = found.data_to_world(found.data[0])[1] - layer.data_to_world(layer.data[0])[1]
    assert offset == pytest.approx(1.04 * kit.SIDE * kit.MPP)
    second = next(one for one in viewer.layers if one.name.endswith("beside"))
    corner = second.data_to_world((0, 0))[1] - state.image.data_to_world((0, 0))[1]
    assert corner == pytest.approx(offset)
    assert second not in dock.session.image_layers() or not slide_layers.may_be_slide(second)

    # table, scatter plot and figures
    table = section.table
    assert table.genes.rowCount() == 3
    row = shown.comparison.genes.loc[gene]
    assert f"PCC {row['pcc']:.2f}" in section.scatter.title
    assert section.scatter.dots == len(spots)
    assert "haematoxylin" in section.overall.text()
    other = next(g for g in ("RED", "BLUE") if g != gene)
    index = table.genes.index(table.genes.row_of(other), 0)
    table.scrollTo(index)
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=table.visualRect(index).center())
    assert state.gene == other
    qtbot.waitUntil(
        lambda: result_layers.shown_gene(found) == result_layers.shown_gene(layer) == other, timeout=kit.TIMEOUT
    )
    assert tuple(layer.face_contrast_limits) == tuple(found.face_contrast_limits)
    assert section.scatter.title.startswith(other)

    # on top of each other again
    tick(qtbot, section.side_by_side_box)
    assert not section.comparing.side_by_side.is_open
    np.testing.assert_allclose(found.data_to_world(found.data[0]), layer.data_to_world(layer.data[0]))
    assert second not in viewer.layers

    # the measurement as the chosen layer: the section stays with the pair
    viewer.layers.selection.active = found
    assert section.table.genes.rowCount() == 3
    assert section.load_button.isEnabled()


def second_views(viewer):
    return [layer for layer in viewer.layers if layer.name.endswith("beside")]


def test_a_pair_ends_with_whatever_it_stands_on(predicted, qtbot, tmp_path, monkeypatch, kit) -> None:
    viewer, dock = predicted
    section, session = dock.compare, dock.session
    state, beside = session.state, dock.compare.comparing.side_by_side
    layer = state.result_layer
    write_counts(tmp_path / "measured.h5ad", state.spots)
    compare(qtbot, dock, kit, tmp_path / "measured.h5ad", monkeypatch)
    found = section.comparing.layer_of(section.comparing.of(store.result_of(layer)).measured)
    assert len(second_views(viewer)) == 1
    assert viewer.layers.selection.active == layer
    assert second_views(viewer)[0] not in session.image_layers()
    assert dock.slide.layer_box.count() == 1, "the second view is no slide"

    def assert_ended():
        assert not beside.is_open
        assert not section.side_by_side_box.isChecked()
        assert second_views(viewer) == []
        np.testing.assert_allclose(found.data_to_world(found.data[0]), layer.data_to_world(layer.data[0]))

    # the second view is removed by hand
    viewer.layers.remove(second_views(viewer)[0])
    assert_ended()
    # the slide is rescaled, then moved
    tick(qtbot, section.side_by_side_box)
    assert beside.is_open
    assert viewer.layers.selection.active == layer, "not the second view"
    dock.slide.mpp_box.setValue(kit.MPP * 1.1)
    assert_ended()
    tick(qtbot, section.side_by_side_box)
    state.image.translate = (30, 40)
    assert_ended()
    # what was made of the moved layer comes back with it
    tick(qtbot, section.side_by_side_box)
    pinned = session.colours.pin(found, "RED")
    assert section.comparing.layer_of(store.result_of(found)) == found
    tick(qtbot, section.side_by_side_box)
    np.testing.assert_allclose(pinned.data_to_world(pinned.data[0]), layer.data_to_world(layer.data[0]))
    viewer.layers.remove(pinned)
    # another slide is chosen
    tick(qtbot, section.side_by_side_box)
    other = viewer.add_image(kit.stained(200), rgb=True, name="other")
    assert state.image == other
    assert_ended()
    session.choose_image(layer_image := session.image_layers()[0], show=True)
    assert state.result_layer == layer
    # the measurement is removed
    tick(qtbot, section.side_by_side_box)
    viewer.layers.remove(found)
    assert not beside.is_open
    assert second_views(viewer) == []
    assert not section.side_by_side_box.isEnabled()
    assert not section.table.isHidden(), "the figures stay"
    # the slide is removed; the figures come from its file
    compare(qtbot, dock, kit, tmp_path / "measured.h5ad", monkeypatch)
    assert beside.is_open
    viewer.layers.remove(layer_image)
    assert not beside.is_open
    assert second_views(viewer) == []
    viewer.layers.selection.active = layer
    compare(qtbot, dock, kit, tmp_path / "measured.h5ad", monkeypatch)
    assert section.message.text() == ""
    manifest = section.comparing.of(store.result_of(layer)).comparison.manifest
    assert "patches of the slide" in manifest.haematoxylin
    # the prediction is removed, and with the measurement the comparison is forgotten
    assert beside.is_open
    result, measured = store.result_of(layer), section.comparing.of(store.result_of(layer)).measured
    viewer.layers.remove(layer)
    assert not beside.is_open
    assert "removed" in section.state_label.text()
    viewer.layers.remove(section.comparing.layer_of(measured))
    assert section.comparing.of(result) is None
    assert section.table.isHidden()


@pytest.mark.parametrize("predicted", [True], indirect=True)  # styled and laid out only when shown
def test_the_table_fits_the_narrow_dock_and_keeps_its_mark(predicted, qtbot, tmp_path, monkeypatch, kit) -> None:
    viewer, dock = predicted
    write_counts(tmp_path / "measured.h5ad", dock.session.state.spots)
    compare(qtbot, dock, kit, tmp_path / "measured.h5ad", monkeypatch)
    table, state = dock.compare.table, dock.session.state
    viewer.window.resize(1280, 800)
    dock.parent().setFixedWidth(MINIMUM_WIDTH)
    qtbot.waitUntil(lambda: dock.width() == MINIMUM_WIDTH, timeout=5000)
    qtbot.waitUntil(lambda: table.horizontalScrollBar().maximum() == 0, timeout=5000)
    assert table.columnWidth(0) >= table.fontMetrics().horizontalAdvance("MYL12B")
    for column in range(table.genes.columnCount()):
        for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
            table.sortByColumn(column, order)
            assert table.genes.gene_at(table.currentIndex().row()) == state.gene
            figures = [table.genes.index(row, column).data() for row in range(3)]
            wanted = sorted(figures, key=str if column == 0 else float, reverse=order == Qt.SortOrder.DescendingOrder)
            assert figures == wanted
    qtbot.keyClick(table, Qt.Key.Key_Down if table.currentIndex().row() < 2 else Qt.Key.Key_Up)
    assert table.genes.gene_at(table.currentIndex().row()) == state.gene


def test_closing_the_dock_ends_the_pair(predicted, qtbot, tmp_path, monkeypatch, kit) -> None:
    viewer, dock = predicted
    layer = dock.session.state.result_layer
    write_counts(tmp_path / "measured.h5ad", dock.session.state.spots)
    compare(qtbot, dock, kit, tmp_path / "measured.h5ad", monkeypatch)
    assert len(second_views(viewer)) == 1
    viewer.window.remove_dock_widget("all")
    assert second_views(viewer) == []
    found = next(one for one in viewer.layers if one.name.endswith("measured"))
    np.testing.assert_allclose(found.data_to_world(found.data[0]), layer.data_to_world(layer.data[0]))
    viewer.layers.clear()  # nobody listens any more


def test_a_comparison_that_ends_on_a_slide_put_aside(predicted, qtbot, tmp_path, monkeypatch, kit) -> None:
    viewer, dock = predicted
    section, session = dock.compare, dock.session
    layer = session.state.result_layer
    write_counts(tmp_path / "measured.h5ad", session.state.spots)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(tmp_path / "measured.h5ad"), ""))
    section.source_box.setCurrentIndex(section.source_box.findData("h5ad"))
    kit.click(section.load_button)
    other = viewer.add_image(kit.stained(200), rgb=True, name="other")
    session.choose_image(other, show=True)
    qtbot.waitUntil(lambda: not section.comparing.running, timeout=kit.TIMEOUT)
    compared = section.comparing.of(store.result_of(layer))
    assert session.state.image == other
    assert session.state.result_layer is None
    assert not section.comparing.layer_of(compared.measured).visible
    assert second_views(viewer) == []
    session.choose_image(session.slides.owner_of(layer).image, show=True)
    assert session.state.result_layer == layer
    assert layer.visible
    assert not section.comparing.layer_of(compared.measured).visible, "never on top of the one that is selected"
    assert section.table.genes.rowCount() == 3


def test_a_comparison_that_fails_on_a_slide_put_aside_names_the_slide(
    predicted, qtbot, tmp_path, monkeypatch, kit
) -> None:
    viewer, dock = predicted
    section, state = dock.compare, dock.session.state
    write_counts(tmp_path / "measured.h5ad", state.spots, shift=5000)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(tmp_path / "measured.h5ad"), ""))
    section.source_box.setCurrentIndex(section.source_box.findData("h5ad"))
    name = state.slide.name
    kit.click(section.load_button)
    viewer.add_image(kit.stained(200), rgb=True, name="other")
    qtbot.waitUntil(lambda: not section.comparing.running, timeout=kit.TIMEOUT)
    assert state.image.name == "other"
    assert section.message.text().startswith(f"⚠ {name}: ")


def test_the_prediction_goes_while_it_is_compared(predicted, qtbot, tmp_path, monkeypatch, kit) -> None:
    viewer, dock = predicted
    section = dock.compare
    write_counts(tmp_path / "measured.h5ad", dock.session.state.spots)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(tmp_path / "measured.h5ad"), ""))
    section.source_box.setCurrentIndex(section.source_box.findData("h5ad"))
    kit.click(section.load_button)
    viewer.layers.remove(dock.session.state.result_layer)
    assert not section.comparing.running
    assert "Nothing is predicted yet" in section.state_label.text()
    assert dock.session.spots_layer.visible, "nothing is predicted any more"


def test_a_partial_result_is_compared_where_it_has_values(held, gate, qtbot, tmp_path, monkeypatch, kit) -> None:
    _viewer, dock = held
    kit.click(dock.run.cancel_button)
    gate.set()
    result = store.result_of(dock.session.state.result_layer)
    result.card = replace(result.card, output_scale=OUTPUT_SCALE)
    result.prediction = replace(result.prediction, card=result.card)
    write_counts(tmp_path / "measured.h5ad", dock.session.state.spots)
    compare(qtbot, dock, kit, tmp_path / "measured.h5ad", monkeypatch)
    assert dock.compare.message.text() == ""
    compared = dock.compare.comparing.of(result)
    assert compared.comparison.overall.n_spots == result.done.sum() < len(result.done)
    np.testing.assert_array_equal(compared.measured.done, result.done)
    dock.session.state.result_version += 1  # as at the end of a run: partial results are labelled
    assert dock.compare.comparing.layer_of(compared.measured).name == "stained · GREEN · measured"
    assert dock.compare.comparing.layer_of(result).name == "stained · GREEN · predicted (partial)"


def test_tables_and_report_are_written(predicted, qtbot, tmp_path, monkeypatch, kit) -> None:
    _viewer, dock = predicted
    section = dock.compare
    write_counts(tmp_path / "measured.h5ad", dock.session.state.spots)
    compare(qtbot, dock, kit, tmp_path / "measured.h5ad", monkeypatch)
    out = tmp_path / "out"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a, **k: str(out))
    out.mkdir()
    kit.click(section.write_button)
    qtbot.waitUntil(lambda: "Wrote" in section.message.text(), timeout=kit.TIMEOUT)
    assert json.loads((out / "overall.json").read_text())["overall"]["n_genes"] == 3
    assert "Research use only" in (out / "report.html").read_text()
    # again: only after a yes
    asked = []
    monkeypatch.setattr(QMessageBox, "question", lambda *a, **k: asked.append(a[2]) or QMessageBox.StandardButton.No)
    kit.click(section.write_button)
    assert asked
    assert section.write_button.isEnabled()


def test_gene_sets_are_compared_too(predicted, qtbot, tmp_path, monkeypatch, kit) -> None:
    _viewer, dock = predicted
    section = dock.compare
    write_counts(tmp_path / "measured.h5ad", dock.session.state.spots)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: ("", ""))
    tick(qtbot, section.sets_box)
    assert not section.sets_box.isChecked(), "the dialog was cancelled"
    gmt = tmp_path / "mine.gmt"
    gmt.write_text("WARM\tours\tRED\tGREEN\nCOLD\tours\tGREEN\tBLUE\n")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(gmt), ""))
    tick(qtbot, section.sets_box)
    assert "mine.gmt" in section.sets_box.text()
    compare(qtbot, dock, kit, tmp_path / "measured.h5ad", monkeypatch)
    comparison = section.comparing.of(store.result_of(dock.session.state.result_layer)).comparison
    assert list(comparison.gene_sets["gene_set"]) == ["WARM", "COLD"]
    assert "2 gene sets: median PCC" in section.overall.text()
    tick(qtbot, section.sets_box)
    assert "mine.gmt" not in section.sets_box.text()


def test_a_second_comparison_replaces_the_first(predicted, qtbot, tmp_path, monkeypatch, kit) -> None:
    viewer, dock = predicted
    write_counts(tmp_path / "measured.h5ad", dock.session.state.spots)
    for _ in range(2):
        compare(qtbot, dock, kit, tmp_path / "measured.h5ad", monkeypatch)
    kinds = [store.result_of(layer).kind for layer in viewer.layers if store.result_of(layer) is not None]
    assert sorted(kinds) == ["measured", "predicted"]
    assert sum(layer.name.endswith("beside") for layer in viewer.layers) == 1


def test_measured_data_of_another_section_are_refused(predicted, qtbot, tmp_path, monkeypatch, kit) -> None:
    viewer, dock = predicted
    before = len(viewer.layers)
    write_counts(tmp_path / "other.h5ad", dock.session.state.spots, shift=5000.0)
    compare(qtbot, dock, kit, tmp_path / "other.h5ad", monkeypatch)
    assert dock.compare.message.text().startswith("⚠")
    assert len(viewer.layers) == before
    assert dock.compare.table.isHidden()


def test_missing_counts_and_no_anndata_are_refused(predicted, qtbot, tmp_path, monkeypatch, kit) -> None:
    _viewer, dock = predicted
    adata = write_counts(tmp_path / "nan.h5ad", dock.session.state.spots)
    adata.X[3, 1] = np.nan
    adata.write_h5ad(tmp_path / "nan.h5ad")
    compare(qtbot, dock, kit, tmp_path / "nan.h5ad", monkeypatch)
    assert "missing" in dock.compare.message.text()
    (tmp_path / "text.h5ad").write_text("no file of that kind")
    compare(qtbot, dock, kit, tmp_path / "text.h5ad", monkeypatch)
    assert "text.h5ad" in dock.compare.message.text()
    assert dock.compare.load_button.isEnabled()


def test_cancel_stops_at_once(predicted, qtbot, tmp_path, monkeypatch, kit) -> None:
    viewer, dock = predicted
    section = dock.compare
    write_counts(tmp_path / "measured.h5ad", dock.session.state.spots)
    before = len(viewer.layers)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(tmp_path / "measured.h5ad"), ""))
    section.source_box.setCurrentIndex(section.source_box.findData("h5ad"))
    kit.click(section.load_button)
    assert section.comparing.running
    assert "Comparing" in section.state_label.text()
    kit.click(section.cancel_button)
    assert not section.comparing.running
    assert section.load_button.isEnabled()
    qtbot.waitUntil(lambda: not dock.session.background.busy, timeout=kit.TIMEOUT)
    assert len(viewer.layers) == before


def test_closing_the_dock_while_comparing(predicted, qtbot, tmp_path, monkeypatch, kit) -> None:
    viewer, dock = predicted
    write_counts(tmp_path / "measured.h5ad", dock.session.state.spots)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(tmp_path / "measured.h5ad"), ""))
    dock.compare.source_box.setCurrentIndex(dock.compare.source_box.findData("h5ad"))
    kit.click(dock.compare.load_button)
    session = dock.session
    viewer.window.remove_dock_widget("all")
    qtbot.waitUntil(lambda: session.closed, timeout=kit.TIMEOUT)
    assert len(viewer.layers) > 0


def normalised_with_raw(path, spots) -> None:
    """Values as scanpy leaves them: log1p in X, the counts in .raw."""
    adata = write_counts(path, spots)
    adata.raw = adata.copy()
    adata.X = np.log1p(adata.X / 100)
    adata.write_h5ad(path)


@pytest.mark.parametrize("answer", ["ok", "cancel"])
def test_counts_that_are_not_in_x_are_asked_for(predicted, qtbot, tmp_path, monkeypatch, kit, answer) -> None:
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication, QInputDialog

    _viewer, dock = predicted
    section, path = dock.compare, tmp_path / "measured.h5ad"
    normalised_with_raw(path, dock.session.state.spots)
    asked = []

    def reply() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, QInputDialog)
        asked.append((dialog.labelText(), dialog.comboBoxItems()))
        dialog.accept() if answer == "ok" else dialog.reject()

    QTimer.singleShot(300, reply)
    compare(qtbot, dock, kit, path, monkeypatch)
    assert asked == [
        ("X of measured.h5ad holds no raw counts. Take them from the layer (raw is AnnData's .raw):", ["raw"])
    ]
    shown = section.comparing.of(store.result_of(dock.session.state.result_layer))
    if answer == "cancel":
        assert shown is None
        assert section.message.text() == ""
        return
    assert shown.comparison.manifest.scale.layer == "raw"
    counts = write_counts(tmp_path / "other.h5ad", dock.session.state.spots)
    compare(qtbot, dock, kit, tmp_path / "other.h5ad", monkeypatch)  # asks nothing
    again = section.comparing.of(store.result_of(dock.session.state.result_layer))
    assert counts.n_vars == 4
    np.testing.assert_array_equal(shown.comparison.genes["pcc"], again.comparison.genes["pcc"])


def test_the_best_measured_gene_is_seen_where_the_shown_one_was_not_measured():
    genes = pd.DataFrame({"pcc": [0.1, np.nan, 0.6, 0.9]}, index=["A", "B", "C", "D"])
    compared = SimpleNamespace(
        comparison=SimpleNamespace(genes=genes),
        measured=SimpleNamespace(genes=("A", "B", "C")),
        predicted=SimpleNamespace(card=None),
    )
    assert best_measured(compared) == "C"
    figures = HeldOut.from_record({"pcc": [0.2, 0.2, -0.1, 0.2]})  # C did well here by chance
    compared.predicted.card = ModelCard("m", "1", {}, ["A", "B", "C", "D"], 77.0, metrics=figures)
    assert best_measured(compared) == "A"
    genes["pcc"] = np.nan
    assert best_measured(compared) == "A"
