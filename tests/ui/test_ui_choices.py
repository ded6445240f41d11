"""What the dock remembers, napari's preferences, folds, shortcuts, tooltips, menus and themes."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QFileDialog,
    QLineEdit,
    QProgressBar,
    QSlider,
    QTabBar,
    QWidget,
)

import napari_tcgn
from napari_tcgn.files import cache_folder
from napari_tcgn.options import PredictSettings, options_of
from napari_tcgn.ui.actions.models import add_model
from napari_tcgn.ui.prefs.choices import CHOICES
from napari_tcgn.ui.prefs.preferences import GROUP, Preferences, nothing_of, read_preferences, to_plain
from napari_tcgn.ui.prefs.remembered import Remembered, remembered_file
from napari_tcgn.ui.shortcuts import SHORTCUTS
from napari_tcgn.ui.widgets.card_page import CardPage
from support.processes import environment

ROOT = Path(__file__).parents[2]
CONTROLS = (QAbstractButton, QComboBox, QAbstractSpinBox, QLineEdit, QAbstractItemView, QSlider, QProgressBar)


def settings_of_napari():
    from napari.settings import get_plugin_settings

    return get_plugin_settings("napari-tcgn").prediction


def choose(box, text):
    box.setCurrentText(text)
    box.activated.emit(box.currentIndex())


@pytest.fixture
def open_dock(dock_in_viewer, use_predictor, kit):
    use_predictor(kit.predictor())
    return lambda **kwargs: dock_in_viewer(**kwargs)


def test_tests_never_touch_the_user_s_own_files(dock_file):
    import os

    assert remembered_file() == dock_file
    assert "napari-tcgn-test-config-" in os.environ["NAPARI_CONFIG"]
    from napari.settings import get_plugin_settings

    assert "napari-tcgn-test-config-" in str(get_plugin_settings("napari-tcgn").config_path)


def test_choices_are_remembered_and_reset(open_dock, dock_file, kit):
    viewer, dock = open_dock()
    state = dock.session.state
    assert (state.settings.device, state.settings.precision, state.settings.batch_size) == ("auto", "auto", None)
    choose(dock.model.device_box, "cpu")
    dock.model.options.batch_box.setValue(5)
    kit.click(dock.slide.heading)
    viewer.add_image(kit.stained(), rgb=True, name="secret slide")
    dock.slide.mpp_box.setValue(0.3)
    viewer.window.remove_dock_widget(dock)

    kept = json.loads(dock_file.read_text())
    assert kept["device"] == "cpu"
    assert "secret" not in dock_file.read_text(), "nothing of a slide is remembered"
    assert "0.3" not in dock_file.read_text()

    _, again = open_dock()
    assert again.session.state.settings.device == "cpu"
    assert again.model.device_box.currentText() == "cpu"
    assert again.model.options.batch_box.value() == 5
    assert not again.slide.heading.isChecked()
    assert not again.slide.layer_box.isVisibleTo(again)
    assert again.spots.heading.isChecked()

    kit.click(again.reset_button)
    assert again.session.state.settings.device == "auto"
    assert again.model.device_box.currentText() == "auto"
    assert again.model.options.batch_box.value() == 0
    assert again.slide.heading.isChecked()
    assert not dock_file.exists()


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"device": 7, "folded": "all"}', '{"device": "abacus"}', '{"batch_size": -4}']
)
def test_a_damaged_memory_costs_nothing(open_dock, dock_file, text):
    dock_file.write_text(text)
    _, dock = open_dock()
    state = dock.session.state
    assert (state.settings.device, state.settings.precision, state.settings.batch_size) == ("auto", "auto", None)


def test_a_memory_that_cannot_be_written_costs_nothing(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    remembered = Remembered(blocked / "dock.json")
    remembered.put(device="cpu")
    assert remembered.get("device", str) == "cpu"


def test_a_model_that_was_added_is_there_the_next_time(open_dock, tmp_path, kit, qtbot):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "card.json").write_text(kit.card(name="mine").to_json())
    viewer, dock = open_dock()
    added = []
    add_model(dock.session, folder, added.append, lambda failure: pytest.fail(failure.sentence))
    qtbot.waitUntil(lambda: bool(added), timeout=kit.TIMEOUT)
    viewer.window.remove_dock_widget(dock)
    _, again = open_dock()
    assert again.session.state.model.card.name == "mine"
    assert again.model.model_box.currentText() == "mine"
    (folder / "card.json").unlink()
    _, third = open_dock()
    assert third.session.state.model.card.name == PredictSettings().model


def test_models_are_added_by_their_card(open_dock, tmp_path, kit, monkeypatch, qtbot):
    _, dock = open_dock()
    path = tmp_path / "card.json"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(path), ""))
    path.write_text("{")
    kit.click(dock.model.add_button)
    qtbot.waitUntil(lambda: "is not JSON" in dock.model.message.text(), timeout=kit.TIMEOUT)
    path.write_text(kit.card(name="mine", tissue="liver", training={"data": "ours", "sections": ["A", "B"]}).to_json())
    kit.click(dock.model.add_button)
    qtbot.waitUntil(lambda: dock.model.message.text() == "", timeout=kit.TIMEOUT)
    assert dock.model.model_box.currentText() == "mine"
    assert dock.model.card.text() == "liver · 4 genes, 3 trusted\nheld-out median PCC 0.300"
    kit.click(dock.model.card_button)
    page = dock.model.findChild(CardPage)
    assert page.isVisible()
    assert page.windowTitle() == "mine"
    said = page.browser.toPlainText()
    for part in ("60 µm", "held-out median PCC 0.300", "ours", "A, B", "CC0"):
        assert part in said
    dock.model.model_box.setCurrentIndex(0)
    dock.model.model_box.activated.emit(0)
    assert dock.session.state.model.card.name == PredictSettings().model


def test_the_speed_of_a_model_is_remembered(ready, open_dock, dock_file, kit, qtbot):
    _viewer, dock = ready(kit.predictor())
    qtbot.waitUntil(lambda: dock.session.state.rate == 80.0, timeout=kit.TIMEOUT)
    choose(dock.model.device_box, "cpu")  # another device, another speed
    qtbot.waitUntil(lambda: " cpu auto" in dock_file.read_text(), timeout=kit.TIMEOUT)
    _, again = open_dock()
    qtbot.waitUntil(lambda: "about 80 spots/s" in again.model.device.text(), timeout=kit.TIMEOUT)
    assert again.session.state.spots is None, "known before anything is laid"


def test_preferences_have_the_defaults_of_the_engine():
    assert read_preferences() == Preferences()
    declared = {one.name: getattr(settings_of_napari(), one.name) for one in options_of(Preferences)}
    assert declared == {one.name: to_plain(one, one.default) for one in options_of(Preferences)}
    assert declared["batch_size"] == 0, "stands for None"


def test_the_manifest_says_what_is_declared():
    text = (Path(napari_tcgn.__file__).parent / "napari.yaml").read_text(encoding="utf-8")
    script = runpy.run_path(str(ROOT / "scripts" / "make_options_page.py"))
    assert text == script["manifest"](), "run scripts/make_options_page.py"
    properties = yaml.safe_load(text)["contributions"]["configurations"][GROUP]["properties"]
    assert list(properties) == [one.name for one in options_of(Preferences)]
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    for one in options_of(Preferences):
        said = properties[one.name]
        assert said["type"] == kinds[one.kind], one.name
        assert said["default"] == to_plain(one, one.default), one.name
        assert said.get("enum", []) == list(one.choices), one.name
        low, high = one.form or (None, None)
        nothing = nothing_of(one)
        assert (said.get("minimum"), said.get("maximum")) == (low if nothing is None else nothing, high), one.name


def test_the_dock_and_the_preferences_have_every_option_of_a_run_with_its_default(open_dock):
    options = {field.name: getattr(PredictSettings(), field.name) for field in fields(PredictSettings)}
    assert set(options) <= {field.name for field in fields(Preferences)}
    assert set(CHOICES) == set(options), "all are remembered"
    _, dock = open_dock()
    assert dock.session.state.predict_settings() == PredictSettings()
    boxes = dock.model.options
    shown = {
        "model": dock.model.model_box.currentText(),
        "device": dock.model.device_box.currentText(),
        "precision": boxes.precision_box.currentText(),
        "batch_size": boxes.batch_box.value() or None,
        "read_threads": boxes.threads_box.value(),
        "stain": boxes.stain_box.currentText(),
        "genes": boxes.genes_box.text(),
        "domain": boxes.domain_box.isChecked(),
    }
    assert shown == options


def test_preferences_are_honoured_at_once_and_by_new_docks(open_dock, dock_file):
    viewer, dock = open_dock()
    settings_of_napari().device = "cpu"
    assert dock.session.state.settings.device == "cpu"
    assert dock.model.device_box.currentText() == "cpu"
    settings_of_napari().read_threads = 7
    settings_of_napari().batch_size = 16
    settings_of_napari().stain = "reinhard"
    assert dock.session.state.settings.stain == "reinhard"
    settings_of_napari().stain = "none"
    assert dock.model.options.threads_box.value() == 7
    assert dock.session.state.predict_settings() == PredictSettings(device="cpu", batch_size=16, read_threads=7)
    # a choice in the dock is newer, and holds the next time
    dock.model.options.threads_box.setValue(3)
    viewer.window.remove_dock_widget(dock)
    _, again = open_dock()
    assert again.session.state.settings.read_threads == 3
    # until the preference is changed while no dock looks
    dock_file.write_text(dock_file.read_text().replace('"read_threads": 7', '"read_threads": 9'))
    _, third = open_dock()
    assert third.session.state.settings.read_threads == 7
    # or nothing is to be remembered
    third.model.options.threads_box.setValue(4)
    settings_of_napari().remember = False
    _, fourth = open_dock()
    assert fourth.session.state.settings.read_threads == 7


def test_the_cache_is_where_the_preferences_say(open_dock, tmp_path, monkeypatch):
    import os

    monkeypatch.setenv("NAPARI_TCGN_CACHE", "as given")
    monkeypatch.delenv("NAPARI_TCGN_CACHE_GB", raising=False)
    open_dock()
    assert os.environ["NAPARI_TCGN_CACHE"] == "as given"
    settings_of_napari().cache_folder = str(tmp_path / "kept")
    settings_of_napari().cache_gb = 2.5
    assert os.environ["NAPARI_TCGN_CACHE"] == str(tmp_path / "kept")
    assert os.environ["NAPARI_TCGN_CACHE_GB"] == "2.5"
    assert cache_folder("pyramids") == tmp_path / "kept" / "pyramids"
    settings_of_napari().cache_folder = ""
    settings_of_napari().cache_gb = 20.0
    assert os.environ["NAPARI_TCGN_CACHE"] == "as given"
    assert "NAPARI_TCGN_CACHE_GB" not in os.environ


def test_a_closed_dock_no_longer_hears_of_preferences(open_dock, qtbot):
    viewer, dock = open_dock()
    state = dock.session.state
    viewer.window.remove_dock_widget(dock)
    settings_of_napari().device = "cpu"
    assert state.settings.device == "auto"


def test_folding_hides_the_controls_and_not_the_message(open_dock, kit):
    _, dock = open_dock()
    section = dock.export
    dock.tabs.setCurrentWidget(dock.explore_page)
    assert not section.export_button.isVisibleTo(dock), "folded at first"
    section.message.say("Wrote it.")
    assert section.message.isVisibleTo(dock)
    kit.click(section.heading)
    assert section.export_button.isVisibleTo(dock)


def test_every_control_has_a_tooltip(open_dock, kit, ready):
    _, dock = ready(kit.predictor())
    kit.run_to_end(dock)

    def own(widget: QWidget) -> bool:
        """Whether it is ours to explain: not the arrows and line edits inside of Qt's own controls."""
        parent = widget.parent()
        while parent is not None and parent is not dock:
            if isinstance(parent, (*CONTROLS, QTabBar)):  # whose arrows are there where tabs do not fit
                return False
            parent = parent.parent()
        return not widget.objectName().startswith("qt_")

    controls = [widget for widget in dock.findChildren(QWidget) if isinstance(widget, CONTROLS) and own(widget)]
    assert len(controls) > 25
    mute = [f"{type(widget).__name__} {getattr(widget, 'text', str)()}" for widget in controls if not widget.toolTip()]
    assert mute == []


