"""How far to trust a result, in the dock: the interval in the status line, its width and likeness as maps, rings."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse

from napari_tcgn.expression import intervals_in, library_of, with_intervals, write_h5ad
from napari_tcgn.model import load_model
from napari_tcgn.sample import sample_folder
from napari_tcgn.trust import spot_opacity
from napari_tcgn.ui.actions import trust_maps
from napari_tcgn.ui.layers import result_layers, store
from napari_tcgn.ui.layers.hover import Hover

N = 12


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A result of the sample section whose first three spots are unlike the training."""
    import napari_tcgn

    slide = napari_tcgn.open_slide(sample_folder() / "section.ome.tif")
    spots = napari_tcgn.read_st_spots(sample_folder() / "section_selection.tsv")
    adata = napari_tcgn.predict(slide, spots.select(np.arange(len(spots)) < N), "haematoxylin-her2st")
    slide.close()
    adata.obs["domain_p"] = np.where(
        np.arange(N) < 3, (*(0.05, 0.01, 0.01), *[0] * (N - 3)), np.linspace(0.2, 1, N)
    ).astype(np.float32)
    path = tmp_path_factory.mktemp("trust") / "section.h5ad"
    write_h5ad(adata, path)
    return SimpleNamespace(path=path, adata=adata)


@pytest.fixture
def shown(dock_in_viewer, saved, kit, qtbot):
    viewer, dock = dock_in_viewer(show=True)
    viewer.open(str(saved.path), plugin="napari-tcgn")
    state = dock.session.state
    qtbot.waitUntil(lambda: state.result_layer is not None, timeout=kit.TIMEOUT)
    dock.open_section(dock.map)
    part = dock.map.trust
    kit.click(part.heading)
    dock.open_section(dock.map, part)
    return SimpleNamespace(
        viewer=viewer, dock=dock, state=state, part=part, layer=state.result_layer, adata=saved.adata
    )


def bounds(shown, gene):
    layers = with_intervals(shown.adata[:, [gene]].copy()).layers
    return layers["low"][:, 0], layers["high"][:, 0]


def line_at(shown, layer, spot) -> str:
    shown.viewer.layers.selection.active = layer
    shown.viewer.cursor.position = tuple(layer.data_to_world(layer.data[spot]))
    hover = Hover(shown.viewer)
    try:
        return hover.line()
    finally:
        hover.close()


def test_the_status_line_says_value_interval_and_what_is_unlike_the_training(shown):
    gene = result_layers.shown_gene(shown.layer)
    low, high = bounds(shown, gene)
    for spot in (0, 7):
        line = line_at(shown, shown.layer, spot)
        value = float(np.asarray(shown.adata[:, gene].X)[spot, 0])
        assert line.startswith(f"{gene} {value:.3g} ")
        assert f", 80%: {low[spot]:.3g} to {high[spot]:.3g}" in line
        assert ("unlike the training" in line) == (spot == 0)


def test_the_part_says_how_many_spots_and_how_intervals_did(shown):
    assert "3 of 12 spots are unlike the training (of a slide like it, about 5% may be)" in shown.part.said.text()
    assert "lay inside their 80% interval, in the median gene: B4 79%" in shown.part.said.text()


def test_the_width_of_the_interval_is_a_map_in_which_genes_are_browsed(shown, kit, qtbot):
    kit.click(shown.part.width_button)
    layer = shown.state.result_layer
    assert layer is not shown.layer
    gene = result_layers.shown_gene(shown.layer)
    assert layer.name == f"section · {gene} · width of the 80% interval"
    low, high = bounds(shown, gene)
    np.testing.assert_allclose(layer.features["value"], high - low, rtol=1e-5)
    assert layer.visible
    assert not shown.layer.visible, "one map at a time"
    other = "CD74" if gene != "CD74" else "GNAS"
    shown.state.gene = other
    qtbot.waitUntil(lambda: result_layers.shown_gene(layer) == other)
    low, high = bounds(shown, other)
    np.testing.assert_allclose(layer.features["value"], high - low, rtol=1e-5)
    assert ", 80%:" not in line_at(shown, layer, 7), "a width has no interval of its own"
    kit.click(shown.part.likeness_button)  # from a map of trust to the other one
    np.testing.assert_allclose(shown.state.result_layer.features["value"], shown.adata.obs["domain_p"], rtol=1e-5)


def test_the_likeness_is_a_map(shown, kit):
    kit.click(shown.part.likeness_button)
    layer = shown.state.result_layer
    assert layer.name == "section · likeness to the training · domain"
    np.testing.assert_allclose(layer.features["value"], shown.adata.obs["domain_p"], rtol=1e-5)
    assert "choose the layer of the result itself" in shown.dock.explain.chosen.text()
    assert tuple(layer.face_contrast_limits) == (0.0, 0.5), "0.05 can be read from the bar"
    assert shown.dock.genes.trusted.count.text() == ""


