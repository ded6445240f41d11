"""The dock's two tabs and its footer: what is in sight, at every font size, with mouse and keyboard."""

from __future__ import annotations

import pytest
from napari.settings import get_settings
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QSlider,
    QTabBar,
    QWidget,
)

from napari_tcgn.ui.io import result_reader
from napari_tcgn.ui.layers import store
from napari_tcgn.ui.widgets.focus_ring import COLOUR
from napari_tcgn.ui.widgets.pick_table import PickTable

LEFT = Qt.MouseButton.LeftButton
CONTROLS = (QAbstractButton, QAbstractItemView, QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit, QSlider)
SMALL = (1280, 700)


@pytest.fixture
def font_size():
    """Return a function that sets napari's font size, and set it back at the end."""
    appearance = get_settings().appearance
    before = appearance.font_size

    def change(size: int) -> None:
        appearance.font_size = size
        QApplication.processEvents()

    yield change
    appearance.font_size = before


def place(widget: QWidget, window: QWidget) -> tuple[int, int, int, int]:
    corner = widget.mapTo(window, widget.rect().topLeft())
    return corner.x(), corner.y(), corner.x() + widget.width(), corner.y() + widget.height()


def unfold_all(dock) -> None:
    for section in dock.sections:
        section.heading.setChecked(True)
    for part in (dock.slide.ways, dock.model.options, dock.map.composite, dock.map.link, dock.genes.gene_set):
        part.heading.setChecked(True)


def test_the_footer_says_what_is_missing_and_leads_there(dock_in_viewer, use_predictor, kit, qtbot):
    use_predictor(kit.predictor())
    viewer, dock = dock_in_viewer(show=True)
    state, reason = dock.session.state, dock.run.reason
    assert dock.run.slide_label.text() == "No slide"
    viewer.add_image(kit.stained(), rgb=True, name="C4")
    assert dock.run.slide_label.text() == "C4"
    assert "µm one pixel" in reason.text()
    dock.tabs.setCurrentWidget(dock.explore_page)
    dock.slide.heading.setChecked(False)
    window = dock.window()
    with qtbot.waitActive(window):
        window.activateWindow()
    qtbot.mouseClick(reason, LEFT)
    assert dock.tabs.currentWidget() is dock.predict_page
    assert dock.slide.mpp_box.isVisible()
    assert dock.slide.mpp_box.hasFocus()
    dock.slide.mpp_box.setValue(kit.MPP)
    assert "Lay spots" in reason.text()
    dock.tabs.setCurrentWidget(dock.explore_page)
    reason.setFocus()
    qtbot.keyClick(reason, Qt.Key.Key_Return)
    assert dock.tabs.currentWidget() is dock.predict_page
    assert dock.spots.lay_button.hasFocus()
    qtbot.mouseClick(dock.spots.lay_button, LEFT)
    qtbot.waitUntil(lambda: state.spots is not None, timeout=kit.TIMEOUT)
    assert dock.run.slide_label.text() == f"C4 · {len(state.spots)} spots"
    assert not reason.isVisible()


def test_run_stays_where_it_is_and_explore_opens_when_a_run_is_done(dock_with_spots, kit, qtbot):
    viewer, dock = dock_with_spots
    viewer.window.resize(*SMALL)
    QApplication.processEvents()
    window, button = dock.window(), dock.run.run_button
    before = place(button, window)
    places = set()

    def note(_step: object) -> None:
        places.add(place(button, window))

    dock.session.state.events.progress.connect(note)
    assert dock.tabs.currentWidget() is dock.predict_page
    kit.run_to_end(dock)
    dock.session.state.events.progress.disconnect(note)
    assert dock.tabs.currentWidget() is dock.explore_page
    QApplication.processEvents()
    # Less the px by which napari's own status bar grows while it shows an activity.
    for now in places | {place(button, window)}:
        assert max(abs(a - b) for a, b in zip(now, before, strict=True)) <= 1, now
    assert dock.run.message.text().startswith("Done")


def test_a_cancelled_run_stays_in_predict(held, gate):
    _, dock = held
    dock.run.cancel()
    gate.set()
    assert dock.tabs.currentWidget() is dock.predict_page


def test_explore_opens_with_a_result_that_is_opened(dock_with_spots, kit, tmp_path):
    from napari_tcgn.expression import write_h5ad

    viewer, dock = dock_with_spots
    kit.run_to_end(dock)
    path = tmp_path / "again.h5ad"
    write_h5ad(store.result_of(dock.session.state.result_layer).to_adata(), path)
    dock.tabs.setCurrentWidget(dock.predict_page)
    for data, kwargs, kind in result_reader.read_layers(str(path)):
        getattr(viewer, f"add_{kind}")(data, **kwargs)
    assert dock.tabs.currentWidget() is dock.explore_page