def test_shortcuts_work_and_are_shown(ready, kit, qtbot):
    _viewer, dock = ready(kit.predictor())
    by_keys = {shortcut.key(): shortcut for shortcut in dock.shortcuts}
    press = {name: by_keys[QKeySequence(keys.chord)].activated.emit for name, keys in SHORTCUTS.items()}
    assert "Alt+Shift+R" in dock.run.run_button.toolTip()
    assert "Alt+Shift+X" in dock.run.cancel_button.toolTip()
    assert "Alt+Shift+F" in dock.genes.search.toolTip()
    assert "Alt+Shift+N" in dock.genes.table.toolTip()
    press["run"]()
    assert dock.session.state.running
    press["cancel"]()
    assert not dock.session.state.running
    kit.run_to_end(dock)
    assert dock.session.state.gene == "GREEN"
    press["next_gene"]()
    assert dock.session.state.gene == "BLUE"
    press["previous_gene"]()
    press["previous_gene"]()  # the first stays
    assert dock.session.state.gene == "GREEN"
    dock.genes.heading.setChecked(False)
    press["search"]()
    assert dock.genes.heading.isChecked()
    assert dock.genes.search.isVisibleTo(dock)


@pytest.mark.parametrize("docks", [1, 2])
def test_a_pressed_chord_reaches_a_dock(open_dock, qtbot, docks):
    from napari_tcgn.ui import make_dock

    viewer, dock = open_dock(show=True)
    both = [dock]
    if docks == 2:
        both.append(make_dock(viewer))
        viewer.window.add_dock_widget(both[1], name="another", area="left")
    window = dock.window()
    with qtbot.waitActive(window):
        window.activateWindow()
    qtbot.keyClick(window, Qt.Key.Key_F, Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: any(one.genes.search.hasFocus() for one in both), timeout=3000)


