"""The section Why: a spot is clicked and explained, maps and graph lie on the slide, patches lead to their spots."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from napari.layers import Image, Vectors
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFileDialog

from napari_tcgn.expression import write_h5ad
from napari_tcgn.sample import sample_folder
from napari_tcgn.ui.layers import explanation_layers as drawn, result_layers, store
from napari_tcgn.ui.layers.canvas import _camera
from napari_tcgn.ui.layers.placement import to_world

TIMEOUT = 120_000


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Results of the sample section by a line and by the network; some spots are said to be unlike the training."""
    import napari_tcgn

    slide = napari_tcgn.open_slide(sample_folder() / "section.ome.tif")
    spots = napari_tcgn.read_st_spots(sample_folder() / "section_selection.tsv")
    found = {}
    for model, count in (("haematoxylin-her2st", len(spots)), ("tcgn-tiny-her2st", 2)):
        adata = napari_tcgn.predict(slide, spots.select(np.arange(len(spots)) < count), model)
        adata.obs["domain_p"] = np.where(np.arange(count) < 5, 0.01, 0.5).astype(np.float32)
        found[model] = tmp_path_factory.mktemp("explain") / "section.h5ad"
        write_h5ad(adata, found[model])
    slide.close()
    return found


@pytest.fixture
def open_dock(dock_in_viewer, saved, kit, qtbot, monkeypatch):
    """Return a function that shows a result on its slide, with the section unfolded."""

    def make(model: str, slide: bool = True) -> SimpleNamespace:
        viewer, dock = dock_in_viewer(show=True)
        state, section = dock.session.state, dock.explain
        if slide:
            chosen = str(sample_folder() / "section.ome.tif")
            monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (chosen, ""))
            kit.click(dock.slide.open_button)
            qtbot.waitUntil(lambda: state.slide is not None, timeout=TIMEOUT)
        viewer.open(str(saved[model]), plugin="napari-tcgn")
        qtbot.waitUntil(lambda: state.result_layer is not None, timeout=TIMEOUT)
        dock.tabs.setCurrentWidget(dock.explore_page)
        if not section.heading.isChecked():
            kit.click(section.heading)
        dock.open_section(section)
        return SimpleNamespace(viewer=viewer, dock=dock, state=state, section=section, layer=state.result_layer)

    return make


def press(made, qtbot, spot: int, drag: bool = False) -> None:
    """Press and release the mouse over a spot of the canvas, or drag the slide from there."""
    viewer = made.viewer
    canvas = viewer.window._qt_viewer.canvas.native
    away = to_world(made.layer, made.layer.data[spot]) - np.asarray(_camera(viewer).center[-2:])
    down, right = away * _camera(viewer).zoom
    place = QPoint(round(canvas.width() / 2 + right), round(canvas.height() / 2 + down))
    qtbot.mouseMove(canvas, place)
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=place)
    if drag:
        for step in range(1, 4):
            qtbot.mouseMove(canvas, place + QPoint(10 * step, 0))
            qtbot.wait(20)
        place = place + QPoint(30, 0)
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=place)
    qtbot.wait(50)


def maps(made) -> list[Image]:
    return [one for one in made.viewer.layers if drawn.is_explanation(one) and isinstance(one, Image)]


def test_a_clicked_spot_is_explained_where_it_lies(open_dock, kit, qtbot):
    made = open_dock("haematoxylin-her2st")
    section = made.section
    assert not section.explain_button.isEnabled(), "no spot is chosen"
    press(made, qtbot, 7, drag=True)
    assert section.spot == "", "the slide was dragged, nothing chosen"
    press(made, qtbot, 7)
    result, gene = store.result_of(made.layer), result_layers.shown_gene(made.layer)
    assert section.spot == str(result.spots.ids[7])
    assert f"{gene} at spot {section.spot}" in section.chosen.text()
    kit.click(section.explain_button)
    qtbot.waitUntil(lambda: not section.explaining.running, timeout=TIMEOUT)
    known = section.explanation
    assert known.gene == gene
    assert known.prediction == pytest.approx(float(result.values_of(gene)[7]), abs=1e-4)
    (shown,) = maps(made)
    np.testing.assert_array_equal(shown.data, known.map_of("occlusion").values)
    middle = np.asarray(shown.extent.world)[:, -2:].mean(axis=0)
    side = known.patch_um / known.mpp
    np.testing.assert_allclose(middle, to_world(made.layer, made.layer.data[7]), atol=0.02 * side)
    across = np.ptp(np.asarray(shown.extent.world)[:, -2:], axis=0)
    np.testing.assert_allclose(across, known.patch_um, rtol=1 / len(shown.data))
    assert shown.contrast_limits[0] == -shown.contrast_limits[1], "nothing lies in the middle of the colours"
    most = float(np.abs(shown.data).max())
    assert f"Red raises it, blue lowers it, by up to {most:.2g} log" in section.said.text()
    assert not section.about.heading.isChecked()
    kit.click(section.about.heading)
    assert section.about_text.isVisible()
    assert "the same patch with one window replaced" in section.about_text.text()
    assert section.graph_box.isHidden(), "a line draws no graph"
    assert made.viewer.layers.selection.active.name == made.layer.name


