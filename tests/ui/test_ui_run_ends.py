"""Runs that are started twice, cancelled at once, out of memory, without a GPU, or whose viewer closes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_tcgn.model import TrainingDomain
from napari_tcgn.ui.actions import run as actions_run
from napari_tcgn.ui.actions.run import Run
from napari_tcgn.ui.layers import store
from napari_tcgn.ui.sections.model import device_text
from napari_tcgn.ui.state import ModelChoice
from support.processes import environment


def test_run_says_why_it_is_disabled(dock_in_viewer, use_predictor, kit):
    use_predictor(kit.predictor())
    viewer, dock = dock_in_viewer()
    button, reason = dock.run.run_button, dock.run.reason

    def refused():
        assert not button.isEnabled()
        assert reason.isVisibleTo(dock)
        assert reason.text() in button.toolTip()
        return reason.text()

    assert "open a slide" in refused()
    viewer.add_image(kit.stained(), rgb=True)
    assert "µm" in refused()
    dock.slide.mpp_box.setValue(kit.MPP)
    assert "Lay spots" in refused()
    kit.lay_spots(dock)
    assert button.isEnabled()
    assert not reason.isVisibleTo(dock)
    dock.session.state.model = None
    assert "Choose a model" in refused()


def test_run_pressed_twice_is_one_run(held, gate, qtbot, kit):
    viewer, dock = held
    run = dock.session.run
    qtbot.mouseClick(dock.run.run_button, Qt.MouseButton.LeftButton)
    dock.run.start()  # and by its shortcut
    assert dock.session.run is run
    gate.set()
    qtbot.waitUntil(lambda: not dock.session.state.running, timeout=kit.TIMEOUT)
    assert sum(store.result_of(layer) is not None for layer in viewer.layers) == 1


def test_cancel_at_once(ready, qtbot, kit):
    viewer, dock = ready(kit.predictor())
    names = [layer.name for layer in viewer.layers]
    kit.click(dock.run.run_button)
    kit.click(dock.run.cancel_button)
    assert not dock.session.state.running
    assert dock.run.message.text() == "Cancelled before any spot was predicted."
    qtbot.waitUntil(lambda: not dock.session.background.busy, timeout=kit.TIMEOUT)
    assert [layer.name for layer in viewer.layers] == names
    kit.run_to_end(dock)  # and it can be run again


def test_two_results_are_both_kept_and_told_apart(ready, kit):
    viewer, dock = ready(kit.predictor())
    kit.run_to_end(dock)
    first = dock.session.state.result_layer
    before = first.features["value"].to_numpy().copy()
    kit.run_to_end(dock)
    second = dock.session.state.result_layer
    assert (first.name, second.name) == ("stained · GREEN · predicted", "stained · GREEN · predicted 2")
    assert store.result_of(first) is not store.result_of(second)
    np.testing.assert_array_equal(first.features["value"], before)
    for layer in (first, second):
        viewer.layers.selection.active = layer
        assert dock.session.state.result_layer == layer


def test_updates_come_at_most_four_times_a_second(ready, kit, monkeypatch):
    now, on_step = [100.0], Run._on_step

    def a_moment_later(run, step):
        now[0] += 0.06
        on_step(run, step)

    monkeypatch.setattr(Run, "_on_step", a_moment_later)
    monkeypatch.setattr(actions_run, "time", SimpleNamespace(monotonic=lambda: now[0]))
    _viewer, dock = ready(kit.predictor())
    kit.lay_spots(dock, 60)
    state, shown = dock.session.state, []
    state.events.progress.connect(lambda step: shown.append(step.done) if step and step.stage == "predict" else None)
    kit.run_to_end(dock)
    size, spots = kit.SPOTS_PER_BATCH, len(state.spots)
    every_fifth = list(range(size, spots, 5 * size))  # of the batches: 0.3 s, the first 0.25 s or more
    assert len(every_fifth) > 2
    assert shown == [*every_fifth, spots]


@pytest.mark.parametrize("fits", [2, 0])
def test_a_full_gpu(ready, kit, qtbot, fits):
    import torch

    def fill(patches):
        if len(patches) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    _viewer, dock = ready(kit.predictor(before=fill))
    kit.click(dock.run.run_button)
    qtbot.waitUntil(lambda: not dock.session.state.running, timeout=kit.TIMEOUT)
    text = dock.run.message.text()
    if fits:  # the batch is halved until it fits
        assert text.startswith("Done")
        record = store.result_of(dock.session.state.result_layer).prediction.record
        assert record.batch_size == fits
    else:
        assert "not even one patch fits" in text
        assert "--device cpu" in text or "cpu" in text
        kit.click(dock.run.message.details_button)
        assert "DeviceError" in dock.run.message.details.toPlainText()
        assert dock.session.state.result_layer is None
        assert dock.run.run_button.isEnabled()


def test_without_a_gpu_cuda_is_refused_before_the_run(ready, kit, qtbot, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    _viewer, dock = ready(kit.predictor())
    box = dock.model.device_box
    box.setCurrentText("cuda")
    box.activated.emit(box.currentIndex())
    qtbot.waitUntil(lambda: not dock.run.run_button.isEnabled(), timeout=kit.TIMEOUT)
    assert "'cuda' is absent" in dock.run.reason.text()
    assert "⚠" in dock.model.device.text()
    box.setCurrentText("cpu")
    box.activated.emit(box.currentIndex())
    qtbot.waitUntil(lambda: dock.run.run_button.isEnabled(), timeout=kit.TIMEOUT)
    assert dock.model.device.text().startswith("CPU")


def test_the_device_line(ready, kit, qtbot, monkeypatch):
    _viewer, dock = ready(kit.predictor())
    # measured in the background as soon as spots are laid
    qtbot.waitUntil(lambda: "about 80 spots/s" in dock.model.device.text(), timeout=kit.TIMEOUT)
    assert dock.model.device.text().startswith("CPU")
    assert "to predict" in dock.spots.count.text()
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (70 * 2**30, 80 * 2**30))
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "NVIDIA H100")
    assert device_text("auto") == "NVIDIA H100, 70.0 GiB free"


def test_the_speed_of_the_bundled_model_is_measured():
    from napari_tcgn.engine import run_to_end
    from napari_tcgn.model import LoadedModels
    from napari_tcgn.options import PredictSettings
    from napari_tcgn.ui.actions.speed import measure

    steps = []
    rate = run_to_end(measure(PredictSettings("haematoxylin-her2st", batch_size=4), LoadedModels()), steps.append)
    assert rate > 0
    assert len(steps) >= 3  # it can be left between batches


def test_closing_the_viewer_in_the_middle_of_a_run(held, gate, qtbot):
    viewer, dock = held
    session = dock.session
    threading.Timer(0.2, gate.set).start()  # the model ends its batch while the dock waits for it
    viewer.close()
    qtbot.waitUntil(lambda: session.closed, timeout=5000)
    assert session.run is None
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("napari-tcgn-read")]


def two_running(dock_in_viewer, kit):
    """Start a run in each of two viewers, on slides "one" and "two"."""
    docks = []
    for name in ("one", "two"):
        viewer, dock = dock_in_viewer(show=True)
        viewer.add_image(kit.stained(), rgb=True, name=name, scale=(2, 2), units=("um", "um"))
        kit.lay_spots(dock)
        docks.append((viewer, dock))
    for _, dock in docks:
        kit.click(dock.run.run_button)
    return docks


def test_two_viewers_run_at_once(dock_in_viewer, use_predictor, kit, qtbot):
    use_predictor(kit.predictor())
    docks = two_running(dock_in_viewer, kit)
    assert all(dock.session.state.running for _, dock in docks)
    for (viewer, dock), name in zip(docks, ("one", "two"), strict=True):
        qtbot.waitUntil(lambda dock=dock: not dock.session.state.running, timeout=kit.TIMEOUT)
        assert dock.run.message.text().startswith("Done")
        results = [store.result_of(layer) for layer in viewer.layers if store.result_of(layer)]
        assert [result.library_id for result in results] == [name]


def test_options_reach_the_run_record(ready, kit):
    _viewer, dock = ready(kit.predictor())
    options = dock.model.options
    assert not options.batch_box.isVisibleTo(dock), "folded at first"
    kit.click(options.heading)
    assert options.batch_box.isVisibleTo(dock)
    assert options.batch_box.text() == "automatic"
    options.batch_box.setValue(3)
    options.threads_box.setValue(1)
    options.precision_box.setCurrentText("float32")
    options.precision_box.activated.emit(options.precision_box.currentIndex())
    assert not options.stain_box.isEnabled()
    assert "does not say how its training sections were stained" in options.stain_box.toolTip()
    kit.run_to_end(dock)
    record = store.result_of(dock.session.state.result_layer).prediction.record
    assert record.settings.batch_size == 3
    assert record.settings.read_threads == 1
    assert record.settings.precision == "float32"
    assert record.settings.stain == "none"
    assert record.batch_size == 3


def test_stain_normalisation_reaches_the_run_where_the_model_knows_its_stain(ready, kit, dock_file):
    predictor = kit.predictor()
    stain = {"reinhard": {"mu": [7.0, 0.0, 0.0], "sigma": [0.3, 0.05, 0.01]}}
    predictor.card = replace(predictor.card, domain=TrainingDomain.from_record({"stain": stain}))
    _viewer, dock = ready(predictor)
    options, state = dock.model.options, dock.session.state
    assert [options.stain_box.itemText(i) for i in range(options.stain_box.count())] == ["none", "reinhard"]
    options.stain_box.setCurrentText("reinhard")
    options.stain_box.activated.emit(1)
    assert state.predict_settings().stain == "reinhard"
    assert json.loads(dock_file.read_text())["stain"] == "reinhard"
    kit.run_to_end(dock)
    record = store.result_of(state.result_layer).record
    assert record.settings.stain == "reinhard"
    # a model that has no target: the run is as the box says, and the choice waits
    with_target = state.model
    other = ModelChoice("other", kit.card(name="other"))
    state.models = (*state.models, other)
    state.model = other
    assert options.stain_box.currentText() == "none"
    assert not options.stain_box.isEnabled()
    assert state.predict_settings().stain == "none"
    state.model = with_target
    assert options.stain_box.currentText() == "reinhard"


def test_a_slide_outside_the_training_domain_is_warned_of(ready, kit, qtbot):
    predictor = kit.predictor()
    predictor.card = replace(predictor.card, domain=TrainingDomain((0.5, 0.5)))
    _viewer, dock = ready(predictor)
    warnings = dock.model.warnings
    qtbot.waitUntil(lambda: warnings.isVisibleTo(dock), timeout=kit.TIMEOUT)
    assert "The slide has 2 µm per" in warnings.text()
    assert "0.5" in warnings.text()
    assert dock.run.run_button.isEnabled(), "a warning, no ban"
    dock.slide.mpp_box.setValue(0.5)
    qtbot.waitUntil(lambda: not warnings.isVisibleTo(dock), timeout=kit.TIMEOUT)


CLOSES = """
import sys, threading, time
import napari, numpy as np
from qtpy.QtCore import QTimer
from dataclasses import replace
from napari_tcgn import model
from napari_tcgn.ui import make_dock
from napari_tcgn.ui.actions import speed
from support import dock as kit