def test_shortcuts_are_on_keys_that_napari_leaves_free(open_dock):
    from napari.utils.shortcuts import default_shortcuts

    viewer, dock = open_dock()
    ours = {QKeySequence(keys.chord).toString() for keys in SHORTCUTS.values()}
    assert len(ours) == len(SHORTCUTS)
    named = {str(keys) for all_keys in default_shortcuts.values() for keys in all_keys}
    named |= {str(keys) for keys in viewer.keymap}
    assert len(named) > 50
    taken = {QKeySequence(text).toString() for text in named}
    window = dock.window()
    actions = [action for menu in window.menuBar().actions() if menu.menu() for action in _all_actions(menu.menu())]
    with_keys = {key.toString() for action in actions for key in action.shortcuts()}
    assert len(with_keys) > 10
    assert ours & (taken | with_keys) == set()


def _all_actions(menu):
    for action in menu.actions():
        if action.menu() is not None:
            yield from _all_actions(action.menu())
        else:
            yield action


def test_commands_of_the_menus(ready, kit, qtbot):
    from npe2 import PluginManager

    from napari_tcgn.ui import commands

    viewer, dock = ready(kit.predictor())
    manifest = PluginManager.instance().get_manifest("napari-tcgn")
    assert all(command.title[0].isupper() and " " in command.title for command in manifest.contributions.commands)
    commands.run_prediction(viewer)
    assert dock.session.state.running
    commands.run_prediction(viewer)  # says that one is going on
    commands.cancel_prediction(viewer)
    assert not dock.session.state.running
    choose(dock.model.device_box, "cpu")
    commands.reset_dock(viewer)
    assert dock.session.state.settings.device == "auto"
    viewer.window.remove_dock_widget(dock)
    commands.run_prediction(viewer)  # says that there is no dock