def test_earlier_maps_are_kept_if_wanted(open_dock, kit, qtbot):
    made = open_dock("haematoxylin-her2st")
    for number, kept in ((7, False), (8, False), (9, True)):
        press(made, qtbot, number)
        if made.section.keep_box.isChecked() != kept:
            kit.click(made.section.keep_box)
        kit.click(made.section.explain_button)
        qtbot.waitUntil(lambda: not made.section.explaining.running, timeout=TIMEOUT)
    ids = store.result_of(made.layer).spots.ids
    assert [name.split(" · ")[1] for name in (one.name for one in maps(made))] == [f"spot {ids[8]}", f"spot {ids[9]}"]


def test_two_genes_at_one_spot_are_compared(open_dock, kit, qtbot):
    made = open_dock("haematoxylin-her2st")
    section, genes = made.section, list(store.result_of(made.layer).genes)
    kit.click(section.keep_box)
    press(made, qtbot, 7)
    for gene in genes[:2]:
        made.state.gene = gene
        kit.click(section.explain_button)
        qtbot.waitUntil(lambda: not section.explaining.running, timeout=TIMEOUT)
        compared = f"The maps of {genes[0]} and {genes[1]} at spot {section.spot} correlate by "
        assert (compared in section.said.text()) == (gene == genes[1])
    assert "The model has one map only" in section.said.text()
    first, second = maps(made)
    assert abs(np.corrcoef(first.data.ravel(), second.data.ravel())[0, 1]) == pytest.approx(1, abs=1e-3)
    assert (first.visible, second.visible) == (False, True), "two at one place would mix"
    press(made, qtbot, 8)
    kit.click(section.explain_button)
    qtbot.waitUntil(lambda: not section.explaining.running, timeout=TIMEOUT)
    assert "correlate by" not in section.said.text(), "another spot"


def test_a_map_lies_on_the_slide_of_its_spot_whichever_result_is_shown(open_dock, kit, qtbot, saved):
    made = open_dock("tcgn-tiny-her2st")
    section = made.section
    press(made, qtbot, 1)
    kit.click(section.explain_button)
    qtbot.waitUntil(lambda: section.explanation is not None and section.map_box.count() >= 2, timeout=TIMEOUT)
    kit.click(section.cancel_button)
    made.viewer.open(str(saved["haematoxylin-her2st"]), plugin="napari-tcgn")
    qtbot.waitUntil(lambda: made.state.result_layer is not made.layer, timeout=TIMEOUT)
    made.state.result_layer.translate = np.asarray(made.state.result_layer.translate) + 5000
    before = section.map_box.currentText()
    section.map_box.setFocus()
    qtbot.keyClick(section.map_box, Qt.Key.Key_Down)
    assert section.map_box.currentText() != before
    (shown,) = [one for one in maps(made) if one.name.endswith(section.map_box.currentText())]
    middle = np.asarray(shown.extent.world)[:, -2:].mean(axis=0)
    np.testing.assert_allclose(middle, to_world(made.layer, made.layer.data[1]), atol=5)


