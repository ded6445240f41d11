"""Intervals of predicted values: they cover what they say, as a conformal library has them, gene by gene."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from napari_tcgn.errors import CheckpointError, DataError, SettingsError
from napari_tcgn.expression import gene_interval, intervals_in, with_intervals
from napari_tcgn.model import (
    BUNDLED,
    PROBABILITIES,
    ModelCard,
    for_genes,
    intervals_of,
    load_model,
    read_intervals,
    save_intervals,
)
from napari_tcgn.trust import HeldOutSection, covered, fit_intervals, median_coverage


def section(rng: np.random.Generator, n: int = 400, genes: int = 30, growing: float = 0.0) -> HeldOutSection:
    """Return predictions of 1 to 3 and measurements around them, whose spread grows with the prediction."""
    predicted = rng.uniform(1, 3, (n, genes)).astype(np.float32)
    spread = 0.2 * (1 + growing * (predicted - 2))
    return HeldOutSection(predicted, (predicted + spread * rng.standard_normal((n, genes))).astype(np.float32))


@pytest.mark.parametrize("growing", [0.0, 0.8])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_a_new_section_lies_inside_as_often_as_is_said(growing, level):
    rng = np.random.default_rng(0)
    intervals, coverage = fit_intervals({name: section(rng, growing=growing) for name in "abcd"})
    new = section(rng, 4000, growing=growing)
    share = covered(intervals, new, level)
    assert share.mean() == pytest.approx(level, abs=0.01)
    assert set(coverage) == set("abcd")
    assert all(value == pytest.approx(0.8, abs=0.04) for value in coverage.values())
    low, high = intervals.bounds(new.predicted, level)
    expected = {0.5: 0.674, 0.8: 1.2816, 0.95: 1.96}[level] * 0.2 * (1 + growing * (new.predicted - 2))
    assert np.abs((high - low) / 2 / expected - 1).mean() < 0.08


def test_a_spread_that_grows_is_told_from_a_constant_one():
    """At equal coverage overall, intervals of one width are too wide at small and too narrow at large predictions."""
    rng = np.random.default_rng(1)
    intervals, _ = fit_intervals({name: section(rng, growing=0.8) for name in "abcd"})
    flat = replace(intervals, slope=np.zeros_like(intervals.slope))
    new = section(rng, 4000, genes=30, growing=0.8)
    small = new.predicted < 1.5
    for one, least, most in ((intervals, 0.76, 0.84), (flat, 0.0, 0.7)):
        low, high = one.bounds(new.predicted)
        inside = (new.measured >= low) & (new.measured <= high)
        large = inside[new.predicted > 2.5].mean()
        assert least <= large <= most
    assert (intervals.bounds(new.predicted)[1] - new.predicted)[small].mean() < 0.2


def test_as_a_conformal_predictive_system_has_them():
    """crepes: https://github.com/henrikbostrom/crepes, with the same residuals and spreads."""
    crepes = pytest.importorskip("crepes")
    rng = np.random.default_rng(2)
    sections = {name: section(rng, 150, 4, growing=0.5) for name in "abc"}
    intervals, _ = fit_intervals(sections)
    predicted = np.concatenate([s.predicted for s in sections.values()])
    residuals = np.concatenate([s.measured - s.predicted for s in sections.values()])
    new = section(rng, 50, 4).predicted
    for level in (0.5, 0.8, 0.9):
        low, high = intervals.bounds(new, level)
        for gene in range(4):
            system = crepes.ConformalPredictiveSystem()
            system.fit(residuals[:, gene].astype(float), sigmas=intervals.spread(predicted)[:, gene].astype(float))
            found = system.predict_int(
                new[:, gene].astype(float), sigmas=intervals.spread(new)[:, gene].astype(float), confidence=level
            )
            # Ours are kept in half precision and interpolate between neighbouring residuals.
            np.testing.assert_allclose(low[:, gene], found[:, 0], atol=0.03)
            np.testing.assert_allclose(high[:, gene], found[:, 1], atol=0.03)


def test_what_cannot_be_told_is_not():
    rng = np.random.default_rng(3)
    assert fit_intervals({name: section(rng) for name in "ab"}) is None
    assert fit_intervals({name: section(rng, 10) for name in "abc"}) is None
    sections = {name: section(rng, 60, 3) for name in "abc"}
    for one in sections.values():
        one.measured[:, 1] = np.nan  # a gene that nobody measured
    sections["a"].predicted[:, 2] = np.nan  # a gene that one fold did not predict
    intervals, coverage = fit_intervals(sections)
    low, high = intervals.bounds(sections["b"].predicted)
    assert np.isnan(low[:, 1]).all()
    assert np.isfinite(high[:, [0, 2]]).all()
    assert all(np.isfinite(value) for value in coverage.values())
    assert np.isnan(covered(intervals, sections["b"])[1])


@pytest.mark.parametrize("level", [0.0, 0.1, 0.99, 1.0, float("nan")])
def test_levels_that_the_quantiles_do_not_reach(level):
    intervals = intervals_of(load_model("haematoxylin-her2st"))
    with pytest.raises(SettingsError, match="level of an interval"):
        intervals.bounds(np.zeros((1, 785), np.float32), level)


