"""Which spot is which: names, array positions, nearest centres; turned positions and other sections are named."""

from __future__ import annotations

import numpy as np
import pytest

from napari_tcgn.comparison.align import align
from napari_tcgn.comparison.orientation import SYMMETRIES, better_by_expression, fit, undo
from napari_tcgn.comparison.places import nearest_pairs
from napari_tcgn.comparison.steps import compare
from napari_tcgn.errors import DataError, SettingsError
from napari_tcgn.options import CompareSettings

QUICK = CompareSettings(domains=False, draws=40, permutations=19)
TURNED = [name for name in SYMMETRIES if name != "upright"]


def turned(predicted, measured, name: str):
    """What a program that swaps or mirrors axes would hand over."""
    import json

    size = json.loads(predicted.uns["napari_tcgn"]["run_record"])["slide"]
    middle = np.array([size["width_px"], size["height_px"]]) / 2
    matrix = SYMMETRIES[name]
    measured.obsm["spatial"] = (measured.obsm["spatial"] - middle) @ matrix.T + np.abs(matrix) @ middle
    return measured


def renamed(measured):
    measured.obs_names = [f"S{i}" for i in range(measured.n_obs)]
    return measured


def test_by_name_in_any_order_and_with_spots_missing(make_pair) -> None:
    predicted, measured = make_pair()
    order = np.random.default_rng(0).permutation(measured.n_obs)[5:]
    found = align(predicted, measured[order], CompareSettings())
    assert found.manifest.way == "ids"
    assert len(found.predicted) == predicted.n_obs - 5
    assert (np.diff(found.predicted) > 0).all(), "in the prediction's order"
    assert (predicted.obs_names[found.predicted] == measured.obs_names[order][found.measured]).all()
    assert len(found.manifest.predicted_without_partner) == 5
    assert found.manifest.distance_um == 0
    assert found.warnings == []


def test_by_array_position_where_names_differ(make_pair) -> None:
    predicted, measured = make_pair("visium")
    found = align(predicted, renamed(measured), CompareSettings())
    assert found.manifest.way == "array"
    np.testing.assert_array_equal(found.predicted, found.measured)


def test_by_nearest_centre_where_there_is_nothing_else(make_pair) -> None:
    predicted, measured = make_pair()
    measured = renamed(measured)[::-1].copy()
    del measured.obs["array_row"]
    measured.obsm["spatial"] = measured.obsm["spatial"] + np.array([40.0, -30.0])  # 25 µm off
    found = align(predicted, measured, CompareSettings())
    assert found.manifest.way == "nearest"
    np.testing.assert_array_equal(found.measured, np.arange(measured.n_obs)[::-1])
    assert found.manifest.distance_um == pytest.approx(25, abs=0.1)
    with pytest.raises(DataError, match="nothing in common"):
        align(predicted, measured, CompareSettings(tolerance_um=20))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mirrored-x", "its array columns are numbered from the other side"),
        ("mirrored-y", "its array rows are numbered from the other side"),
        ("rotated-180", "its array columns and rows are numbered from the other side"),
    ],
)
def test_an_array_that_is_numbered_from_the_other_side_is_named(make_pair, name: str, words: str) -> None:
    """Counts without positions in px, their spots named by places on a mirrored array."""
    predicted, measured = make_pair()
    del measured.obsm["spatial"]
    keep = ~((predicted.obs["array_row"] < 3) & (predicted.obs["array_col"] < 4)).to_numpy()  # a section is no square
    predicted, measured = predicted[keep].copy(), measured[keep].copy()
    for side, column in ((name != "mirrored-y", "array_col"), (name != "mirrored-x", "array_row")):
        if side:
            measured.obs[column] = 34 - measured.obs[column]
    names = [f"{c}x{r}" for c, r in zip(measured.obs["array_col"], measured.obs["array_row"], strict=True)]
    measured.obs_names = names
    predicted.obs_names = [
        f"{c}x{r}" for c, r in zip(predicted.obs["array_col"], predicted.obs["array_row"], strict=True)
    ]
    with pytest.raises(DataError, match=f"{words}.*--orientation {name} --match array") as refused:
        align(predicted, measured, CompareSettings())
    assert "say it if it is so" in refused.value.hint
    found = align(predicted, measured[2:], CompareSettings(orientation=name, match="array"))
    np.testing.assert_array_equal(found.predicted, np.arange(2, len(names)))
    np.testing.assert_array_equal(found.measured, np.arange(len(names) - 2))


