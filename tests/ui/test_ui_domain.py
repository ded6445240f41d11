"""Before anything is predicted the dock says how many of some spots look unlike the model's training."""

from __future__ import annotations

from napari_tcgn.ui.state import ModelChoice


def test_the_drawn_sample_is_unlike_the_training_and_that_is_said_before_a_run(dock_in_viewer, kit, qtbot):
    _viewer, dock = dock_in_viewer(show=True)
    state, warnings = dock.session.state, dock.model.warnings
    qtbot.waitUntil(lambda: state.model is not None and dock.slide.sample_button.isVisible(), timeout=kit.TIMEOUT)
    assert state.model.card.name == "context-line-her2st"
    kit.click(dock.slide.sample_button)
    qtbot.waitUntil(lambda: "look unlike the patches" in warnings.text(), timeout=kit.TIMEOUT)
    assert "79 of 79 spots (100%)" in warnings.text()
    assert state.result_layer is None, "nothing was predicted"
    assert any("look unlike" in sentence for sentence in state.warnings), "the footer says so, too"

    with_domain = state.model
    other = ModelChoice("other", kit.card(name="other"))  # knows nothing of its training patches
    state.models = (*state.models, other)
    state.model = other
    qtbot.waitUntil(lambda: "look unlike" not in warnings.text(), timeout=kit.TIMEOUT)
    state.model = with_domain
    qtbot.waitUntil(lambda: "look unlike" in warnings.text(), timeout=kit.TIMEOUT)
