"""The wheel over every control of the dock: it scrolls, and changes only what was clicked first."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QScrollBar,
    QWidget,
)

LEFT = Qt.MouseButton.LeftButton
CONTROLS = (QAbstractSpinBox, QComboBox, QAbstractSlider)


def roll(widget: QWidget, notches: int = -1) -> None:
    """Turn the wheel over the middle of a widget: what lies there gets it, then what is around, until one takes it.

    Qt does the same with the events of the window system, but not with those that are sent.
    """
    middle = widget.rect().center()
    target = widget.childAt(middle) or widget
    where = widget.mapToGlobal(middle)
    while target is not None:
        event = QWheelEvent(
            QPointF(target.mapFromGlobal(where)), QPointF(where), QPoint(), QPoint(0, 120 * notches),
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        event.accept()
        QApplication.sendEvent(target, event)
        if event.isAccepted() or target.isWindow():
            break
        target = target.parentWidget()
    QApplication.processEvents()


def said(widget: QWidget) -> object:
    if isinstance(widget, QComboBox):
        return widget.currentIndex()
    if isinstance(widget, QAbstractSlider):
        return widget.value()
    return widget.text()


def controls_of(dock: QWidget) -> list[QWidget]:
    return [
        widget
        for widget in dock.findChildren(QWidget)
        if isinstance(widget, CONTROLS) and not isinstance(widget, QScrollBar) and not widget.parentWidget().isWindow()
    ]


@pytest.fixture
def after_a_run(dock_with_spots, kit, qtbot):
    """A dock whose controls are all in use: a slide, spots, and a result."""
    _viewer, dock = dock_with_spots
    kit.run_to_end(dock)
    qtbot.waitUntil(lambda: not dock.session.state.busy, timeout=kit.TIMEOUT)
    return dock


def test_the_wheel_changes_no_control_that_was_not_clicked(after_a_run):
    dock = after_a_run
    controls = controls_of(dock)
    assert len(controls) > 25
    for widget in controls:
        before = [said(one) for one in controls]
        roll(widget)
        roll(widget, 1)
        roll(widget, 1)
        assert [said(one) for one in controls] == before, widget.toolTip()
        # Nor does a focus that came by itself arm it.
        widget.setFocus(Qt.FocusReason.OtherFocusReason)
        roll(widget)
        assert [said(one) for one in controls] == before, widget.toolTip()


def test_over_a_control_and_over_a_table_it_scrolls_the_dock(after_a_run):
    dock = after_a_run
    for page, controls in (
        (dock.predict_page, (dock.slide.mpp_box, dock.spots.source_box)),
        (dock.explore_page, (dock.genes.table, dock.map.scale.colormap_box)),
    ):
        dock.tabs.setCurrentWidget(page)
        page.setFixedHeight(300)  # so that there is something to scroll
        bar = page.verticalScrollBar()
        QApplication.processEvents()
        assert bar.maximum() > 50
        for widget in controls:
            bar.setValue(0)
            roll(widget)
            assert bar.value() > 0, widget


def test_over_the_tabs_it_does_nothing(after_a_run, qtbot):
    dock = after_a_run
    tabs = dock.tabs.tabBar()
    for page in (dock.explore_page, dock.predict_page):
        index = dock.tabs.indexOf(page)
        qtbot.mouseClick(tabs, LEFT, pos=tabs.tabRect(index).center())
        assert dock.tabs.currentWidget() is page
        for notches in (1, -1):
            roll(tabs, notches)
            assert dock.tabs.currentWidget() is page


def test_what_was_clicked_follows_the_wheel(after_a_run, qtbot):
    dock = after_a_run
    box = dock.spots.pitch_box
    dock.open_section(dock.spots, box)
    qtbot.mouseClick(box.lineEdit(), LEFT)
    before = box.value()
    roll(box)
    assert box.value() < before
    # And no longer once another one was clicked.
    qtbot.mouseClick(dock.spots.diameter_box.lineEdit(), LEFT)
    before = box.value()
    roll(box)
    assert box.value() == before


def test_a_list_that_is_folded_out_is_scrolled(after_a_run, qtbot):
    dock = after_a_run
    box = dock.spots.source_box
    box.setMaxVisibleItems(2)
    box.setStyleSheet("combobox-popup: 0;")  # a list of limited height
    box.showPopup()
    bar = box.view().verticalScrollBar()
    qtbot.waitUntil(lambda: box.view().isVisible() and bar.maximum() > 0)
    roll(box.view().viewport())
    assert bar.value() > 0
    box.hidePopup()