def test_counts_of_few_predicted_spots_are_told(make_pair) -> None:
    predicted, measured = make_pair()
    some = align(predicted, measured[: predicted.n_obs // 2 + 1], CompareSettings())
    assert some.warnings == []
    few = align(predicted, measured[:20], CompareSettings())
    told = (
        f"{predicted.n_obs - 20} of {predicted.n_obs} predicted spots have no counts: the figures are of the other 20 "
    )
    assert few.warnings[0].startswith(told)


def test_nearest_is_one_to_one() -> None:
    predicted = np.array([[0.0, 0], [10, 0]])
    measured = np.array([[1.0, 0], [2, 0], [9, 0]])
    p, m = nearest_pairs(predicted, measured, 5)
    assert p.tolist() == [0, 1]
    assert m.tolist() == [0, 2]


@pytest.mark.parametrize(
    "source",
    [
        {"kind": "grid"},
        {"kind": "saved spots", "file": "s.csv", "recorded": {"kind": "grid"}},
        {"kind": "h5ad", "recorded": {"kind": "saved spots", "recorded": {"kind": "grid"}}},
    ],
)
def test_names_of_an_own_grid_mean_nothing(make_pair, source: dict) -> None:
    """A grid calls its spots "5x3" too, also once it was saved; only where they lie can tell."""
    import json

    predicted, measured = make_pair()
    record = json.loads(predicted.uns["napari_tcgn"]["run_record"])
    record["spots"]["source"] = source
    predicted.uns["napari_tcgn"]["run_record"] = json.dumps(record)
    assert align(predicted, measured, CompareSettings()).manifest.way == "nearest"
    del measured.obsm["spatial"]
    with pytest.raises(DataError, match=r"made on a grid.*Predict at the measured spots"):
        align(predicted, measured, CompareSettings())


@pytest.mark.parametrize("name", TURNED)
def test_turned_positions_are_named_and_undone_only_when_told_to(make_pair, name: str) -> None:
    predicted, measured = make_pair()
    measured = turned(predicted, measured, name)
    with pytest.raises(DataError, match=f"--orientation {name}"):
        align(predicted, measured, CompareSettings())
    found = align(predicted, measured, CompareSettings(orientation=name))
    assert found.manifest.distance_um == 0
    assert "taken as" in found.warnings[0]
    asked = align(predicted, measured, CompareSettings(match="ids"))
    assert f"--orientation {name}" in asked.warnings[0], "asked for by name: compared, and said"


@pytest.mark.parametrize("name", TURNED)
def test_turned_positions_are_named_where_only_they_tell(make_pair, name: str) -> None:
    predicted, measured = make_pair()
    measured = renamed(turned(predicted, measured, name))
    del measured.obs["array_row"]
    with pytest.raises(DataError, match=f"--orientation {name}"):
        align(predicted, measured, CompareSettings())
    found = align(predicted, measured, CompareSettings(orientation=name))
    np.testing.assert_array_equal(found.predicted, found.measured)


def test_swapped_array_positions_are_named(make_pair) -> None:
    predicted, measured = make_pair()
    measured = renamed(measured)
    del measured.obsm["spatial"]
    row, col = measured.obs["array_row"].copy(), measured.obs["array_col"].copy()
    measured.obs["array_row"], measured.obs["array_col"] = col, row
    with pytest.raises(DataError, match="--orientation transposed"):
        align(predicted, measured, CompareSettings())
    found = align(predicted, measured, CompareSettings(orientation="transposed"))
    np.testing.assert_array_equal(found.predicted, found.measured)


def test_px_of_another_image_and_shifts_are_named(make_pair) -> None:
    predicted, measured = make_pair()
    there = measured.obsm["spatial"].copy()
    measured.obsm["spatial"] = 0.15 * there
    with pytest.raises(DataError, match=r"0\.15 times.*px of another image"):
        align(predicted, measured, CompareSettings())
    measured.obsm["spatial"] = there + np.array([400.0, -600])
    with pytest.raises(DataError, match="shifted by 200 µm in x and -300 µm in y"):
        align(predicted, measured, CompareSettings())


def test_another_section_on_the_same_kind_of_array(make_pair) -> None:
    """Its spots have the same names; the tissue has another outline, and printed spots lie elsewhere."""
    predicted, measured = make_pair()
    outline = (measured.obs["array_row"] > 9).to_numpy()
    other = measured[outline].copy()
    other.obs_names = [name if i % 3 else f"{90 + i}x1" for i, name in enumerate(other.obs_names)]
    with pytest.raises(DataError, match=r"probably of another section.*--match and --min-matched"):
        align(predicted, other, CompareSettings())
    found = align(predicted, other, CompareSettings(min_matched=0.3))
    assert "make sure that both are of the same section" in found.warnings[0]
    jitter = np.random.default_rng(0).normal(0, 20, measured.obsm["spatial"].shape)  # 10 µm
    measured.obsm["spatial"] = measured.obsm["spatial"] + jitter
    with pytest.raises(DataError, match="as printed spots of two arrays do"):
        align(predicted, measured, CompareSettings())
    measured.obsm["spatial"] = np.random.default_rng(1).permutation(measured.obsm["spatial"])
    with pytest.raises(DataError, match="another section"):
        align(predicted, measured, CompareSettings())


def test_nothing_in_common(make_pair) -> None:
    predicted, measured = make_pair()
    measured = renamed(measured)
    del measured.obsm["spatial"], measured.obs["array_row"]
    with pytest.raises(DataError, match=r"nothing in common.*spots such as '\d+x\d+'.*such as 'S0'"):
        align(predicted, measured, CompareSettings())
    with pytest.raises(DataError, match="cannot be matched by array position"):
        align(predicted, measured, CompareSettings(match="array"))
    with pytest.raises(DataError, match='obsm\\["spatial"\\]'):
        align(predicted, measured, CompareSettings(match="nearest"))


def test_three_spots_are_too_few(make_pair) -> None:
    predicted, measured = make_pair()
    with pytest.raises(DataError, match=r"Only 3 of .* too few to compare"):
        align(predicted, measured[:3], CompareSettings())


def test_repeated_barcodes_are_named(make_pair) -> None:
    predicted, measured = make_pair()
    measured.obs_names = ["twice", "twice", *measured.obs_names[2:]]
    with pytest.raises(DataError, match=r"names 1 spots more than once .first: 'twice'"):
        align(predicted, measured, CompareSettings())


def test_positions_that_are_no_numbers(make_pair) -> None:
    predicted, measured = make_pair()
    measured.obsm["spatial"][3] = np.nan
    with pytest.raises(DataError, match="positions that are no numbers"):
        align(predicted, measured, CompareSettings())


@pytest.mark.parametrize("name", ["transposed", "mirrored-x", "rotated-180"])
def test_swapped_names_show_in_the_expression(make_pair, name: str) -> None:
    """Names that lead to the wrong spots (row and column swapped): only the expression can tell."""
    predicted, measured = make_pair(rows=14, cols=14, noise=0.1)
    array = predicted.obs[["array_col", "array_row"]].to_numpy(float)
    middle = (array.min(axis=0) + array.max(axis=0)) / 2
    there = (array - middle) @ SYMMETRIES[name].T + middle
    measured.obs_names = [f"{int(c)}x{int(r)}" for c, r in there.round()]
    del measured.obsm["spatial"], measured.obs["array_row"]
    common = measured.obs_names.isin(predicted.obs_names)
    result = compare(predicted, measured[common].copy(), QUICK)
    assert any("follows the prediction better when it is" in sentence for sentence in result.warnings)
    scores = result.manifest.orientation_by_expression
    assert max(scores, key=scores.get) == name
    straight = compare(*make_pair(rows=14, cols=14, noise=0.1), QUICK)
    assert not any("follows the prediction better" in sentence for sentence in straight.warnings)


def test_fit_and_undo_are_each_others_inverse() -> None:
    xy = np.random.default_rng(0).uniform(0, 100, (40, 2))
    for name, matrix in SYMMETRIES.items():
        there = 0.3 * (xy @ matrix.T) + 7
        found = fit(xy, there)
        assert (found.name, found.residual) == (name, pytest.approx(0, abs=1e-9))
        assert found.scale == pytest.approx(0.3)
        middle = np.array([50.0, 50])
        np.testing.assert_allclose(undo(name, (xy - middle) @ matrix.T + middle, middle), xy)
    assert np.isnan(fit(xy, np.ones_like(xy)).residual)
    assert np.isnan(fit(xy * [1, 0], xy).residual), "on one line"


def test_no_orientation_is_named_where_nothing_follows() -> None:
    random = np.random.default_rng(0)
    xy = np.stack(np.mgrid[:10, :10], axis=-1).reshape(-1, 2).astype(float)
    name, scores = better_by_expression(random.normal(size=(100, 30)), random.normal(size=(100, 30)), xy)
    assert name == "upright"
    assert len(scores) == 8


@pytest.mark.parametrize(
    "wrong", [{"match": "guess"}, {"tolerance_um": 0}, {"min_matched": 1.5}, {"permutations": 3}, {"draws": 1}]
)
def test_settings_are_checked(wrong: dict) -> None:
    with pytest.raises(SettingsError):
        CompareSettings(**wrong)


@pytest.mark.parametrize("layout", ["st", "visium"])
def test_a_prediction_at_swapped_positions_is_named(make_pair, layout: str) -> None:
    """Made before such spots were refused, or because they were to be trusted: counts by name do not show it."""
    predicted, measured = make_pair(layout)
    del measured.obsm["spatial"]
    assert not any("lattice" in sentence for sentence in compare(predicted, measured, QUICK).warnings)
    predicted.obsm["spatial"] = predicted.obsm["spatial"][:, ::-1].copy()
    assert any(
        "lattice of the predicted spots is mirrored" in one for one in compare(predicted, measured, QUICK).warnings
    )


def test_columns_of_positions_are_taken_by_name_and_gaps_in_the_array_are_no_keys(make_pair) -> None:
    import pandas as pd

    predicted, measured = make_pair()
    right = align(predicted, measured, CompareSettings())
    swapped = pd.DataFrame(measured.obsm["spatial"][:, ::-1], columns=["y", "x"], index=measured.obs_names)
    measured.obsm["spatial"] = swapped
    found = align(predicted, measured, CompareSettings())
    assert found.manifest == right.manifest
    measured.obs["array_row"] = measured.obs["array_row"].astype(float)
    measured.obs.iloc[0, 0] = np.nan
    found = align(predicted, renamed(measured), CompareSettings())
    assert found.manifest.matched_by == "nearest centre"
    np.testing.assert_array_equal(found.predicted, right.predicted)
    measured.obsm["spatial"] = np.column_stack([swapped, np.arange(len(swapped))])
    with pytest.raises(DataError, match="of the measurement has 3 columns that vary"):
        align(predicted, measured, CompareSettings())


def test_barcodes_that_end_differently(make_pair) -> None:
    predicted, measured = make_pair("visium")
    for ending in ("", ".1"):
        named = measured.copy()
        named.obs_names = [name.removesuffix("-1") + ending for name in measured.obs_names]
        found = align(predicted, named, CompareSettings())
        assert found.manifest.matched_by == "name"
        assert found.warnings[0].startswith("Barcodes end differently")