def test_uncertain_spots_are_faint_if_wanted_and_the_canvas_says_so(shown, kit, qtbot):
    layer, gene = shown.layer, result_layers.shown_gene(shown.layer)
    before = layer.face_color.copy()
    assert (before[:, 3] == 1).all()
    kit.click(shown.part.fade_box)
    low, high = bounds(shown, gene)
    unlike = np.arange(N) < 3
    np.testing.assert_allclose(layer.face_color[:, 3], spot_opacity(high - low, unlike), rtol=1e-5)
    np.testing.assert_array_equal(layer.face_color[:, :3], before[:, :3])
    assert np.unique(layer.face_color[3:, 3]).size > 3
    said = shown.dock.session._legend.lines(layer)
    assert ("faint: uncertain", "") in said
    other = "CD74" if gene != "CD74" else "GNAS"
    shown.state.gene = other
    qtbot.waitUntil(lambda: result_layers.shown_gene(layer) == other)
    low, high = bounds(shown, other)
    np.testing.assert_allclose(layer.face_color[:, 3], spot_opacity(high - low, unlike), rtol=1e-5)
    kit.click(shown.part.fade_box)
    assert (layer.face_color[:, 3] == 1).all()


def test_rings_come_stay_on_every_map_and_go(shown, kit):
    result = store.result_of(shown.layer)
    kit.click(shown.part.ring_box)
    (rings,) = trust_maps.rings_of(shown.viewer, result)
    np.testing.assert_allclose(rings.data, shown.layer.data[:3])
    assert rings.visible
    assert shown.viewer.layers.selection.active is not rings, "the map stays the one to browse"
    kit.click(shown.part.width_button)
    assert rings.visible
    assert shown.part.ring_box.isChecked()
    kit.click(shown.part.ring_box)
    assert trust_maps.rings_of(shown.viewer, result) == []
    kit.click(shown.part.ring_box)
    (rings,) = trust_maps.rings_of(shown.viewer, result)
    shown.viewer.layers.remove(rings)  # in the layer list
    assert not shown.part.ring_box.isChecked()


def test_rings_are_those_of_the_result_that_is_seen(shown, saved, kit, qtbot):
    kit.click(shown.part.likeness_button)
    kit.click(shown.part.ring_box)
    assert shown.state.result_layer is not shown.layer, "the map that is seen stays"
    (rings,) = trust_maps.rings_of(shown.viewer, store.result_of(shown.layer))
    assert rings.visible
    assert shown.part.ring_box.isChecked()
    shown.viewer.open(str(saved.path), plugin="napari-tcgn")
    qtbot.waitUntil(lambda: store.made_from(shown.state.result_layer) is not store.result_of(shown.layer))
    assert not shown.part.ring_box.isChecked()
    assert not rings.visible
    shown.viewer.layers.selection.active = shown.layer
    qtbot.waitUntil(lambda: rings.visible)
    assert shown.part.ring_box.isChecked()


def test_a_model_that_knows_nothing_says_so(dock_with_spots, kit, qtbot):
    _viewer, dock = dock_with_spots
    kit.run_to_end(dock)
    assert "training" not in dock.run.message.text()
    part = dock.map.trust
    assert part.said.text() == "This model does not know how far it is off, nor which spots are unlike its training."
    for widget in (part.width_button, part.likeness_button, part.ring_box, part.fade_box):
        assert not widget.isEnabled()


def test_a_model_that_knows_says_below_run_how_many_spots_are_unlike_its_training(dock_in_viewer, use_predictor, kit):
    use_predictor(load_model("haematoxylin-her2st"))
    viewer, dock = dock_in_viewer(show=True)
    viewer.add_image(kit.stained(), rgb=True, name="slide", scale=(kit.MPP,) * 2, units=("um", "um"))
    kit.lay_spots(dock)
    kit.run_to_end(dock)
    usual = store.result_of(dock.session.state.result_layer).domain_p
    n, outside = len(usual), int((usual <= 0.05).sum())
    assert outside > 0, "a drawn picture is no tissue"
    assert dock.run.message.text().endswith(f"{outside} of {n} ({outside / n:.0%}) are unlike the training.")


@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_matrix, scipy.sparse.csr_array])
def test_a_cursor_that_moves_reads_the_table_of_intervals_once_for_a_gene(saved, monkeypatch, form):
    adata = saved.adata.copy()
    low, high = (with_intervals(adata).layers[name] for name in ("low", "high"))
    adata.X = form(np.asarray(adata.X))
    read, known = [], intervals_in(adata)
    monkeypatch.setattr("napari_tcgn.expression.intervals_in", lambda given: read.append(given) or known)
    result = store.Result.of_library(library_of(adata))
    for column in (3, 4):
        for spot in range(N):
            bounds = result.bounds_at(result.genes[column], spot)
            np.testing.assert_allclose(bounds, (low[spot, column], high[spot, column]), rtol=1e-5)
    assert len(read) == 2