predictor = kit.predictor(before=lambda patches: time.sleep(0.2))
predictor.card = replace(predictor.card, name="tcgn-tiny-her2st")
model.list_models = lambda: [predictor.card]
model.load_model = lambda source, device, precision: predictor
speed.measure = kit.speed_of_the_test
viewer = napari.Viewer(show_welcome_screen=False)
dock = make_dock(viewer)
viewer.window.add_dock_widget(dock, name="Spatial gene prediction")
viewer.add_image(kit.stained(), rgb=True, scale=(2, 2), units=("um", "um"))
state = dock.session.state

def go():
    if state.models and state.spots is None and not state.busy:
        dock.spots.lay_button.click()
    elif state.spots is not None and not state.running:
        dock.run.run_button.click()
    elif state.progress is not None and state.progress.done:
        print("closing after", state.progress.done, "spots", flush=True)
        timer.stop()
        viewer.close()

timer = QTimer()
timer.timeout.connect(go)
timer.start(50)
napari.run()
print("ended", threading.active_count() >= 1)
"""


TWO = """
def make():
    viewer = napari.Viewer(show_welcome_screen=False)
    dock = make_dock(viewer)
    viewer.window.add_dock_widget(dock, name="Spatial gene prediction")
    viewer.add_image(kit.stained(), rgb=True, scale=(2, 2), units=("um", "um"))
    return viewer, dock

