"""Numbers typed by hand: comma and point alike in every language, and a question where a slip is likely."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QLocale, Qt
from qtpy.QtWidgets import QApplication, QDoubleSpinBox, QMessageBox


@pytest.fixture(params=["de_DE", "en_US", "fr_FR", "C"])
def language(request):
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield request.param
    QLocale.setDefault(before)


def type_into(qtbot, box, text: str) -> None:
    box.setFocus()
    box.selectAll()
    qtbot.keyClicks(box, text)
    qtbot.keyClick(box, Qt.Key.Key_Return)


@pytest.mark.parametrize("text", ["0,25", "0.25", ".25", ",25"])
def test_comma_and_point_are_the_same(language, text, ready, kit, qtbot) -> None:
    _viewer, dock = ready(kit.predictor())
    type_into(qtbot, dock.slide.mpp_box, text)
    assert dock.session.state.mpp == 0.25
    assert dock.slide.mpp_box.text() == "0.2500"


def test_pasted_numbers_too(language, ready, kit, qtbot) -> None:
    _viewer, dock = ready(kit.predictor())
    box = dock.slide.mpp_box
    QApplication.clipboard().setText("0,688")
    box.setFocus()
    box.selectAll()
    box.lineEdit().paste()
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert dock.session.state.mpp == 0.688


def test_every_number_field_reads_both(language, ready, kit, qtbot) -> None:
    _viewer, dock = ready(kit.predictor())
    boxes = [box for box in dock.findChildren(QDoubleSpinBox) if box.decimals() > 0]
    assert len(boxes) > 10
    for box in boxes:
        low = max(box.minimum(), 0.0)
        value = round(low + 0.37 * min(box.maximum() - low, 10), box.decimals())
        shown = f"{value:.{box.decimals()}f}"
        for text in (shown, shown.replace(".", ",")):
            state, fixed, _ = box.lineEdit().validator().validate(text, len(text))
            assert state != box.lineEdit().validator().State.Invalid, (box.toolTip(), text)
            assert box.valueFromText(fixed) == pytest.approx(value), box.toolTip()


@pytest.mark.parametrize("text", ["25", "0,01"])
def test_a_value_that_no_scanner_has_is_asked_about(text, ready, kit, qtbot, monkeypatch) -> None:
    _viewer, dock = ready(kit.predictor())
    before = dock.session.state.mpp
    asked = []

    def answer(*arguments):
        asked.append(arguments[2])
        return QMessageBox.StandardButton.No if len(asked) == 1 else QMessageBox.StandardButton.Yes

    monkeypatch.setattr(QMessageBox, "question", answer)
    type_into(qtbot, dock.slide.mpp_box, text)
    assert dock.session.state.mpp == before
    assert dock.slide.mpp_box.value() == before
    assert "0.05 to 5" in asked[0]
    type_into(qtbot, dock.slide.mpp_box, text)
    assert dock.session.state.mpp == float(text.replace(",", "."))
