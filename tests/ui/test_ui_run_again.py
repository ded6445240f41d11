"""What a second run finds ready, and what is told of a run beside the dock: the activity dock, messages of a slide."""

from __future__ import annotations

from dataclasses import replace

import pytest
from napari.utils.progress import progress

SHA256 = "0" * 64


@pytest.fixture
def loads(monkeypatch, use_predictor, kit):
    """Which models are loaded, in order: one that says the SHA-256 of its weights."""
    chosen = kit.predictor()
    use_predictor(chosen)
    chosen.card = replace(chosen.card, sha256=SHA256)
    found = []
    monkeypatch.setattr("napari_tcgn.model.list_models", lambda: [chosen.card])
    monkeypatch.setattr("napari_tcgn.model.read_card", lambda source: chosen.card)
    monkeypatch.setattr(
        "napari_tcgn.model.load_model", lambda source, device, precision: found.append(device) or chosen
    )
    return found


def slide_in(viewer, kit, name):
    return viewer.add_image(kit.stained(), rgb=True, name=name, scale=(kit.MPP,) * 2, units=("um", "um"))


def test_a_model_stays_loaded_until_another_device_is_chosen(loads, dock_in_viewer, kit):
    viewer, dock = dock_in_viewer()
    slide_in(viewer, kit, "slide")
    kit.lay_spots(dock)
    kit.run_to_end(dock)
    first = dock.session.state.result_layer
    kit.run_to_end(dock)
    assert len(loads) == 1
    values = [layer.metadata["napari_tcgn"].values.tobytes() for layer in (first, dock.session.state.result_layer)]
    assert values[0] == values[1]
    for device in ("cpu", "auto"):
        dock.session.state.choose(device=device)
    kit.run_to_end(dock)
    assert len(loads) == 2
    dock.session.state.models = ()  # taken out of the list
    kit.run_to_end(dock)
    assert len(loads) == 3


def bars():
    return [(bar.desc.removesuffix(": "), bar.n, bar.total) for bar in progress._all_instances]


def test_a_run_is_seen_in_the_activity_dock(held, gate, qtbot, kit):
    _viewer, dock = held
    total = len(dock.session.state.spots)
    expected = [(f"{dock.session.state.slide.name}: predict", kit.SPOTS_PER_BATCH, total)]
    qtbot.waitUntil(lambda: bars() == expected, timeout=kit.TIMEOUT)
    kit.click(dock.run.cancel_button)
    assert bars() == []
    gate.set()
    kit.run_to_end(dock)
    assert bars() == []


def test_a_run_that_fails_or_loses_its_viewer_leaves_no_bar(ready, gate, qtbot, kit):
    viewer, dock = ready(kit.predictor(gate))
    kit.click(dock.run.run_button)
    qtbot.waitUntil(lambda: bars() != [], timeout=kit.TIMEOUT)
    viewer.window.remove_dock_widget(dock)
    assert bars() == []


def test_what_a_run_says_while_its_model_is_loaded(loads, dock_in_viewer, kit, gate, qtbot, monkeypatch):
    from napari_tcgn import model

    load = model.load_model

    def slowly(source, device, precision):
        gate.wait(30)
        return load(source, device, precision)

    monkeypatch.setattr("napari_tcgn.model.load_model", slowly)
    viewer, dock = dock_in_viewer()
    slide_in(viewer, kit, "slide")
    kit.lay_spots(dock)
    kit.click(dock.run.run_button)
    qtbot.waitUntil(lambda: dock.run.reason.text() == "loading the model …", timeout=kit.TIMEOUT)
    qtbot.waitUntil(lambda: bars() == [("slide: loading the model …", 0, 0)], timeout=kit.TIMEOUT)
    gate.set()
    qtbot.waitUntil(lambda: not dock.session.state.running, timeout=kit.TIMEOUT)


def test_messages_go_with_the_slide_they_speak_of(loads, dock_in_viewer, kit, monkeypatch):
    from qtpy.QtWidgets import QApplication

    viewer, dock = dock_in_viewer()
    first = slide_in(viewer, kit, "first")
    kit.lay_spots(dock)
    kit.run_to_end(dock)
    dock.spots.message.say("spots of the first")
    dock.compare.message.say("counts of the first")
    kit.click(dock.export.copy_button)
    dock.model.message.say("about models")
    assert dock.export.message.text()
    assert dock.run.message.text().startswith("Done")
    slide_in(viewer, kit, "second")
    for section in (dock.slide, dock.spots, dock.run, dock.compare, dock.export):
        assert section.message.text() == "", section
    assert dock.model.message.text() == "about models"
    dock.run.message.say("of the second")
    viewer.layers.selection.active = first
    assert dock.run.message.text() == ""
    QApplication.processEvents()
