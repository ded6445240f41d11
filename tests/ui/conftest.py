"""A small stained slide, a real model of random weights, and a dock in a viewer."""

from __future__ import annotations

import importlib.util
import os
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_tcgn.model import HeldOut, ModelCard
from napari_tcgn.options import PredictSettings

if importlib.util.find_spec("napari") is None:
    collect_ignore_glob = ["test_*.py"]  # an installation without the GUI

# Before napari is imported: no test reads or writes the user's own settings of napari and of its plugins.
_config = tempfile.TemporaryDirectory(prefix="napari-tcgn-test-config-")
os.environ["NAPARI_CONFIG"] = str(Path(_config.name) / "settings.yaml")

MPP = 2.0
SIDE = 600  # px: 1.2 x 1.2 mm, a third of it glass
SPOTS_PER_BATCH = 8  # of the CPU
TIMEOUT = 120_000  # ms; the first run in a process imports torch


def stained(side: int = SIDE) -> np.ndarray:
    """Tissue whose red falls from left to right, with glass at the right; uint8 [side, side, 3]."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(200, 90, side)[None, :, None]
    pixels = np.broadcast_to(ramp * np.array([1.0, 0.55, 0.9]), (side, side, 3)).copy()
    pixels += rng.normal(0, 6, pixels.shape)
    pixels[:, 2 * side // 3 :] = 245
    return pixels.clip(0, 255).astype(np.uint8)


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
    rows = ["x\ty\tnew_x\tnew_y\tpixel_x\tpixel_y\tselected"]
    rows += [f"{c}\t{r}\t{c}.0\t{r}.0\t{100.5 + 100 * c}\t{150.5 + 100 * r}\t1" for r in range(2) for c in range(3)]
    path = tmp_path / "stained_selection.tsv"
    path.write_text("\n".join(rows) + "\n")
    return path


def card(**changes) -> ModelCard:
    values = {
        "name": "colours",
        "version": "1",
        "architecture": {"family": "colours"},
        "genes": ["RED", "GREEN", "BLUE", "DARK1"],
        "patch_um": 60.0,
        "tissue": "test tissue",
        "output_scale": "mean grey value",
        "metrics": HeldOut.from_record({"protocol": "none", "pcc": [0.1, 0.5, 0.3, None], "median_pcc": 0.3}),
        "licence": "CC0",
    }
    return ModelCard(**(values | changes))


class ColourPredictor:
    """Mean colour of a patch times a matrix: a real function of the pixels that tests can compute again.

    `gate` holds every batch after the first until it is set.
    """

    device = "cpu"
    matrix = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, -1, -1]], np.float32)

    def __init__(self, gate: threading.Event | None = None, error_after: int | None = None) -> None:
        self.card = card()
        self.gate, self.error_after, self.batches = gate, error_after, 0

    def predict(self, patches):
        if self.batches >= 1 and self.gate is not None:
            self.gate.wait(30)
        if self.error_after is not None and self.batches >= self.error_after:
            raise ValueError("the weights have turned to dust")
        self.batches += 1
        return patches.reshape(len(patches), -1, 3).mean(axis=1).astype(np.float32) @ self.matrix.T


def speed_of_the_test(settings: PredictSettings):
    """Say 80 spots/s without touching the model."""
    yield
    return 80.0


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
        ColourPredictor=ColourPredictor, click=click, lay_spots=lay_spots, run_to_end=run_to_end,
    )  # fmt: skip


@pytest.fixture
def use_predictor(monkeypatch):
    """Install a predictor as the one and default model, through the door that the engine asks."""

    def install(predictor):
        # Named as the default, so that the dock chooses it.
        predictor.card = replace(predictor.card, name=PredictSettings().model)
        monkeypatch.setattr("napari_tcgn.model.list_models", lambda: [predictor.card])
        monkeypatch.setattr("napari_tcgn.model.load_model", lambda source, device, precision: predictor)
        # Not the predictor itself, whose batches are counted by tests.
        monkeypatch.setattr("napari_tcgn.ui.actions.speed.measure", speed_of_the_test)
        return predictor

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
def ready(dock_in_viewer, qtbot, slide_png, monkeypatch, use_predictor, kit):
    """Return a function that installs a predictor and gives (viewer, dock) with spots laid, one click from a run."""
    from qtpy.QtWidgets import QFileDialog

    def make(predictor, **viewer_kwargs):
        use_predictor(predictor)
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
    viewer, dock = ready(kit.ColourPredictor(gate))
    kit.click(dock.run.run_button)
    state = dock.session.state
    qtbot.waitUntil(lambda: state.progress is not None and state.progress.stage == "predict", timeout=kit.TIMEOUT)
    return viewer, dock
