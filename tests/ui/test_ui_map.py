"""The section Map: how results are drawn, the veil over the slide, and the label of the map that is seen."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from napari.layers import Points
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFileDialog

from napari_tcgn.exports import section_figure
from napari_tcgn.spots import Spots
from napari_tcgn.ui.layers import canvas, result_layers, store
from napari_tcgn.ui.layers.colour_scale import colours_of
from napari_tcgn.ui.layers.composite import composite_of
from napari_tcgn.ui.layers.veil import is_veil

GENES = ("RED", "GREEN", "BLUE")
SIDE, DIAMETER = 6, 30.0  # spots, px
UNIT = "mean grey value"


@pytest.fixture
def shown(dock_in_viewer, use_predictor, kit, qtbot):
    """A dock with a predicted result of 36 spots on a slide; `add` adds another."""
    use_predictor(kit.predictor())
    viewer, dock = dock_in_viewer(show=True)
    image = viewer.add_image(kit.stained(), rgb=True, name="slide", scale=(2, 2), units=("um", "um"))
    dock.session.choose_image(image)
    col, row = (a.ravel() for a in np.meshgrid(np.arange(SIDE), np.arange(SIDE)))
    ids = np.array([f"{c}x{r}" for c, r in zip(col, row, strict=True)])
    spots = Spots(ids, 80.0 + 80 * col, 90.0 + 80 * row, row, col, 2 * DIAMETER, 160.0, "square")
    table = np.random.default_rng(2).gamma(2, 1, (len(spots), 3)).astype(np.float32)

    def add(kind, factor=1.0, done=None):
        done = np.ones(len(spots), dtype=bool) if done is None else done
        result = store.Result(factor * table, done, GENES, spots, 2.0, "slide", UNIT, kind=kind, card=None)
        layer = result_layers.add_result(viewer, image, result, "RED", "viridis")
        dock.session.state.result_layer = layer
        return layer

    predicted = add("predicted")
    made = SimpleNamespace(viewer=viewer, dock=dock, map=dock.map, look=dock.map.look, image=image, add=add,
                           state=dock.session.state, table=table.astype(float), predicted=predicted)  # fmt: skip
    qtbot.waitUntil(lambda: texts(made) != [])
    return made


def texts(made, place="top_left"):
    """Return the lines that the canvas shows in a corner."""
    overlays = made.viewer.canvas.overlays
    keys = [f"tcgn_{place}_{i}" for i in range(canvas.LINES)]
    return [overlays[key].text.strip() for key in keys if key in overlays and overlays[key].visible]


def bars(made):
    """Return the layers whose colour bar is shown, with its place."""
    points = [layer for layer in made.viewer.layers if isinstance(layer, Points)]
    return {layer.name: str(layer.face_colorbar.position) for layer in points if layer.face_colorbar.visible}


def veils(made):
    return [layer for layer in made.viewer.layers if is_veil(layer)]


def corners(image):
    """Return where the first and the last corner of an image lie in the world."""
    height, width = image.data.shape[:2]
    return [image.data_to_world((-0.5, -0.5)), image.data_to_world((height - 0.5, width - 0.5))]


def choose_style(qtbot, made, style):
    box = made.look.style_box
    steps = box.findText(style) - box.currentIndex()
    for _ in range(abs(steps)):
        qtbot.keyClick(box, Qt.Key.Key_Down if steps > 0 else Qt.Key.Key_Up)
    assert made.state.look.style == style


def typed(qtbot, box, value):
    box.selectAll()
    qtbot.keyClicks(box, f"{value}")
    qtbot.keyClick(box, Qt.Key.Key_Return)


def expected_colours(made, gene, factor=1.0):
    values = factor * made.table[:, GENES.index(gene)]
    low, high = np.percentile(values, (1, 99))
    return colours_of(values, (low, high), "viridis")


def test_rings_and_half_transparent_discs_of_all_results(shown, qtbot):
    choose_style(qtbot, shown, "rings")
    later = shown.add("measured", 2.0)
    qtbot.mouseClick(shown.dock.genes.pin_button, Qt.MouseButton.LeftButton)
    pinned = shown.viewer.layers[-1]
    for layer, factor in ((shown.predicted, 1.0), (later, 2.0), (pinned, 2.0)):
        assert (layer.face_color[:, 3] == 0).all(), layer.name
        np.testing.assert_allclose(layer.border_color, expected_colours(shown, "RED", factor), atol=0.01)
        # The outer edge of a ring, half of which napari draws outside of the size, is that of the spot.
        np.testing.assert_allclose(layer.size * (1 + layer.border_width), DIAMETER)
    shown.state.gene = "GREEN"
    qtbot.waitUntil(lambda: result_layers.shown_gene(later) == "GREEN")
    np.testing.assert_allclose(later.border_color, expected_colours(shown, "GREEN", 2.0), atol=0.01)
    assert (later.face_color[:, 3] == 0).all()
    choose_style(qtbot, shown, "half-transparent")
    half = expected_colours(shown, "GREEN", 2.0) * (1, 1, 1, 0.5)
    np.testing.assert_allclose(later.face_color, half, atol=0.01)
    assert (later.border_width == 0).all()
    choose_style(qtbot, shown, "discs")
    np.testing.assert_allclose(shown.predicted.face_color, expected_colours(shown, "RED"), atol=0.01)


def test_the_size_of_spots_is_kept_when_points_are_put_back(shown, qtbot, monkeypatch):
    monkeypatch.setattr("napari_tcgn.ui.layers.kept_points.show_warning", lambda text: None)
    choose_style(qtbot, shown, "rings")
    typed(qtbot, shown.look.size_box, 50)
    layer = shown.predicted
    np.testing.assert_allclose(layer.size * (1 + layer.border_width), DIAMETER / 2)
    layer.selected_data = {3, 4}
    layer.remove_selected()
    assert len(layer.data) == SIDE**2
    np.testing.assert_allclose(layer.size * (1 + layer.border_width), DIAMETER / 2)
    np.testing.assert_allclose(layer.border_color, expected_colours(shown, "RED"), atol=0.01)
    assert (layer.face_color[:, 3] == 0).all()


def test_every_result_has_its_surface_also_one_that_comes_later(shown, qtbot, kit):
    def surfaces():
        return {layer.name: layer for layer in shown.viewer.layers if layer.name.endswith("surface")}

    choose_style(qtbot, shown, "surface")
    shown.add("measured", 2.0)
    names = {f"slide · RED · {kind} · surface" for kind in ("predicted", "measured")}
    qtbot.waitUntil(lambda: set(surfaces()) == names, timeout=kit.TIMEOUT)
    shown.predicted.visible = False
    assert [name for name, layer in surfaces().items() if layer.visible] == ["slide · RED · measured · surface"]
    shown.predicted.visible = True
    shown.viewer.layers.remove(shown.predicted)
    assert set(surfaces()) == {"slide · RED · measured · surface"}
    choose_style(qtbot, shown, "rings")
    assert surfaces() == {}


def test_the_look_is_remembered_and_forgotten_with_reset(shown, qtbot, dock_file):
    choose_style(qtbot, shown, "half-transparent")
    typed(qtbot, shown.look.size_box, 80)
    qtbot.mouseClick(shown.look.label_box, Qt.MouseButton.LeftButton, pos=QPoint(8, shown.look.label_box.height() // 2))
    kept = json.loads(dock_file.read_text())["look"]
    assert (kept["style"], kept["size"], kept["label"]) == ("half-transparent", 80, False)
    shown.dock.reset()
    assert shown.look.style_box.currentText() == "discs"
    assert shown.look.size_box.value() == 100
    assert shown.look.label_box.isChecked()
    np.testing.assert_allclose(shown.predicted.size, DIAMETER)


def test_the_veil_lies_on_the_slide_below_results_and_follows_it(shown, qtbot):
    qtbot.waitUntil(lambda: len(veils(shown)) == 1)
    veil, layers = veils(shown)[0], shown.viewer.layers
    assert layers.index(veil) == layers.index(shown.image) + 1 < layers.index(shown.predicted)
    assert veil.opacity == 0.5
    assert shown.dock.session.image_layers() == [shown.image]
    assert layers.selection.active == shown.predicted, "adding it selects nothing"

    np.testing.assert_allclose(corners(veil), corners(shown.image))
    shown.image.scale, shown.image.translate, shown.image.rotate = (3, -3), (70, -20), 30
    np.testing.assert_allclose(corners(veil), corners(shown.image), atol=1e-6)
    shown.look.dim_slider.setFocus()
    qtbot.keyClick(shown.look.dim_slider, Qt.Key.Key_PageUp)
    assert shown.look.dim_label.text() == "dim slide 60 %"
    qtbot.waitUntil(lambda: veil.opacity == 0.6)
    shown.predicted.visible = False
    qtbot.waitUntil(lambda: not veil.visible)
    shown.predicted.visible = True
    qtbot.waitUntil(lambda: veil.visible)
    layers.remove(veil)  # in napari's list: it is not wanted
    qtbot.waitUntil(lambda: shown.look.dim_slider.value() == 0)
    qtbot.keyClick(shown.look.dim_slider, Qt.Key.Key_PageUp)
    qtbot.waitUntil(lambda: [one.opacity for one in veils(shown)] == [0.1])
    layers.remove(shown.image)
    qtbot.waitUntil(lambda: veils(shown) == [])


def test_the_label_is_that_of_the_map_that_is_seen(shown, qtbot):
    low, high = np.percentile(shown.table[:, 0], (1, 99))
    shown.viewer.window.resize(1300, 700)
    qtbot.waitUntil(lambda: texts(shown) == ["slide · RED · predicted", f"{low:.3g} to {high:.3g} {UNIT}"])
    assert list(bars(shown)) == ["slide · RED · predicted"]
    measured = shown.add("measured", 2.0)
    qtbot.waitUntil(lambda: texts(shown)[0] == "slide · RED · measured")
    assert texts(shown)[1] == f"{2 * low:.3g} to {2 * high:.3g} {UNIT}"
    shown.viewer.layers.selection.active = shown.predicted
    qtbot.waitUntil(lambda: texts(shown)[0] == "slide · RED · predicted")
    measured.visible = True
    qtbot.waitUntil(lambda: texts(shown)[0] == "slide · RED · measured")  # it lies on top
    measured.visible = False
    qtbot.waitUntil(lambda: texts(shown)[0] == "slide · RED · predicted")
    assert list(bars(shown)) == ["slide · RED · predicted"]
    shown.state.gene = "BLUE"
    qtbot.waitUntil(lambda: texts(shown)[0] == "slide · BLUE · predicted")
    typed(qtbot, shown.map.scale.high_box, 9)
    qtbot.waitUntil(lambda: f" to 9 {UNIT}" in texts(shown)[1])
    shown.viewer.layers.move(shown.viewer.layers.index(measured), 0)
    measured.visible = True
    qtbot.wait(50)
    assert texts(shown)[0] == "slide · BLUE · predicted", "the other lies below"
    store.result_of(shown.predicted).stopped = True
    shown.state.result_version += 1
    qtbot.waitUntil(lambda: texts(shown)[-1] == "Partial result: 36 spots")
    choose_style(qtbot, shown, "surface")
    qtbot.waitUntil(lambda: any(layer.name.endswith("surface") for layer in shown.viewer.layers))
    assert texts(shown)[0] == "slide · BLUE · predicted"
    assert list(bars(shown)) == [shown.predicted.name]


def test_the_label_is_drawn_on_the_canvas_until_it_is_unticked(shown, qtbot):
    def corner():
        return shown.viewer.screenshot(canvas_only=True, flash=False)[4:24, 10:150, :3].astype(int)

    with_label = corner()
    assert with_label.max() > 200, "a pale panel"
    assert with_label.min() < 60, "dark letters"
    box = shown.look.label_box
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
    qtbot.waitUntil(lambda: texts(shown) == [])
    assert bars(shown) == {}
    assert np.abs(corner() - with_label).max() > 100


def test_side_by_side_both_maps_are_labelled_and_dimmed(shown, qtbot):
    measured = shown.add("measured", 2.0)
    colours = shown.dock.session.colours
    colours.link([shown.predicted, measured])
    shown.dock.compare.comparing.side_by_side.open(shown.predicted, measured)
    qtbot.waitUntil(lambda: texts(shown, "top_right") != [])
    low, high = shown.predicted.face_contrast_limits
    assert tuple(measured.face_contrast_limits) == (low, high)
    said = f"{low:.3g} to {high:.3g}"
    assert " ".join(texts(shown)) == f"slide · RED · predicted {said} {UNIT}"
    assert " ".join(texts(shown, "top_right")) == f"RED · measured {said}"
    assert bars(shown) == {"slide · RED · predicted": "top_left", "slide · RED · measured": "top_right"}
    qtbot.waitUntil(lambda: len(veils(shown)) == 2)
    second = next(layer for layer in shown.viewer.layers if layer.name.endswith("beside"))
    assert any(np.allclose(corners(veil), corners(second)) for veil in veils(shown))
    shown.dock.compare.comparing.side_by_side.close()
    qtbot.waitUntil(lambda: texts(shown, "top_right") == [])
    qtbot.waitUntil(lambda: len(veils(shown)) == 1)


def test_three_genes_in_magenta_green_and_cyan(shown, qtbot):
    part = shown.map.composite
    part.heading.setChecked(True)
    for edit, gene in zip(part.gene_edits, GENES, strict=True):
        edit.clear()
        qtbot.keyClicks(edit, gene)
        qtbot.keyClick(edit, Qt.Key.Key_Return)
    low, high = np.percentile(shown.table, (1, 99), axis=0)
    assert [box.value() for box in part.low_boxes] == pytest.approx(low, abs=1e-3), "before there is a layer"
    assert [box.value() for box in part.high_boxes] == pytest.approx(high, abs=1e-3)
    qtbot.keyClick(part.palette_box, Qt.Key.Key_Down)
    assert part.gene_edits[0].placeholderText() == "gene in magenta"
    qtbot.mouseClick(part.add_button, Qt.MouseButton.LeftButton)
    layer = shown.viewer.layers[-1]
    assert layer.name == "slide · RED / GREEN / BLUE · magenta, green, cyan"
    first, second, third = np.clip((shown.table - low) / (high - low), 0, 1).T
    mixed = np.clip(np.stack([first, second + third, first + third], axis=1), 0, 1)
    np.testing.assert_allclose(layer.face_color[:, :3], mixed, atol=1e-5)
    qtbot.waitUntil(lambda: texts(shown)[0] == "slide · three genes")
    assert texts(shown)[3] == f"BLUE  {low[2]:.3g} to {high[2]:.3g}"
    assert bars(shown) == {}
    choose_style(qtbot, shown, "rings")
    np.testing.assert_allclose(layer.border_color[:, :3], mixed, atol=1e-5)
    qtbot.keyClick(part.palette_box, Qt.Key.Key_Up)
    assert composite_of(layer).palette == ("red", "green", "blue")
    assert layer.name.endswith("red, green, blue")
    assert "cividis" in [shown.map.scale.colormap_box.itemText(i) for i in range(3)]


def test_nothing_of_the_dock_stays_on_the_canvas_when_it_is_closed(shown, qtbot):
    qtbot.waitUntil(lambda: len(veils(shown)) == 1)
    shown.viewer.window.remove_dock_widget(shown.dock)
    assert texts(shown) == []
    assert bars(shown) == {}
    assert veils(shown) == []


def test_a_figure_is_exported_as_the_map_is_seen(shown, qtbot, kit, tmp_path, monkeypatch):
    drawn = []
    draw = section_figure.gene_figure
    monkeypatch.setattr(section_figure, "gene_figure", lambda *a, **k: (drawn.append(k["settings"]), draw(*a, **k)))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(tmp_path / f"{len(drawn)}.png"), ""))
    choose_style(qtbot, shown, "rings")
    typed(qtbot, shown.look.size_box, 70)
    qtbot.keyClick(shown.look.dim_slider, Qt.Key.Key_PageDown)
    shown.map.scale.colormap_box.setCurrentText("cividis")
    export = shown.dock.export
    shown.dock.open_section(export)
    export.format_box.setCurrentIndex(export.format_box.findText("figure (.png)"))

    def write():
        before = len(drawn)
        qtbot.mouseClick(export.export_button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: "Wrote" in export.message.text() and len(drawn) > before, timeout=kit.TIMEOUT)
        return drawn[-1]

    seen = write()
    assert (seen.style, seen.spot_size, seen.dim, seen.colormap) == ("rings", 70, 40, "cividis")
    assert seen.limits_of_figure() == pytest.approx(np.percentile(shown.table[:, 0], (1, 99)), rel=1e-5)
    export.genes_box.setCurrentIndex(export.genes_box.findData("all"))
    assert write().limits == "", "limits that follow the gene are those of each gene"
    typed(qtbot, shown.map.scale.high_box, 8)
    assert write().limits_of_figure()[1] == 8, "limits set by hand are those of all genes"


def test_a_veil_that_goes_with_everything_else_is_wanted_again(shown, qtbot, kit):
    layers = shown.viewer.layers
    qtbot.waitUntil(lambda: any("dimmed" in layer.name for layer in layers), timeout=kit.TIMEOUT)
    before = shown.look.dim_slider.value()
    assert before > 0
    layers.clear()
    qtbot.wait(100)
    assert shown.look.dim_slider.value() == before