@pytest.mark.parametrize("size", [9, 12, 14, 16])
def test_nothing_is_cut_at_any_font_size(dock_with_spots, kit, qtbot, font_size, size):
    viewer, dock = dock_with_spots
    font_size(size)
    viewer.window.resize(*SMALL)
    kit.run_to_end(dock)
    unfold_all(dock)
    window = dock.window()
    assert dock.width() <= 400
    for page in (dock.predict_page, dock.explore_page):
        dock.tabs.setCurrentWidget(page)
        qtbot.waitUntil(lambda page=page: page.widget().width() <= page.viewport().width(), timeout=5000)
        right = page.viewport().width()
        shown = [w for w in page.widget().findChildren(QWidget) if w.isVisible() and isinstance(w, CONTROLS)]
        assert len(shown) > 10
        for control in shown:
            assert place(control, page.widget())[2] <= right, (control, control.toolTip())
            if isinstance(control, QAbstractButton) and control.text():
                assert control.width() >= control.minimumSizeHint().width(), control.text()
        for table in page.widget().findChildren(PickTable):
            if table.isVisible():
                name = table.fontMetrics().horizontalAdvance("HNRNPUL2")
                shown = [c for c in range(table.model().columnCount()) if not table.isColumnHidden(c)]
                assert table.columnWidth(0) >= name
                assert sum(table.columnWidth(column) for column in shown) <= table.viewport().width()
                assert len(shown) >= 3
        # The footer is in sight, whatever is scrolled.
        for button in (dock.run.run_button, dock.run.cancel_button):
            assert button.isVisible()
            assert place(button, window)[3] <= window.height()


def test_headings_and_tables_grow_with_the_font(dock_with_spots, font_size):
    _, dock = dock_with_spots
    seen = []
    for size in (9, 16):
        font_size(size)
        rows = dock.genes.table.verticalHeader()
        seen.append((dock.genes.heading.fontMetrics().height(), rows.defaultSectionSize()))
        assert rows.defaultSectionSize() >= dock.genes.table.fontMetrics().height()
    assert seen[1][0] > 1.5 * seen[0][0]
    assert seen[1][1] > 1.2 * seen[0][1]


def test_the_gene_table_takes_the_height_that_there_is(dock_with_spots, kit):
    viewer, dock = dock_with_spots
    kit.run_to_end(dock)
    table = dock.genes.table

    def rows() -> float:
        QApplication.processEvents()
        return table.viewport().height() / table.verticalHeader().defaultSectionSize()

    viewer.window.resize(*SMALL)
    few = rows()
    viewer.window.resize(2560, 1440)
    assert rows() >= 20
    assert few >= 5
    page = dock.explore_page
    assert page.widget().height() <= page.viewport().height(), "nothing to scroll"


def test_tab_reaches_every_control_and_the_ring_shows_where_it_is(dock_with_spots, kit, qtbot):
    _, dock = dock_with_spots
    kit.run_to_end(dock)
    unfold_all(dock)
    window = dock.window()
    with qtbot.waitActive(window):
        window.activateWindow()
    for page in (dock.predict_page, dock.explore_page):
        dock.tabs.setCurrentWidget(page)
        QApplication.processEvents()
        dock.tabs.tabBar().setFocus()
        reached = set()
        for _ in range(150):
            focused = QApplication.focusWidget()
            reached.add(focused)
            if dock.isAncestorOf(focused):
                ring = dock.focus_ring
                assert ring.around is focused
                assert ring.isVisible()
                assert ring.geometry().contains(focused.geometry().center())
            qtbot.keyClick(focused, Qt.Key.Key_Tab)
        wanted = [
            control
            for control in (*page.widget().findChildren(QWidget), *dock.run.findChildren(QWidget))
            if isinstance(control, (*CONTROLS, QTabBar)) and control.isVisible() and control.isEnabled()
            and control.focusPolicy() & Qt.FocusPolicy.TabFocus and control.focusProxy() is None
        ]  # fmt: skip
        assert len(wanted) > 15
        missed = [f"{type(one).__name__}: {one.toolTip()}" for one in wanted if one not in reached]
        assert missed == []


def test_every_control_says_its_name(dock_with_spots, kit):
    _, dock = dock_with_spots
    kit.run_to_end(dock)
    unnamed = []
    for control in dock.findChildren(QWidget):
        parent = control.parentWidget()
        inside = isinstance(parent, CONTROLS) or control.objectName().startswith("qt_") or isinstance(parent, QTabBar)
        if isinstance(control, (*CONTROLS, QTabBar)) and not inside and not parent.isWindow():
            text = control.text() if isinstance(control, QAbstractButton) else ""
            if not (text or control.accessibleName()):
                unnamed.append(f"{type(control).__name__}: {control.toolTip()}")
    assert unnamed == [], unnamed


def test_the_focus_ring_stands_out_in_both_themes():
    """3 to 1, as WCAG 2.2 wants it of what shows the focus (1.4.11)."""
    from napari.utils.theme import get_theme

    def luminance(rgb: tuple[int, ...]) -> float:
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in rgb)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    ring = luminance(COLOUR.getRgb()[:3])
    for theme in ("dark", "light"):
        ground = luminance(get_theme(theme).background.as_rgb_tuple()[:3])
        assert (max(ring, ground) + 0.05) / (min(ring, ground) + 0.05) >= 3, theme