def test_gradients_come_first_the_graph_is_drawn_and_cancel_stops(open_dock, kit, qtbot):
    made = open_dock("tcgn-tiny-her2st")
    section = made.section
    press(made, qtbot, 1)
    kit.click(section.explain_button)
    qtbot.waitUntil(lambda: section.explanation is not None and section.map_box.count() >= 2, timeout=TIMEOUT)
    kit.click(section.cancel_button)
    assert not section.explaining.running
    assert section.message.text() == "Stopped."
    assert "the network gives" in section.said.text()
    section.graph_box.setFocus()
    qtbot.keyClick(section.graph_box, Qt.Key.Key_Down)
    assert section.graph_box.currentText() == "graph of block 1"
    (graph,) = [one for one in made.viewer.layers if isinstance(one, Vectors)]
    network = section.explanation.graphs[0]
    edges = network.strongest(section.edge_slider.value())
    assert len(graph.data) == len(edges) == 60
    np.testing.assert_allclose(graph.properties["attention"], network.attention[edges].mean(axis=1))
    start = network.xy[network.edges[edges, 0]][:, ::-1]
    np.testing.assert_allclose(graph.data[:, 0], start, rtol=1e-6)
    patch = maps(made)[0]
    inside = np.asarray(graph.data_to_world(graph.data[:, 0].mean(axis=0)))[-2:]
    low, high = np.asarray(patch.extent.world)[:, -2:]
    assert (low < inside).all()
    assert (inside < high).all()
    section.edge_slider.setFocus()
    qtbot.keyClick(section.edge_slider, Qt.Key.Key_Right)
    (graph,) = [one for one in made.viewer.layers if isinstance(one, Vectors)]
    assert len(graph.data) == 61
    assert "not what is important" in section.said.text()
    section.map_box.setFocus()
    other = section.map_box.itemText(1 - section.map_box.currentIndex())
    qtbot.keyClick(section.map_box, Qt.Key.Key_Down if section.map_box.currentIndex() == 0 else Qt.Key.Key_Up)
    assert section.map_box.currentText() == other
    assert [one.visible for one in maps(made) if one.name.endswith(other)] == [True]
    assert sum(one.visible for one in maps(made)) == 1
    assert "not what is important" in section.said.text(), "the graph is still there"
    section.graph_box.setFocus()
    qtbot.keyClick(section.graph_box, Qt.Key.Key_Up)
    assert not [one for one in made.viewer.layers if isinstance(one, Vectors)]
    assert "not what is important" not in section.said.text()


def test_patches_of_both_ends_lead_to_their_spots_and_foreign_ones_are_left_out(open_dock, kit, qtbot):
    made = open_dock("haematoxylin-her2st")
    section = made.section
    kit.click(section.drivers_button)
    qtbot.waitUntil(lambda: not section.explaining.running, timeout=TIMEOUT)
    assert "5 patches are unlike the training and are left out" in section.drivers.said.text()
    table = section.drivers.table
    qtbot.waitUntil(lambda: not table.visibleRegion().isEmpty(), timeout=TIMEOUT)
    strengths = [abs(float(table.item(row, 1).text())) for row in range(table.rowCount())]
    assert len(strengths) >= 8
    assert strengths == sorted(strengths, reverse=True)
    bold = [table.item(row, 0).font().bold() for row in range(table.rowCount())]
    assert bold == [float(table.item(row, 2).text()) <= 0.05 for row in range(table.rowCount())]
    box = section.drivers.galleries["highest"]
    assert box.count() == 24
    assert not box.item(0).icon().isNull()
    result, gene = store.result_of(made.layer), result_layers.shown_gene(made.layer)
    values = [float(box.item(k).text()) for k in range(box.count())]
    assert values == sorted(values, reverse=True)
    named = [box.item(k).data(Qt.ItemDataRole.UserRole) for k in range(24)]
    assert not set(named) & set(map(str, result.spots.ids[:5]))
    made.dock.open_section(section, box)
    item = box.item(1)
    qtbot.mouseClick(box.viewport(), Qt.MouseButton.LeftButton, pos=box.visualItemRect(item).center())
    assert section.spot == item.data(Qt.ItemDataRole.UserRole)
    spot = list(map(str, result.spots.ids)).index(section.spot)
    np.testing.assert_allclose(_camera(made.viewer).center[-2:], to_world(made.layer, made.layer.data[spot]))
    assert result.values_of(gene)[spot] == pytest.approx(values[1], abs=0.006)