@pytest.mark.parametrize("name", sorted(path.name for path in BUNDLED.iterdir() if path.is_dir()))
def test_every_bundled_model_knows_its_intervals(name):
    card = ModelCard.read(BUNDLED / name / "card.json")
    intervals = read_intervals(BUNDLED / name, card)
    assert np.isfinite(intervals.quantiles).all()
    assert (np.diff(intervals.quantiles, axis=0) >= 0).all()
    told = card.metrics.intervals
    assert set(told.coverage) == {"B4", "C2", "C3", "C5"}
    assert all(0.72 <= share <= 0.88 for share in told.coverage.values())
    assert told.guaranteed == 0.8
    low, high = intervals.bounds(np.zeros((2, len(card.genes)), np.float32))
    assert (low == 0).all()
    assert (high >= 0).all()


def test_some_genes_keep_theirs():
    model = load_model("haematoxylin-her2st")
    some = for_genes(model, ["GNAS", "KRT8"])
    rows = [model.card.genes.index(gene) for gene in ("GNAS", "KRT8")]
    values = np.full((3, 785), 1.5, np.float32)
    whole, part = intervals_of(model).bounds(values), intervals_of(some).bounds(values[:, :2])
    np.testing.assert_array_equal(part[1], whole[1][:, rows])


@pytest.mark.parametrize("change", ["damaged", "of another model", "outside", "gone", "older"])
def test_files_that_are_not_as_they_should_be(tmp_path, change):
    folder = shutil.copytree(BUNDLED / "haematoxylin-her2st", tmp_path / "model")
    path, card = folder / "intervals.safetensors", json.loads((folder / "card.json").read_text(encoding="utf-8"))
    if change == "damaged":
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    if change == "of another model":
        shutil.copy(BUNDLED / "context-line-her2st" / path.name, path)
        from napari_tcgn.files import sha256_of

        card["metrics"]["intervals"]["sha256"] = sha256_of(path)
    if change == "outside":
        card["metrics"]["intervals"]["file"] = "../model/intervals.safetensors"
    if change == "gone":
        path.unlink()
    if change == "older":
        del card["metrics"]["intervals"]
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    if change in ("gone", "older"):
        assert intervals_of(load_model(folder)) is None
        return
    with pytest.raises(CheckpointError, match=r"its card says|785 genes want|outside its folder"):
        load_model(folder)


def test_they_survive_saving(tmp_path):
    rng = np.random.default_rng(4)
    intervals, coverage = fit_intervals({name: section(rng, 100, 2) for name in "abc"})
    card = ModelCard(name="x", version="1", architecture={}, genes=["A", "B"], patch_um=100.0)
    card = save_intervals(tmp_path, intervals, card, coverage)
    again = ModelCard.from_json(card.to_json())
    assert again.metrics.intervals == card.metrics.intervals
    values = rng.uniform(1, 3, (5, 2)).astype(np.float32)
    for one, other in zip(read_intervals(tmp_path, again).bounds(values), intervals.bounds(values), strict=True):
        np.testing.assert_array_equal(one, other)
    assert save_intervals(tmp_path, None, card, {}).metrics.intervals is None


@pytest.fixture(scope="module")
def result():
    import napari_tcgn
    from napari_tcgn.sample import sample_folder
    from napari_tcgn.spots import read_st_spots

    slide = napari_tcgn.open_slide(sample_folder() / "section.ome.tif")
    spots = read_st_spots(sample_folder() / "section_selection.tsv")
    found = napari_tcgn.predict(slide, spots.select(np.arange(len(spots)) < 12), "haematoxylin-her2st")
    slide.close()
    return found


def test_a_result_carries_them_and_makes_layers_of_them(result, tmp_path):
    import anndata

    from napari_tcgn.expression import write_h5ad

    write_h5ad(result, tmp_path / "r.h5ad")
    again = anndata.read_h5ad(tmp_path / "r.h5ad")[:, ["GNAS", "CD74", "KRT8"]].copy()
    layers = with_intervals(again, 0.9)
    expected = intervals_of(for_genes(load_model("haematoxylin-her2st"), ["GNAS", "CD74", "KRT8"])).bounds(again.X, 0.9)
    np.testing.assert_array_equal(layers.layers["low"], expected[0])
    np.testing.assert_array_equal(layers.layers["high"], expected[1])
    assert "low" not in again.layers
    low, high = gene_interval(result, "CD74", np.asarray(result[:, "CD74"].X).ravel(), 0.9)
    np.testing.assert_array_equal(np.stack([low, high]), np.stack([one[:, 1] for one in expected]))
    assert median_coverage(intervals_in(again), HeldOutSection(again.X, again.X)) == 1.0


def test_a_result_without_them_says_so(result):
    older = result.copy()
    del older.varm["napari_tcgn_intervals"]
    assert intervals_in(older) is None
    assert gene_interval(older, "CD74", np.zeros(12)) is None
    with pytest.raises(DataError, match="does not know how far it is off"):
        with_intervals(older)
    older.varm["napari_tcgn_intervals"] = np.zeros((older.n_vars, len(PROBABILITIES)))
    with pytest.raises(DataError, match=r"wanted: numbers of the shape \(785, 26\)"):
        intervals_in(older)
