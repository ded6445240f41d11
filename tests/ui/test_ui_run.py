"""A run that is cancelled, fails, or loses its layer, its dock or its viewer."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

SPOTS_PER_BATCH = 8  # of the CPU


def test_progress_is_told_and_nothing_can_be_changed_meanwhile(held):
    _viewer, dock = held
    total = len(dock.session.state.spots)
    assert f"predict · {SPOTS_PER_BATCH} of {total} spots" in dock.run.reason.text()
    assert "spots/s" in dock.run.reason.text()
    assert "left" in dock.run.reason.text()
    assert (dock.run.bar.value(), dock.run.bar.maximum()) == (SPOTS_PER_BATCH, total)
    for widget in (dock.run.run_button, dock.slide.open_button, dock.spots.lay_button, dock.model.model_box):
        assert not widget.isEnabled()
    assert not dock.export.export_button.isEnabled()
    # the heatmap fills in: what is done has a colour, the rest is transparent
    values = dock.session.state.result_layer.features["value"].to_numpy()
    assert np.isfinite(values).sum() == SPOTS_PER_BATCH
    alpha = dock.session.state.result_layer.face_color[:, 3]
    assert (alpha[np.isfinite(values)] == 1).all()
    assert (alpha[np.isnan(values)] == 0).all()


def test_cancel_answers_at_once_and_keeps_a_partial_result(held, gate, qtbot, tmp_path, monkeypatch, kit):
    viewer, dock = held
    total = len(dock.session.state.spots)
    qtbot.mouseClick(dock.run.cancel_button, Qt.MouseButton.LeftButton)
    assert not gate.is_set()
    assert not dock.session.state.running  # although the model is still inside its batch
    assert f"Cancelled: {SPOTS_PER_BATCH} of {total} spots" in dock.run.message.text()
    result = dock.session.state.result_layer
    assert result.name.endswith("· predicted (partial)")
    assert result in viewer.layers
    assert dock.run.run_button.isEnabled()

    gate.set()  # on one core the export waits for the thread that is still inside its batch
    path = tmp_path / "part.h5ad"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(path), ""))
    qtbot.mouseClick(dock.export.export_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Wrote" in dock.export.message.text(), timeout=kit.TIMEOUT)
    import anndata

    adata = anndata.read_h5ad(path)
    assert adata.n_obs == SPOTS_PER_BATCH
    assert adata.uns["napari_tcgn"]["partial"]


def test_a_failing_model_is_a_sentence_with_details_and_keeps_what_is_done(ready, qtbot, kit):
    _viewer, dock = ready(kit.predictor(error_after=2))
    qtbot.mouseClick(dock.run.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dock.session.state.running, timeout=kit.TIMEOUT)
    message = dock.run.message
    assert "the weights have turned to dust" in message.text()
    assert f"{2 * SPOTS_PER_BATCH} of" in message.text()
    assert not message.details.isVisibleTo(message)
    qtbot.mouseClick(message.details_button, Qt.MouseButton.LeftButton)
    assert message.details.isVisibleTo(message)
    assert "Traceback" in message.details.toPlainText()
    assert dock.session.state.result_layer.name.endswith("(partial)")


@pytest.mark.parametrize("which", ["result_layer", "image"])
def test_removing_a_layer_that_the_run_needs_ends_it(held, gate, qtbot, kit, which):
    viewer, dock = held
    viewer.layers.remove(getattr(dock.session.state, which))
    assert not dock.session.state.running
    assert dock.session.run is None
    if which == "result_layer":
        assert dock.session.state.result_layer is None
    else:
        assert dock.session.state.slide is None
        assert not dock.run.run_button.isEnabled()
    gate.set()
    qtbot.waitUntil(lambda: not dock.session.background.busy, timeout=kit.TIMEOUT)  # nobody listens any more


def test_closing_the_dock_during_a_run_ends_it(held, gate, qtbot):
    viewer, dock = held
    session = dock.session
    threading.Timer(0.2, gate.set).start()  # the model ends its batch while the dock waits for it
    viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: session.closed, timeout=5000)
    names = [layer.name for layer in viewer.layers]
    assert any(name.endswith("(partial)") for name in names), names


def test_nothing_is_clipped_at_the_side(dock_in_viewer, use_predictor, kit, qtbot):
    use_predictor(kit.predictor())
    viewer, dock = dock_in_viewer(show=True)  # styled and laid out only when shown
    viewer.window.resize(1280, 800)
    for page in (dock.predict_page, dock.explore_page):
        dock.tabs.setCurrentWidget(page)
        qtbot.waitUntil(lambda page=page: page.widget().width() <= page.viewport().width(), timeout=5000)


def test_a_grey_layer_is_refused_with_a_sentence(dock_in_viewer, use_predictor, kit, qtbot):
    use_predictor(kit.predictor())
    viewer, dock = dock_in_viewer()
    viewer.add_image(np.zeros((64, 64), np.uint16), name="sixteen bits")
    assert dock.session.state.image is None  # not taken by itself
    dock.slide.layer_box.setCurrentIndex(0)
    dock.slide.layer_box.activated.emit(0)
    assert "not an RGB image" in dock.slide.info.text()
    assert not dock.run.run_button.isEnabled()
    assert "cannot be used" in dock.spots.count.text()


def test_the_sample_opens_through_napari_s_menu_and_says_its_scale(dock_in_viewer, use_predictor, kit, qtbot):
    use_predictor(kit.predictor())
    viewer, dock = dock_in_viewer()
    viewer.open_sample("napari-tcgn", "section")
    state = dock.session.state
    qtbot.waitUntil(lambda: state.slide is not None, timeout=kit.TIMEOUT)
    assert state.mpp is not None
    assert len(state.slide.level_dimensions) > 1
    assert dock.spots.lay_button.isEnabled()
