"""Checks that a true map passes and a false one fails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_tcgn import explain
from napari_tcgn.explanation import AttributionMap, Curves
from napari_tcgn.explanation.checks import (
    check_complete,
    check_curves,
    check_fills,
    check_methods,
    measure_curves,
    points,
    with_random_end,
)
from napari_tcgn.explanation.gradients import Gradients
from napari_tcgn.options import ExplainSettings
from support.explaining import colour_predictor

QUARTERS = ExplainSettings(window_um=10.0, check=True, random_orders=9)


def to_end(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def sixteen(patch, values) -> Curves:
    one = AttributionMap("occlusion", values.astype(np.float32), "", "", 10.0)
    (curves,) = to_end(measure_curves(colour_predictor((1, 2)), patch, 0, [one], QUARTERS, 8))
    return curves


@pytest.fixture
def bright(patch) -> np.ndarray:
    """A patch in whose one part that counts red is far above the mean."""
    patch = patch[:80, :80].copy()
    patch[20:40, 40:60, 0] = 250
    return patch


def test_a_true_map_beats_every_random_order_and_its_reverse_none(bright) -> None:
    values = np.zeros((4, 4))
    values[1, 2] = 1
    deletion, insertion = check_curves(sixteen(bright, values))
    assert (deletion.passed, deletion.value, deletion.limit) == (True, 9, 9)
    assert insertion.passed
    deletion, insertion = check_curves(sixteen(bright, -values))
    assert not deletion.passed
    assert not insertion.passed
    assert deletion.value == 0
    assert "than in 0 of 9 random orders" in deletion.sentence


def test_curves_run_from_the_whole_patch_to_the_mean_colour_and_back(bright) -> None:
    values = np.zeros((4, 4))
    values[1, 2] = 1
    curves = sixteen(bright, values)
    whole, covered = 0.01 * 250, 0.01 * np.rint(bright[..., 0].mean())
    assert curves.share[[0, -1]].tolist() == [0, 1]
    assert curves.share + curves.share[::-1] == pytest.approx(1.0)
    assert curves.deletion == pytest.approx([whole] + [covered] * (len(curves.share) - 1), abs=1e-5)
    assert curves.insertion == pytest.approx([covered] + [whole] * (len(curves.share) - 1), abs=1e-5)
    assert (curves.random_insertion == curves.random_deletion[:, ::-1]).all()


@pytest.mark.parametrize("windows", [4, 9, 16, 49, 196])
def test_as_many_windows_are_covered_at_a_point_as_are_left_at_its_mirror(windows) -> None:
    found = points(windows)
    assert (found + found[::-1] == windows).all()
    assert (np.diff(found) > 0).all()


def test_an_explanation_with_checks_says_which_ones_it_failed(slide, spots) -> None:
    found = explain(slide, spots, "s5", "RED", colour_predictor(), how=QUARTERS)
    names = [(one.name, one.method) for one in found.checks]
    assert names == [("agreement of the fills", "occlusion"), ("deletion", "occlusion"), ("insertion", "occlusion")]
    assert found.curves[0].random_deletion.shape[0] == 9
    constant = explain(slide, spots, "s5", "ERBB2", colour_predictor(), how=QUARTERS)
    assert {one.name for one in constant.failed("occlusion")} == {"agreement of the fills", "deletion", "insertion"}
    assert constant.failed("Grad-CAM") == ()


def test_a_sum_that_misses_the_difference_fails() -> None:
    true = Gradients(np.full((7, 7), 1 / 49, np.float32), np.zeros((7, 7), np.float32), whole=1.5, empty=0.5)
    assert check_complete(true).passed
    assert not check_complete(replace(true, whole=1.502)).passed


def test_agreement_has_limits() -> None:
    assert check_fills(0.51).passed
    assert not check_fills(0.49).passed
    values = np.random.default_rng(0).normal(size=(7, 7)).astype(np.float32)
    assert check_methods(values, 2 * values).value == pytest.approx(1)
    assert not check_methods(values, -values).passed
    assert check_methods(values, values.repeat(2, axis=0).repeat(2, axis=1)).value > 0.95, "of a finer grid"


def test_random_weights_replace_the_last_stage_and_the_head_only(tcgn) -> None:
    net = with_random_end(tcgn.net, 1)
    changed = {name for name, value in net.state_dict().items() if not torch.equal(value, tcgn.net.state_dict()[name])}
    assert {name.partition(".")[0] for name in changed} == {"blocks_d", "relative_pos_d", "_fc", "head"}
    again, other = with_random_end(tcgn.net, 1), with_random_end(tcgn.net, 2)
    assert torch.equal(again.head[0].weight, net.head[0].weight)
    assert not torch.equal(other.head[0].weight, net.head[0].weight)


def test_all_checks_of_a_tcgn(tcgn, slide, spots) -> None:
    how = ExplainSettings(window_um=20.0, check=True, random_orders=2, random_nets=1)
    found = explain(slide, spots, "s5", "RED", tcgn, how=how)
    names = {(one.name, one.method) for one in found.checks}
    signed = {(name, method) for name in ("deletion", "insertion", "random weights") for method in
              ("occlusion", "integrated gradients")}  # fmt: skip
    assert names == signed | {
        ("agreement of the fills", "occlusion"),
        ("completeness", "integrated gradients"),
        ("agreement with occlusion", "integrated gradients"),
    }
    assert [len(one.deletion) for one in found.curves] == [5, 12], "2 x 2 windows and 7 x 7 tokens"
    changed = next(one for one in found.checks if (one.name, one.method) == ("random weights", "integrated gradients"))
    assert 0 <= changed.value < 1