def test_the_menu_opens_the_dock_and_the_icon_is_there(make_napari_viewer, use_predictor, kit):
    from importlib.resources import files

    from npe2 import PluginManager

    use_predictor(kit.predictor())
    viewer = make_napari_viewer()
    manifest = PluginManager.instance().get_manifest("napari-tcgn")
    package, _, name = manifest.icon.partition(":")
    assert files(package).joinpath(name).read_text().lstrip().startswith("<svg")
    measure = {item.command for item in manifest.contributions.menus["napari/layers/measure"]}
    assert {"napari-tcgn.open_dock", "napari-tcgn.run", "napari-tcgn.cancel"} <= measure
    _, dock = viewer.window.add_plugin_dock_widget("napari-tcgn", "Spatial gene prediction")
    assert dock.session.viewer == viewer


def test_themes_are_followed_live(ready, kit, qtbot):
    """Labels and headings have the theme's text colour and are readable on its background, after a live switch too."""
    viewer, dock = ready(kit.predictor())
    seen = {}
    for theme in ("dark", "light"):
        viewer.theme = theme
        QApplication.processEvents()
        dock.ensurePolished()
        for widget in (dock.model.card, dock.slide.heading):
            widget.ensurePolished()
            text, ground = (
                widget.palette().color(role).lightness() for role in (widget.foregroundRole(), dock.backgroundRole())
            )
            assert abs(text - ground) > 100, (theme, type(widget).__name__, text, ground)
            seen[theme, type(widget).__name__] = text
    assert seen["dark", "QLabel"] > seen["light", "QLabel"]


def test_opening_the_dock_imports_nothing_heavy():
    code = (
        "import sys; import napari_tcgn.ui.dock, napari_tcgn.ui.commands;"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "anndata", "scanpy", "squidpy", "openslide", "timm", "sklearn", "spatialdata", "pyarrow"}
    assert set(done.stdout.split()) & heavy == set()


TOUCHES = """
import threading
import numpy as np

def test_touching_a_layer_off_the_main_thread(make_napari_viewer):
    viewer = make_napari_viewer()
    layer = viewer.add_points(np.zeros((2, 2)))
    thread = threading.Thread(target=lambda: setattr(layer, {attribute}))
    thread.start()
    thread.join()
"""


@pytest.mark.parametrize(("attribute", "fails"), [("'opacity', 0.5", True), ("'own', 0.5", False)])
def test_touching_a_layer_off_the_main_thread_fails_a_test(tmp_path, attribute, fails):
    (tmp_path / "conftest.py").write_text((Path(__file__).parent / "conftest.py").read_text())
    (tmp_path / "test_touch.py").write_text(TOUCHES.format(attribute=attribute))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path],
        capture_output=True, text=True, timeout=300, env=environment(),
    )  # fmt: skip
    assert ("touched off the main thread" in done.stdout) == fails, done.stdout
    assert (done.returncode != 0) == fails
