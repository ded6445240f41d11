"""From an empty napari to the sample's first map: four clicks of the X server's own mouse, and nothing to scroll."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QApplication, QMainWindow, QMenu, QWidget

from napari_tcgn.ui.dock import open_docks
from napari_tcgn.ui.layers import store

WIDTH, HEIGHT = 1280, 700
pytestmark = pytest.mark.skipif(shutil.which("xdotool") is None, reason="xdotool moves the mouse; it is not installed")


@pytest.fixture
def press():
    """Return a function that clicks at a place of a widget with the mouse of the X server; it counts the clicks."""
    clicks = []

    def click(widget: QWidget, where: QPoint) -> None:
        place = widget.mapToGlobal(where)
        clicks.append(place)
        command = ["xdotool", "mousemove", "--sync", str(place.x()), str(place.y()), "click", "1"]
        subprocess.run(command, check=True, timeout=30)

    click.clicks = clicks
    return click


def test_four_clicks(make_napari_viewer_proxy, use_predictor, kit, qtbot, press):
    use_predictor(kit.predictor())
    viewer = make_napari_viewer_proxy(show=True)
    window = next(one for one in QApplication.topLevelWidgets() if isinstance(one, QMainWindow) and one.isVisible())
    screen = window.screen().geometry()
    if screen.width() < WIDTH or screen.height() < HEIGHT:
        pytest.skip(f"needs a screen of {WIDTH} x {HEIGHT} px")
    viewer.window.resize(WIDTH, HEIGHT)
    window.move(0, 0)
    qtbot.waitExposed(window)
    qtbot.wait(300)

    bar = window.menuBar()
    plugins = next(action for action in bar.actions() if action.text().strip("&") == "Plugins")
    press(bar, bar.actionGeometry(plugins).center())
    menu: QMenu = plugins.menu()
    qtbot.waitUntil(menu.isVisible, timeout=5000)
    entry = next(action for action in menu.actions() if "Spatial gene prediction" in action.text())
    press(menu, menu.actionGeometry(entry).center())
    qtbot.waitUntil(lambda: bool(open_docks()), timeout=kit.TIMEOUT)
    (dock,) = open_docks()
    state = dock.session.state
    qtbot.waitUntil(lambda: state.model is not None and dock.slide.sample_button.isVisible(), timeout=kit.TIMEOUT)
    qtbot.wait(300)
    for button in (dock.slide.sample_button, dock.run.run_button):
        qtbot.waitUntil(button.isEnabled, timeout=kit.TIMEOUT)
        assert button.visibleRegion().contains(button.rect().center()), "in sight without scrolling"
        press(button, button.rect().center())
        qtbot.wait(300)
    qtbot.waitUntil(lambda: store.result_of(state.result_layer) is not None and not state.running, timeout=kit.TIMEOUT)
    assert len(press.clicks) == 4
    assert state.result_layer.visible
    assert store.result_of(state.result_layer).done.all()
    assert dock.tabs.currentWidget() is dock.explore_page
