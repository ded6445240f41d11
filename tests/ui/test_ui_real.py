"""The real section C2 in a real window: the path of the docs, and how long the main thread is away meanwhile."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_tcgn.ui.layers import store

HEARTBEAT = Path(__file__).resolve().parents[2] / "benchmarks" / "heartbeat.py"


def heartbeat():
    spec = importlib.util.spec_from_file_location("heartbeat", HEARTBEAT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Heartbeat()


def test_stain_warnings_before_a_run(real_data, dock_in_viewer, kit, qtbot, monkeypatch):
    """The breast cancer section of the training data is not warned of; the pinker slide of another scanner is."""
    _viewer, dock = dock_in_viewer()
    state, warnings = dock.session.state, dock.model.warnings
    svs = real_data / "wsi_svs" / "CMU-1-Small-Region.svs"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(svs), ""))
    kit.click(dock.slide.open_button)
    qtbot.waitUntil(lambda: "eosin is stronger" in warnings.text(), timeout=kit.TIMEOUT)
    assert warnings.isVisibleTo(dock)
    assert "µm per px" not in warnings.text(), "finer than the training sections: nothing is missing"
    c2 = real_data / "her2st" / "data" / "ST-imgs" / "C" / "C2" / "5714_HE_BT_C2.jpg"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(c2), ""))
    kit.click(dock.slide.open_button)
    qtbot.waitUntil(lambda: state.slide is not None and state.slide.path == c2, timeout=kit.TIMEOUT)
    assert not warnings.isVisibleTo(dock), "nothing is said of a slide without µm per px"
    dock.slide.mpp_box.setValue(0.688)
    qtbot.waitUntil(lambda: not dock.session.background.busy, timeout=kit.TIMEOUT)
    assert warnings.text() == ""
    dock.slide.mpp_box.setValue(1.376)
    qtbot.waitUntil(lambda: "less detail" in warnings.text(), timeout=kit.TIMEOUT)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_c2_from_the_file_to_a_heatmap(real_data, dock_in_viewer, kit, qtbot, monkeypatch):
    section = real_data / "her2st" / "data"
    _viewer, dock = dock_in_viewer(show=True)
    state = dock.session.state
    assert state.model.card.name == "context-line-her2st", "the best on sections not seen (docs/evaluation.md)"
    image = section / "ST-imgs" / "C" / "C2" / "5714_HE_BT_C2.jpg"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(image), ""))
    kit.click(dock.slide.open_button)
    qtbot.waitUntil(lambda: state.slide is not None, timeout=kit.TIMEOUT)
    assert state.mpp is None
    dock.slide.mpp_box.setValue(0.688)
    table = section / "ST-spotfiles" / "C2_selection.tsv"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(table), ""))
    dock.spots.source_box.setCurrentIndex(dock.spots.source_box.findData("table"))
    kit.click(dock.spots.lay_button)
    qtbot.waitUntil(lambda: state.spots is not None, timeout=kit.TIMEOUT)
    qtbot.waitUntil(lambda: state.rate is not None, timeout=kit.TIMEOUT)
    assert f"about {state.rate:.3g} spots/s" in dock.model.device.text()

    filled = []
    state.events.progress.connect(lambda step: filled.append(step.done) if step and step.stage == "predict" else None)
    with heartbeat() as beat:
        kit.click(dock.run.run_button)
        qtbot.waitUntil(lambda: not state.running, timeout=800_000)
    print(f"\nmain thread while C2 is predicted: {beat.report()}")
    assert beat.report()["beats"] > 10
    assert len(filled) > 3, "it fills in"
    assert dock.run.message.text().startswith(f"Done: {len(state.spots)} spots")
    result = store.result_of(state.result_layer)
    assert result.done.all()
    assert np.isfinite(result.values).all()
    assert state.result_layer.features["value"].std() > 0
