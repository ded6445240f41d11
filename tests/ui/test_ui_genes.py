"""The section Genes: scale, linked limits, layers of their own, RGB, gene sets, surface, hover."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFileDialog

from napari_tcgn.spots import Spots, neighbour_weights
from napari_tcgn.stats.gene_sets import SCORE_UNIT
from napari_tcgn.stats.moran import morans_i
from napari_tcgn.ui.layers import result_layers, store
from napari_tcgn.ui.layers.composite import composite_of
from napari_tcgn.ui.layers.surface_layer import surface_placement
from napari_tcgn.ui.widgets.gene_model import MORAN, PCC, SD

GENES = ("RED", "GREEN", "BLUE", "FLAT")
SIDE = 8
SCALE = "mean grey value"


def click(qtbot, button):
    assert button.isEnabled(), button.toolTip()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def tick(qtbot, box):
    """Click the square of a check box: a wide one is not sensitive in its middle."""
    assert box.isEnabled(), box.toolTip()
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))


def typed(qtbot, box, value):
    """Type a number into a box as a person does."""
    box.selectAll()
    qtbot.keyClicks(box, f"{value}")
    qtbot.keyClick(box, Qt.Key.Key_Return)


def press(qtbot, dock, gene):
    """Search a gene with the keyboard and wait until it is shown: colours follow a moment later on a slow machine."""
    dock.genes.search.setText(gene)
    qtbot.keyClick(dock.genes.search, Qt.Key.Key_Return)
    state = dock.session.state
    if store.result_of(state.result_layer) is not None and store.result_of(state.result_layer).has(state.gene):
        qtbot.waitUntil(lambda: result_layers.shown_gene(state.result_layer) == state.gene)


@pytest.fixture
def made(dock_in_viewer, use_predictor, kit, qtbot, request):
    """A dock with a predicted and a measured result of 64 spots on a rotated, shifted, flipped slide."""
    use_predictor(kit.predictor())
    viewer, dock = dock_in_viewer(show=getattr(request, "param", False))
    image = viewer.add_image(
        kit.stained(), rgb=True, name="slide", scale=(2, -2), units=("um", "um"), rotate=20, translate=(50, 70)
    )
    dock.session.choose_image(image)
    col, row = (a.ravel() for a in np.meshgrid(np.arange(SIDE), np.arange(SIDE)))
    ids = np.array([f"{c}x{r}" for c, r in zip(col, row, strict=True)])
    spots = Spots(ids, 60.0 + 50 * col, 80.0 + 50 * row, row, col, 60.0, 100.0, "square")
    rng = np.random.default_rng(1)
    table = rng.gamma(2, 1, (len(spots), 4)).astype(np.float32)
    table[:, 0] = col  # a slope
    table[:, 3] = 0.7
    card = kit.card(genes=list(GENES))

    def result(kind, values, card=None):
        done = np.isfinite(values).any(axis=1)
        return store.Result(values, done, GENES, spots, 2.0, "slide", SCALE, kind=kind, card=card)

    predicted = result_layers.add_result(viewer, image, result("predicted", table, card), "RED", "viridis")
    dock.session.state.result_layer = predicted
    holed = 3 * table + 1
    holed[5] = np.nan

    def measured():
        """Add the measured result; the predicted one stays selected."""
        layer = result_layers.add_result(viewer, image, result("measured", holed), "GREEN", "magma")
        viewer.layers.selection.active = predicted
        return layer

    return SimpleNamespace(
        viewer=viewer, dock=dock, genes=dock.genes, map=dock.map, state=dock.session.state, image=image, spots=spots,
        table=table, predicted=predicted, measured=measured,
    )  # fmt: skip


def test_variability_and_moran_fill_in_and_sort(made, qtbot, kit):
    table = made.genes.table
    qtbot.keyClick(made.genes.trusted.box, Qt.Key.Key_Space)  # FLAT was never measured
    assert made.genes.search.isEnabled()
    qtbot.waitUntil(lambda: table.genes.index(0, MORAN).data() != "–", timeout=kit.TIMEOUT)
    expected = morans_i(made.table, neighbour_weights(made.spots.x, made.spots.y))
    place = {gene: i for i, gene in enumerate(GENES)}
    for row, gene in enumerate(table.visible_genes()):
        moran, sd = table.genes.index(row, MORAN).data(), table.genes.index(row, SD).data()
        assert moran == ("–" if gene == "FLAT" else f"{expected[place[gene]]:.2f}")
        assert float(sd) == pytest.approx(made.table[:, place[gene]].std(), rel=0.1, abs=1e-6)
    header = table.horizontalHeader()
    for column, first, last in ((MORAN, "RED", "FLAT"), (SD, "RED", "FLAT"), (PCC, "GREEN", "FLAT")):
        where = header.sectionViewportPosition(column) + 5
        qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(where, 5))
        if table.visible_genes()[0] != first:  # the first click sorts upwards
            qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(where, 5))
        assert (table.visible_genes()[0], table.visible_genes()[-1]) == (first, last)


def test_a_measured_result_has_no_trust_columns_and_its_own_scale(made, qtbot):
    genes, measured = made.genes, made.measured()
    made.map.scale.colormap_box.setCurrentText("plasma")
    typed(qtbot, made.map.scale.high_box, 5)
    assert tuple(made.predicted.face_contrast_limits) == (pytest.approx(0), 5)
    made.viewer.layers.selection.active = made.predicted
    made.viewer.layers.selection.active = measured
    assert made.state.result_layer is measured or made.state.result_layer == measured
    assert genes.table.isColumnHidden(PCC)
    assert genes.table.visible_genes() == ["BLUE", "FLAT", "GREEN", "RED"]
    assert made.state.gene == "GREEN"
    assert made.map.scale.colormap_box.currentText() == "magma"
    assert made.map.scale.auto_box.isChecked()
    assert measured.face_color[5, 3] == 0, "NaN is transparent"
    assert (np.delete(measured.face_color[:, 3], 5) == 1).all()
    made.viewer.layers.selection.active = made.predicted
    assert not genes.table.isColumnHidden(PCC)
    assert made.map.scale.colormap_box.currentText() == "plasma"
    assert made.map.scale.high_box.value() == 5
    assert not made.map.scale.auto_box.isChecked()
    assert made.map.scale.bar.colormap == "plasma"


def test_clip_centre_and_crossed_limits(made, qtbot):
    layer = made.predicted
    press(qtbot, made.dock, "green")
    values = made.table[:, 1].astype(float)
    np.testing.assert_allclose(layer.face_contrast_limits, np.percentile(values, (1, 99)), rtol=1e-5)
    typed(qtbot, made.map.scale.percent_box, 10)
    np.testing.assert_allclose(layer.face_contrast_limits, np.percentile(values, (10, 90)), rtol=1e-5)
    lowest = layer.face_color[values <= np.percentile(values, 10)]
    assert len(np.unique(lowest, axis=0)) == 1, "clipped values share the first colour"
    made.map.scale.centre_box.setCurrentIndex(2)
    low, high = layer.face_contrast_limits
    assert (low + high) / 2 == pytest.approx(np.median(values), rel=1e-5)
    typed(qtbot, made.map.scale.high_box, high + 1)
    assert layer.face_contrast_limits[0] == pytest.approx(low - 1, abs=1e-3), "the other limit moves along"
    made.map.scale.centre_box.setCurrentIndex(0)
    assert made.map.scale.auto_box.isChecked()
    before = layer.face_color.copy()
    typed(qtbot, made.map.scale.low_box, 99)
    assert "must lie below" in made.map.scale.message.text()
    np.testing.assert_array_equal(layer.face_color, before)
    tick(qtbot, made.map.scale.auto_box)
    tick(qtbot, made.map.scale.auto_box)
    assert made.map.scale.message.text() == ""
    press(qtbot, made.dock, "flat")  # constant
    assert len(np.unique(layer.face_color, axis=0)) == 1
    assert layer.face_color[0, 3] == 1


def test_linked_layers_share_limits_and_the_gene(made, qtbot):
    link = made.map.link
    assert "two results" in link.message.text()
    measured = made.measured()
    made.state.result_layer = made.predicted
    link.heading.setChecked(True)
    qtbot.waitUntil(lambda: link.list.count() == 2)
    assert [link.list.item(i).text() for i in range(2)] == ["slide · GREEN · measured", "slide · RED · predicted"]
    for i in range(2):
        link.list.item(i).setCheckState(Qt.CheckState.Checked)
    assert tuple(measured.face_contrast_limits) == tuple(made.predicted.face_contrast_limits)
    assert measured.face_colormap.name == "magma"
    press(qtbot, made.dock, "blue")
    assert (measured.name, made.predicted.name) == ("slide · BLUE · measured", "slide · BLUE · predicted")
    both = np.concatenate([made.table[:, 2], np.delete(3 * made.table[:, 2] + 1, 5)]).astype(float)
    np.testing.assert_allclose(measured.face_contrast_limits, np.percentile(both, (1, 99)), rtol=1e-5)
    np.testing.assert_allclose(made.predicted.face_contrast_limits, measured.face_contrast_limits)
    typed(qtbot, made.map.scale.high_box, 4)
    assert measured.face_contrast_limits[1] == 4
    tick(qtbot, link.gene_box)
    press(qtbot, made.dock, "red")
    assert (measured.name, made.predicted.name) == ("slide · BLUE · measured", "slide · RED · predicted")
    link.list.item(0).setCheckState(Qt.CheckState.Unchecked)
    typed(qtbot, made.map.scale.high_box, 3)
    assert (measured.face_contrast_limits[1], made.predicted.face_contrast_limits[1]) == (4, 3)
    made.viewer.layers.remove(measured)
    assert "two results" in link.message.text()


def test_a_gene_as_a_layer_of_its_own_stays_with_it(made, qtbot):
    click(qtbot, made.genes.pin_button)
    pinned = made.viewer.layers[-1]
    assert pinned.name.startswith("slide · RED · predicted")
    assert made.state.result_layer == made.predicted, "browsing goes on where it was"
    press(qtbot, made.dock, "green")
    assert made.predicted.name == "slide · GREEN · predicted"
    assert result_layers.shown_gene(pinned) == "RED"
    # its scale can be changed; another gene is shown in the browsing layer
    made.viewer.layers.selection.active = pinned
    assert "stays with its gene" in made.genes.shown.text()
    made.map.scale.colormap_box.setCurrentText("gray")
    assert made.predicted.face_colormap.name == "viridis"
    press(qtbot, made.dock, "blue")
    assert result_layers.shown_gene(pinned) == "RED"
    assert made.predicted.name == "slide · BLUE · predicted"
    assert made.state.result_layer == made.predicted
    # without one, a new browsing layer is added
    made.viewer.layers.remove(made.predicted)
    assert made.state.result_layer == pinned
    press(qtbot, made.dock, "green")
    assert made.state.result_layer != pinned
    assert result_layers.shown_gene(made.state.result_layer) == "GREEN"
    assert result_layers.shown_gene(pinned) == "RED"


def test_three_genes_as_red_green_blue(made, qtbot):
    part = made.map.composite
    part.heading.setChecked(True)
    assert part.gene_edits[0].text() == "RED"
    for edit, gene in zip(part.gene_edits, ("red", "GREEN", "GREEN"), strict=True):
        edit.setText(gene)
    click(qtbot, part.add_button)
    assert "GREEN is chosen twice" in part.message.text()
    part.gene_edits[2].setText("BLEU")
    click(qtbot, part.add_button)
    assert "No gene of this panel (4 genes) is called 'BLEU'. Near: BLUE." in part.message.text()
    part.gene_edits[2].setText("")
    click(qtbot, part.add_button)
    assert part.message.text() == "Choose a gene for blue."
    part.gene_edits[2].setText("BLUE")
    click(qtbot, part.add_button)
    layer = made.viewer.layers[-1]
    assert layer.name == "slide · RED / GREEN / BLUE · red, green, blue"
    assert made.state.result_layer == made.predicted
    low, high = np.percentile(made.table[:, :3].astype(float), (1, 99), axis=0)
    expected = np.clip((made.table[:, :3] - low) / (high - low), 0, 1)
    np.testing.assert_allclose(layer.face_color[:, :3], expected, atol=1e-5)
    # limits by hand change the layer that was added; crossed ones do not
    typed(qtbot, part.high_boxes[0], 14)
    np.testing.assert_allclose(
        layer.face_color[:, 0], np.clip((made.table[:, 0] - low[0]) / (14 - low[0]), 0, 1), atol=1e-3
    )
    typed(qtbot, part.low_boxes[0], 20)
    assert "RED: the lower limit (20)" in part.message.text()
    assert composite_of(layer).limits[0][1] == 14
    tick(qtbot, part.auto_box)
    assert composite_of(layer).limits is None
    # it outlives the layer of the result, and the section forgets it when it goes
    made.viewer.layers.remove(made.predicted)
    part.gene_edits[2].setText("FLAT")
    qtbot.keyClick(part.gene_edits[2], Qt.Key.Key_Return)
    assert layer.name.startswith("slide · RED / GREEN / FLAT")
    made.viewer.layers.remove(layer)
    assert not part.add_button.isEnabled()
    assert not part.gene_edits[0].isEnabled()


def test_a_composite_and_a_score_follow_a_result_that_is_filled_in(made, qtbot, kit):
    result = store.result_of(made.predicted)
    result.done[:] = False
    result.done[:20] = True
    made.dock.session.colours.refresh()
    assert (made.predicted.face_color[20:, 3] == 0).all()
    part = made.map.composite
    for edit, gene in zip(part.gene_edits, GENES, strict=False):
        edit.setText(gene)
    click(qtbot, part.add_button)
    mixed = made.viewer.layers[-1]
    made.genes.gene_set.names_edit.setPlainText("RED GREEN")
    click(qtbot, made.genes.gene_set.score_button)
    qtbot.waitUntil(
        lambda: (
            made.state.result_layer.name.endswith("score (partial)") or made.state.result_layer.name.endswith("score")
        ),
        timeout=kit.TIMEOUT,
    )
    score = made.state.result_layer
    assert int((mixed.face_color[:, 3] > 0).sum()) == 20
    result.done[:50] = True
    made.state.result_version += 1
    assert int((mixed.face_color[:, 3] > 0).sum()) == 50
    assert int((made.predicted.face_color[:, 3] > 0).sum()) == 50
    assert made.predicted.name == "slide · RED · predicted (partial)"
    qtbot.waitUntil(lambda: int((score.face_color[:, 3] > 0).sum()) == 50, timeout=kit.TIMEOUT)


def test_gene_sets_pasted_and_from_a_file(made, qtbot, kit, tmp_path, monkeypatch):
    part = made.genes.gene_set
    part.heading.setChecked(True)
    click(qtbot, part.score_button)
    assert "Paste the names" in part.message.text()
    part.names_edit.setPlainText("nope, nada")
    click(qtbot, part.score_button)
    qtbot.waitUntil(lambda: "None of the 2 genes" in part.message.text(), timeout=kit.TIMEOUT)
    part.names_edit.setPlainText("RED, GREEN; NOPE FLAT")
    part.name_edit.setText("COLOURS")
    click(qtbot, part.score_button)
    qtbot.waitUntil(lambda: "COLOURS: 2 of 4" in part.message.text(), timeout=kit.TIMEOUT)
    assert "not in this panel: NOPE; the same at every spot: FLAT." in part.message.text()
    layer = made.state.result_layer
    assert layer.name == "slide · COLOURS · score"
    assert made.map.scale.bar.unit == SCORE_UNIT
    z = (made.table[:, :2] - made.table[:, :2].mean(axis=0)) / made.table[:, :2].std(axis=0)
    np.testing.assert_allclose(layer.features["value"], z.mean(axis=1), rtol=1e-3, atol=1e-4)

    path = tmp_path / "sets.gmt"
    path.write_text("WARM\t\tRED\tGREEN\nCOLD\t\tBLUE\nNONE\t\tX1\n")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(path), ""))
    click(qtbot, part.file_button)
    assert [part.set_box.itemText(i) for i in range(4)] == ["all 3 sets", "WARM (2)", "COLD (1)", "NONE (1)"]
    click(qtbot, part.score_button)  # of the score's own source
    qtbot.waitUntil(lambda: "2 of 3 sets scored" in part.message.text(), timeout=kit.TIMEOUT)
    assert "Not scored: NONE" in part.message.text()
    assert made.state.result_layer.name == "slide · WARM · score"
    assert sorted(made.genes.table.visible_genes()) == ["COLD", "WARM"]
    press(qtbot, made.dock, "cold")
    assert made.state.result_layer.name == "slide · COLD · score"
    part.set_box.setCurrentIndex(2)
    assert (part.name_edit.text(), part.names_edit.toPlainText()) == ("COLD", "BLUE")

    path.write_text("just text\n")
    click(qtbot, part.file_button)
    assert "Line 1 of sets.gmt is not a gene set" in part.message.text()


def choose_style(qtbot, look, style):
    """Choose how spots are drawn with the keyboard."""
    steps = look.style_box.findText(style) - look.style_box.currentIndex()
    for _ in range(abs(steps)):
        qtbot.keyClick(look.style_box, Qt.Key.Key_Down if steps > 0 else Qt.Key.Key_Up)
    assert look.style_box.currentText() == style


def surface_in(viewer):
    """Return the surface that a viewer shows, None if it shows none."""
    return next((layer for layer in viewer.layers if layer.name.endswith("surface")), None)


def test_the_surface_lies_on_the_spots_and_follows_them(made, qtbot, kit):
    look, layer = made.map.look, made.predicted
    choose_style(qtbot, look, "surface")
    qtbot.waitUntil(lambda: surface_in(made.viewer) is not None, timeout=kit.TIMEOUT)
    image = surface_in(made.viewer)
    assert image.name == "slide · RED · predicted · surface"
    assert made.viewer.layers.index(image) == made.viewer.layers.index(layer) - 1
    # the slope of RED is found under every spot, through rotation, flip and shift
    for spot in (9, 27, 54):
        y, x = image.world_to_data(layer.data_to_world(layer.data[spot]))
        assert image.data[round(y), round(x)] == pytest.approx(made.table[spot, 0], abs=0.3)
    assert np.isnan(image.data[0, 0])
    assert tuple(image.contrast_limits) == pytest.approx(tuple(layer.face_contrast_limits))
    assert (layer.face_color[:, 3] == 0).all(), "the surface instead of spots"
    press(qtbot, made.dock, "green")
    qtbot.waitUntil(lambda: image.name == "slide · GREEN · predicted · surface", timeout=kit.TIMEOUT)
    image.name = "mine"
    made.map.scale.colormap_box.setCurrentText("magma")
    assert image.colormap.name == "magma"
    spread = np.nanstd(image.data)
    typed(qtbot, look.bandwidth_box, 2)
    qtbot.waitUntil(lambda: np.nanstd(image.data) < 0.7 * spread, timeout=kit.TIMEOUT)
    assert image.name == "mine", "the user's name stays"
    layer.visible = False
    assert not image.visible, "hidden with the layer that it shows"
    layer.visible = True
    assert image.visible
    made.viewer.layers.remove(image)  # in napari's list
    assert look.style_box.currentText() == "discs"
    assert (layer.face_color[:, 3] == 1).all()
    choose_style(qtbot, look, "surface")
    qtbot.waitUntil(lambda: surface_in(made.viewer) is not None, timeout=kit.TIMEOUT)
    choose_style(qtbot, look, "discs")
    assert surface_in(made.viewer) is None
    assert (layer.face_color[:, 3] == 1).all()


def test_no_surface_without_values_is_a_sentence(made, qtbot, kit):
    store.result_of(made.predicted).done[:] = False
    choose_style(qtbot, made.map.look, "surface")
    qtbot.waitUntil(lambda: "0 spots have values" in made.map.look.message.text(), timeout=kit.TIMEOUT)
    assert made.map.look.style_box.currentText() == "discs"


def test_hover_says_gene_value_unit_and_spot_in_one_line(made, qtbot):
    viewer = made.viewer

    def status_at(layer, position):
        viewer.layers.selection.active = layer
        viewer.mouse_over_canvas = True
        viewer.cursor.position = position
        viewer.update_status_from_cursor()
        return viewer.status["coordinates"]

    at = tuple(made.predicted.data_to_world(made.predicted.data[12]))
    press(qtbot, made.dock, "green")
    value = made.table[12, 1]
    assert status_at(made.predicted, at) == f"GREEN {value:.3g} mean grey value · spot 4x1"
    assert viewer.status["layer_base"] == "slide · GREEN · predicted"
    store.result_of(made.predicted).done[12] = False
    made.dock.session.colours.refresh()
    assert status_at(made.predicted, at) == "GREEN has no value · spot 4x1"
    away = tuple(made.predicted.data_to_world((-500, -500)))
    assert "spot" not in status_at(made.predicted, away)
    assert "spot" not in status_at(made.image, at), "another layer's line is napari's own"
    store.result_of(made.predicted).done[12] = True
    for edit, gene in zip(made.map.composite.gene_edits, GENES, strict=False):
        edit.setText(gene)
    click(qtbot, made.map.composite.add_button)
    status_at(viewer.layers[-1], away)
    line = status_at(viewer.layers[-1], at)
    assert line == f"RED 4, GREEN {value:.3g}, BLUE {made.table[12, 2]:.3g} mean grey value · spot 4x1"


def test_an_unknown_gene_is_a_sentence_with_near_names(made, qtbot):
    press(qtbot, made.dock, "GREN")
    assert made.genes.found.text() == "No gene of this panel (4 genes) is called 'GREN'. Near: GREEN."
    press(qtbot, made.dock, "qqq")
    assert made.genes.found.text() == "No gene of this panel (4 genes) is called 'qqq'."
    press(qtbot, made.dock, "blu")
    assert made.genes.found.text() == ""
    assert made.state.gene == "BLUE"


def test_a_removed_result_leaves_a_section_that_says_so(made):
    made.viewer.layers.remove(made.predicted)
    assert made.state.result_layer is None
    assert "Nothing is predicted yet" in made.genes.shown.text()
    for widget in (
        made.genes.pin_button,
        made.map.scale.bar,
        made.map.composite.add_button,
        made.genes.gene_set.score_button,
    ):
        assert not widget.isEnabled()
    assert made.genes.table.visible_genes() == ["GREEN", "BLUE", "RED"], "the chosen model's trusted genes"


def test_the_user_s_name_of_a_layer_is_kept(made, qtbot):
    made.predicted.name = "my map"
    press(qtbot, made.dock, "green")
    assert made.predicted.name == "my map"
    assert result_layers.shown_gene(made.predicted) == "GREEN"


def test_placement_of_a_surface_under_a_general_transform(made):
    layer = made.predicted
    layer.affine = np.array([[1.2, 0.1, 30], [-0.2, 0.9, -10], [0, 0, 1]])
    surface = SimpleNamespace(x0=110.0, y0=330.0, step=4.0)
    image = made.viewer.add_image(np.zeros((9, 9)), **surface_placement(layer, surface))
    np.testing.assert_allclose(
        image.data_to_world((3, 5)), layer.data_to_world((330 + 12 - 0.5, 110 + 20 - 0.5)), atol=1e-6
    )


def test_what_is_made_from_a_result_stays_on_its_slide(made, qtbot):
    """A surface and three genes follow a slide that is rescaled and moved, and are hidden with it."""
    layer, session = made.predicted, made.dock.session
    session.slides.claim(store.result_of(layer), session.state.image)
    choose_style(qtbot, made.map.look, "surface")
    qtbot.waitUntil(lambda: surface_in(made.viewer) is not None)
    surface = surface_in(made.viewer)
    for gene, edit in zip(("RED", "GREEN", "BLUE"), made.map.composite.gene_edits, strict=True):
        edit.setText(gene)
    made.map.composite.add_button.click()
    mixed = next(one for one in made.viewer.layers if composite_of(one) is not None)
    assert surface not in session.image_layers()

    def in_px():
        """Where the surface's first px lies, in px of the spots, which move with the slide."""
        return layer.world_to_data(surface.data_to_world((0, 0)))

    before = in_px()
    session.set_mpp(3.0)
    session.state.image.translate = (200, -80)
    np.testing.assert_allclose(in_px(), before, atol=1e-6)
    np.testing.assert_allclose(mixed.data_to_world(mixed.data[5]), layer.data_to_world(layer.data[5]))
    other = made.viewer.add_image(np.full((50, 50, 3), 200, np.uint8), rgb=True, name="other")
    session.choose_image(other, show=True)
    assert not any(one.visible for one in (layer, mixed, surface))
    session.choose_image(made.viewer.layers["slide"], show=True)
    assert mixed.visible, "it was shown last"
    assert not any(one.visible for one in (layer, surface)), "what lies below would shine through"
    made.viewer.layers.selection.active = surface
    assert [one.visible for one in (layer, surface, mixed)] == [True, True, False]
    assert session.state.result_layer == layer


@pytest.mark.parametrize("made", [True], indirect=True)  # styled and laid out only when shown
def test_nothing_is_clipped_with_everything_unfolded(made, qtbot):
    made.viewer.window.resize(1280, 800)
    made.measured()
    for fold in (made.map.link, made.map.composite, made.genes.gene_set):
        fold.heading.setChecked(True)
    folds = (made.map.link, made.map.composite, made.genes.gene_set)
    scroll = made.dock.explore_page
    qtbot.waitUntil(lambda: all(fold.body.height() >= fold.body.minimumSizeHint().height() > 50 for fold in folds))
    qtbot.waitUntil(lambda: scroll.widget().width() <= scroll.viewport().width())
