"""Section Compare, clicked: measured counts beside predictions, table, scatter plot, files; and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_tcgn.expression import OUTPUT_SCALE
from napari_tcgn.ui import layers, store

GENES = ["RED", "GREEN", "BLUE", "EXTRA"]


@pytest.fixture
def predicted(ready, kit):
    """A predicted slide on the scale that counts can be brought to."""
    predictor = kit.ColourPredictor()
    predictor.card = kit.card(output_scale=OUTPUT_SCALE)
    viewer, dock = ready(predictor)
    kit.run_to_end(dock)
    return viewer, dock


def write_counts(path, spots, shift=0.0):
    """Counts that follow the pixels under the spots, as .h5ad; shift moves all spots by so many px."""
    import pandas as pd
    from anndata import AnnData

    x = (spots.x - spots.x.min()) / np.ptp(spots.x)
    random = np.random.default_rng(0)
    means = np.column_stack([60 - 40 * x, 40 - 10 * x, 50 - 30 * x, np.full(len(x), 5.0)])
    adata = AnnData(
        random.poisson(means).astype(np.float32),
        obs=pd.DataFrame(index=[f"spot{i}" for i in range(len(x))]),
        var=pd.DataFrame(index=GENES),
        obsm={"spatial": np.column_stack([spots.x, spots.y]) + shift},
    )
    adata.write_h5ad(path)
    return adata


def compare(qtbot, dock, kit, path, monkeypatch, source="h5ad"):
    section = dock.compare
    section.source_box.setCurrentIndex(section.source_box.findData(source))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(path), ""))
    kit.click(section.load_button)
    qtbot.waitUntil(lambda: not section.comparing.running, timeout=kit.TIMEOUT)


def test_nothing_to_compare_says_why(dock_in_viewer, use_predictor, kit) -> None:
    use_predictor(kit.ColourPredictor())
    _viewer, dock = dock_in_viewer()
    assert not dock.compare.load_button.isEnabled()
    assert "Nothing is predicted yet" in dock.compare.state_label.text()
    assert dock.compare.table.isHidden()


def test_measured_beside_predicted(predicted, qtbot, tmp_path, monkeypatch, kit) -> None:
    viewer, dock = predicted
    section, state = dock.compare, dock.session.state
    layer, spots = state.result, state.spots
    measured = write_counts(tmp_path / "measured.h5ad", spots)
    compare(qtbot, dock, kit, tmp_path / "measured.h5ad", monkeypatch)
    assert section.message.text() == ""
    shown = section.comparing.of(store.result_of(layer))
    found = section.comparing.layer_of(shown.measured)

    # both maps: the same gene, the same limits, one camera, the slide under both
    assert state.result == layer, "the prediction stays the chosen one"
    gene = state.gene
    assert layers.shown_gene(layer) == layers.shown_gene(found) == gene
    assert found.name == f"{gene} · measured"
    assert tuple(layer.face_contrast_limits) == tuple(found.face_contrast_limits)
    total = measured[:, ["RED", "GREEN", "BLUE"]].X.sum(axis=1)
    expected = np.log10(1 + 1e4 * measured[:, gene].X.ravel() / total)
    np.testing.assert_allclose(found.features["value"], expected, rtol=1e-4)
    assert section.beside_box.isChecked()
    offset = found.data_to_world(found.data[0])[1] - layer.data_to_world(layer.data[0])[1]
    assert offset == pytest.approx(1.04 * kit.SIDE * kit.MPP)
    second = next(one for one in viewer.layers if one.name.endswith("beside"))
    corner = second.data_to_world((0, 0))[1] - state.image.data_to_world((0, 0))[1]
    assert corner == pytest.approx(offset)
    assert second not in dock.session.image_layers() or not layers.may_be_slide(second)

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
    qtbot.waitUntil(lambda: layers.shown_gene(found) == layers.shown_gene(layer) == other, timeout=kit.TIMEOUT)
    assert tuple(layer.face_contrast_limits) == tuple(found.face_contrast_limits)
    assert section.scatter.title.startswith(other)

    # on top of each other again
    qtbot.mouseClick(section.beside_box, Qt.MouseButton.LeftButton, pos=_inside(section.beside_box))
    assert not section.comparing.beside.is_open
    np.testing.assert_allclose(found.data_to_world(found.data[0]), layer.data_to_world(layer.data[0]))
    assert second not in viewer.layers

    # the measurement as the chosen layer: the section stays with the pair
    viewer.layers.selection.active = found
    assert section.table.genes.rowCount() == 3
    assert section.load_button.isEnabled()


def _inside(box):
    from qtpy.QtCore import QPoint

    return QPoint(8, box.height() // 2)


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
    qtbot.wait(500)
    assert len(viewer.layers) == before


def test_closing_the_dock_while_comparing(predicted, qtbot, tmp_path, monkeypatch, kit) -> None:
    viewer, dock = predicted
    write_counts(tmp_path / "measured.h5ad", dock.session.state.spots)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(tmp_path / "measured.h5ad"), ""))
    dock.compare.source_box.setCurrentIndex(dock.compare.source_box.findData("h5ad"))
    kit.click(dock.compare.load_button)
    viewer.window.remove_dock_widget("all")
    qtbot.wait(300)
    assert len(viewer.layers) > 0