def test_the_map_over_the_section_follows_the_gene(open_dock, kit, qtbot):
    made = open_dock("tcgn-tiny-her2st")
    section, result = made.section, store.result_of(made.layer)
    kit.click(section.section_button)
    qtbot.waitUntil(lambda: not section.explaining.running, timeout=TIMEOUT)
    assert "an attribution, not expression at this resolution" in section.message.text()
    image = drawn.section_layer(made.viewer, result)
    (found,) = section._sections.values()
    gene = result_layers.shown_gene(made.layer)
    np.testing.assert_array_equal(image.data, found.stitched(gene).values)
    low, high = np.asarray(image.extent.world)[:, -2:]
    for spot in made.layer.data:
        place = to_world(made.layer, spot)
        assert (low < place).all()
        assert (place < high).all()
    np.testing.assert_allclose(high - low, (np.array(image.data.shape) - 1) * 154 / 7, rtol=1e-3)
    made.state.gene = "CD74" if gene != "CD74" else "GNAS"
    qtbot.waitUntil(lambda: result_layers.shown_gene(made.layer) == made.state.gene, timeout=TIMEOUT)
    image = drawn.section_layer(made.viewer, result)
    assert image.name == f"section · {made.state.gene} · attribution"
    np.testing.assert_array_equal(image.data, found.stitched(made.state.gene).values)


def test_what_was_found_is_shown_beside_its_gene_and_its_result_only(open_dock, kit, qtbot, saved):
    made = open_dock("haematoxylin-her2st")
    section, viewer = made.section, made.viewer
    gene = result_layers.shown_gene(made.layer)
    press(made, qtbot, 7)
    kit.click(section.explain_button)
    qtbot.waitUntil(lambda: not section.explaining.running, timeout=TIMEOUT)
    kit.click(section.drivers_button)
    qtbot.waitUntil(lambda: not section.explaining.running, timeout=TIMEOUT)
    (shown,) = maps(made)

    def seen() -> tuple[bool, bool, bool]:
        return section.said.isVisible(), section.drivers.isVisible(), shown.visible

    assert seen() == (True, True, True)
    made.state.gene = "CD74" if gene != "CD74" else "GNAS"
    qtbot.waitUntil(lambda: seen() == (False, False, False), timeout=TIMEOUT)
    made.state.gene = gene
    qtbot.waitUntil(lambda: seen() == (True, True, True), timeout=TIMEOUT)
    viewer.open(str(saved["tcgn-tiny-her2st"]), plugin="napari-tcgn")
    qtbot.waitUntil(lambda: made.state.result_layer is not made.layer, timeout=TIMEOUT)
    made.state.gene = gene
    qtbot.waitUntil(lambda: seen() == (False, False, False), timeout=TIMEOUT)
    viewer.layers.selection.active = made.layer  # in the layer list
    qtbot.waitUntil(lambda: seen() == (True, True, True), timeout=TIMEOUT)


def test_no_spot_is_drawn_below_a_map(open_dock, kit, qtbot):
    made = open_dock("haematoxylin-her2st")
    press(made, qtbot, 7)
    kit.click(made.section.explain_button)
    qtbot.waitUntil(lambda: not made.section.explaining.running, timeout=TIMEOUT)
    (shown,) = maps(made)
    result, known = store.result_of(made.layer), made.section.explanation
    reach = (known.patch_um / known.mpp + result.diameter_px) / 2
    below = (np.abs(result.spots.x - known.x) < reach) & (np.abs(result.spots.y - known.y) < reach)
    assert below[7]
    qtbot.waitUntil(lambda: made.layer.face_color[7, 3] == 0, timeout=TIMEOUT)
    np.testing.assert_array_equal(made.layer.face_color[:, 3] == 0, below)
    shown.visible = False
    qtbot.waitUntil(lambda: (made.layer.face_color[:, 3] == 1).all(), timeout=TIMEOUT)
    shown.visible = True
    qtbot.waitUntil(lambda: made.layer.face_color[7, 3] == 0, timeout=TIMEOUT)
    made.viewer.layers.remove(shown)
    qtbot.waitUntil(lambda: (made.layer.face_color[:, 3] == 1).all(), timeout=TIMEOUT)


def test_a_line_has_no_map_over_the_section(open_dock):
    assert not open_dock("haematoxylin-her2st").section.section_button.isEnabled()


def test_a_slide_that_is_not_open_is_named(open_dock, kit, qtbot):
    made = open_dock("haematoxylin-her2st", slide=False)
    press(made, qtbot, 7)
    kit.click(made.section.explain_button)
    qtbot.waitUntil(lambda: not made.section.explaining.running, timeout=TIMEOUT)
    assert made.section.message.text() == (
        "⚠ The slide of this result (section) is not open. Open it in the section Slide."
    )


def test_what_no_model_has_predicted_cannot_be_explained(dock_in_viewer):
    _viewer, dock = dock_in_viewer(show=True)
    assert dock.explain.chosen.text() == "Predict a slide first, or open a result."
    for button in (dock.explain.explain_button, dock.explain.drivers_button):
        assert not button.isEnabled()
