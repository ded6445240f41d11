"""A dock in a viewer, with the slide and the model of support/dock.py."""

from __future__ import annotations

import importlib.util
import os
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_tcgn.options import PredictSettings
from support.dock import MPP, SIDE, card, predictor, speed_of_the_test, stained
from support.her2st import write_selection

if importlib.util.find_spec("napari") is None:
    collect_ignore_glob = ["test_*.py"]  # an installation without the GUI

# Before napari is imported: no test reads or writes the user's own settings of napari and of its plugins.
_config = tempfile.TemporaryDirectory(prefix="napari-tcgn-test-config-")
os.environ["NAPARI_CONFIG"] = str(Path(_config.name) / "settings.yaml")

SPOTS_PER_BATCH = 8  # of the CPU
TIMEOUT = 120_000  # ms; the first run in a process imports torch


@pytest.fixture(autouse=True)
def dock_file(tmp_path_factory, monkeypatch) -> Path:
    """The dock's memory in a folder of this test, and napari's preferences of the plugin as if never set."""
    from napari.settings import get_plugin_settings

    path = tmp_path_factory.mktemp("settings") / "dock.json"
    monkeypatch.setenv("NAPARI_TCGN_DOCK_FILE", str(path))
    yield path
    if "napari-tcgn" in get_plugin_settings():
        get_plugin_settings("napari-tcgn").reset()


@pytest.fixture(autouse=True)
def main_thread_only(monkeypatch):
    """Fail a test in which an event of a layer, the layer list or the viewer was emitted off the main thread."""
    from napari.utils.events import EventEmitter

    emit, strays = EventEmitter.__call__, []

    def watched(self, *args, **kwargs):
        if threading.current_thread() is not threading.main_thread():
            strays.append(f"{self.source!r}: {self.default_args.get('type')}, from {threading.current_thread().name}")
        return emit(self, *args, **kwargs)

    monkeypatch.setattr(EventEmitter, "__call__", watched)
    yield
    assert not strays, f"touched off the main thread: {strays[:5]}"


@pytest.fixture(scope="session")
def slide_png(tmp_path_factory) -> Path:
    """A slide file that does not say its µm per px."""
    from PIL import Image

    path = tmp_path_factory.mktemp("slides") / "stained.png"
    Image.fromarray(stained()).save(path)
    return path


@pytest.fixture
def spot_table(tmp_path) -> Path:
    """An ST selection table of 6 spots on the tissue of `stained`."""
    path = tmp_path / "stained_selection.tsv"
    write_selection(path, [(c, r, 100.5 + 100 * c, 150.5 + 100 * r) for r in range(2) for c in range(3)])
    return path


@pytest.fixture
def kit(qtbot) -> SimpleNamespace:
    """What tests need of this file."""

    def click(button) -> None:
        from qtpy.QtCore import Qt

        assert button.isEnabled(), button.toolTip()
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def lay_spots(dock, pitch: float = 100) -> None:
        state = dock.session.state
        dock.spots.source_box.setCurrentIndex(dock.spots.source_box.findData("square"))
        dock.spots.pitch_box.setValue(pitch)
        dock.spots.diameter_box.setValue(70)
        before = state.spots
        click(dock.spots.lay_button)
        qtbot.waitUntil(lambda: state.spots is not None and state.spots is not before, timeout=TIMEOUT)

    def run_to_end(dock) -> None:
        click(dock.run.run_button)
        assert dock.session.state.running
        qtbot.waitUntil(lambda: not dock.session.state.running, timeout=TIMEOUT)
        assert dock.run.message.text().startswith("Done"), dock.run.message.details.toPlainText()

    return SimpleNamespace(
        MPP=MPP, SIDE=SIDE, TIMEOUT=TIMEOUT, SPOTS_PER_BATCH=SPOTS_PER_BATCH, stained=stained, card=card,
        predictor=predictor, click=click, lay_spots=lay_spots, run_to_end=run_to_end,
    )  # fmt: skip


@pytest.fixture
def use_predictor(monkeypatch):
    """Install a predictor as the one and default model, through the door that the engine asks."""

    def install(chosen):
        # Named as the default, so that the dock chooses it.
        chosen.card = replace(chosen.card, name=PredictSettings().model)
        monkeypatch.setattr("napari_tcgn.model.list_models", lambda: [chosen.card])
        monkeypatch.setattr("napari_tcgn.model.load_model", lambda source, device, precision: chosen)
        # Not the predictor itself, whose batches are counted by tests.
        monkeypatch.setattr("napari_tcgn.ui.actions.speed.measure", speed_of_the_test)
        return chosen

    return install


@pytest.fixture
def dock_in_viewer(make_napari_viewer_proxy, qtbot):
    """Return (viewer, dock) with the dock docked as napari does it."""
    from napari_tcgn.ui import make_dock

    def make(**viewer_kwargs):
        viewer = make_napari_viewer_proxy(**viewer_kwargs)
        dock = make_dock(viewer)
        viewer.window.add_dock_widget(dock, name="Spatial gene prediction", area="right")
        qtbot.waitUntil(lambda: dock.session.state.models != () or dock.model.message.text() != "", timeout=TIMEOUT)
        return viewer, dock

    return make


@pytest.fixture
def dock_with_spots(dock_in_viewer, use_predictor, kit):
    """Return (viewer, dock), shown, with spots laid on a layer of known µm per px."""
    use_predictor(kit.predictor())
    viewer, dock = dock_in_viewer(show=True)
    viewer.add_image(kit.stained(), rgb=True, name="slide", scale=(kit.MPP,) * 2, units=("um", "um"))
    kit.lay_spots(dock)
    return viewer, dock


@pytest.fixture
def ready(dock_in_viewer, qtbot, slide_png, monkeypatch, use_predictor, kit):
    """Return a function that installs a predictor and gives (viewer, dock) with spots laid, one click from a run."""
    from qtpy.QtWidgets import QFileDialog

    def make(chosen, **viewer_kwargs):
        use_predictor(chosen)
        viewer, dock = dock_in_viewer(**viewer_kwargs)
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(slide_png), ""))
        kit.click(dock.slide.open_button)
        state = dock.session.state
        qtbot.waitUntil(lambda: state.slide is not None, timeout=kit.TIMEOUT)
        dock.slide.mpp_box.setValue(kit.MPP)
        kit.lay_spots(dock)
        assert len(state.spots) > 3 * SPOTS_PER_BATCH
        return viewer, dock

    return make


@pytest.fixture
def gate():
    """Holds a predictor after its first batch; opened at the end, whatever happens."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def held(ready, gate, qtbot, kit):
    """A run that has predicted one batch and waits inside the second one."""
    viewer, dock = ready(kit.predictor(gate))
    kit.click(dock.run.run_button)
    state = dock.session.state
    qtbot.waitUntil(lambda: state.progress is not None and state.progress.stage == "predict", timeout=kit.TIMEOUT)
    return viewer, dock