both = [make(), make()]
other = both[1 - closed][1]
state, gone = other.session.state, False

def go():
    global gone
    for _, dock in both if not gone else ():
        one = dock.session.state
        if one.models and one.spots is None and not one.busy:
            dock.spots.lay_button.click()
        elif one.spots is not None and one.progress is None and not one.running and one.result_layer is None:
            dock.run.run_button.click()
    if not gone and state.progress is not None and state.progress.done:
        gone = True
        both[closed][0].close()
        print("closed one", flush=True)
    elif gone and not state.running:
        from napari_tcgn.ui.layers import store
        timer.stop()
        print("the other:", other.run.message.text(), flush=True)
        print("of its spots:", store.result_of(state.result_layer).done.mean(), flush=True)
        both[1 - closed][0].close()

timer = QTimer()
timer.timeout.connect(go)
timer.start(50)
napari.run()
"""


def test_closing_napari_in_the_middle_of_a_run_ends_the_program(tmp_path):
    script = tmp_path / "closes.py"
    script.write_text(CLOSES)
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=300,
        env=environment(NAPARI_TCGN_DOCK_FILE=tmp_path / "dock.json"),
    )  # fmt: skip
    assert "closing after" in done.stdout, done.stderr
    assert "ended" in done.stdout, done.stderr
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr


@pytest.mark.parametrize("closed", [0, 1])  # napari's own workers end with the window that was made last
def test_closing_one_of_two_viewers_leaves_the_other_alone(tmp_path, closed):
    """A program of its own: what draws goes with one window while the other one draws on."""
    script = tmp_path / "two.py"
    begin = CLOSES[: CLOSES.index("viewer = napari.Viewer")]
    script.write_text(f"{begin}closed = {closed}\n{TWO}")
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=300,
        env=environment(NAPARI_TCGN_DOCK_FILE=tmp_path / "dock.json"),
    )  # fmt: skip
    assert "closed one" in done.stdout, done.stderr
    assert "the other: Done:" in done.stdout, done.stdout + done.stderr
    assert "of its spots: 1.0" in done.stdout, done.stdout + done.stderr
