"""Who is near whom: by hand for every arrangement, and on square arrays as it was when each user had its own copy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_tcgn.options import GridSettings
from napari_tcgn.slide import ArraySlide
from napari_tcgn.spots import Lattice, Spots, make_grid, make_lattice
from napari_tcgn.training.data.split import validation_blocks
from napari_tcgn.training.data.target import smoothed


def spots_of(row, col, x, y, layout: str) -> Spots:
    ids = [f"s{i}" for i in range(len(row))]
    return Spots(np.array(ids), np.asarray(x), np.asarray(y), np.asarray(row), np.asarray(col), 50.0, 100.0, layout)


def square(rows: int, cols: int, layout: str = "st") -> Spots:
    row, col = np.mgrid[:rows, :cols].reshape(2, -1)
    return spots_of(row, col, 80.0 * col, 80.0 * row, layout)


def visium(rows: int = 78, cols: int = 64, layout: str = "visium") -> Spots:
    """The array of 4,992 spots, in px of a pitch of 80: 78 rows of 64 spots, the odd ones half a pitch further."""
    row, along = np.mgrid[:rows, :cols].reshape(2, -1)
    col = 2 * along + row % 2
    return spots_of(row, col, 40.0 * col, 80 * row * math.sqrt(3) / 2, layout)


def chessboard(side: int = 12, layout: str = "custom") -> Spots:
    row, col = np.mgrid[:side, :side].reshape(2, -1)
    keep = (row + col) % 2 == 0
    row, col = row[keep], col[keep]
    return spots_of(row, col, 80.0 * col, 80.0 * row, layout)


def legacy(seed: int = 0) -> Spots:
    """A section on a legacy array: not all of it, printed a little off its places."""
    rng = np.random.default_rng(seed)
    row, col = np.mgrid[2:33, 1:34].reshape(2, -1)
    keep = (np.hypot(row - 16, col - 17) < 15) & (rng.uniform(size=len(row)) > 0.1)
    row, col = row[keep], col[keep]
    order = rng.permutation(len(row))
    row, col = row[order], col[order]
    x, y = (290 * v + rng.normal(0, 40, len(v)) for v in (col, row))
    return spots_of(row, col, x, y, "st")


def degrees(lattice: Lattice, around: bool) -> np.ndarray:
    if around:
        return np.bincount(lattice.pairs_around().ravel(), minlength=len(lattice))
    return np.asarray((lattice.neighbour_weights() > 0).sum(axis=1)).ravel()


@pytest.mark.parametrize(
    ("spots", "kind", "sides", "around", "in_window"),
    [
        (square(9, 9), "square", 4, 8, 25),
        (square(9, 9, "visium-hd"), "square", 4, 8, 25),
        (visium(9, 9), "hexagonal", 6, 6, 19),
        (visium(9, 9, "hex"), "hexagonal", 6, 6, 19),
        (chessboard(18), "chessboard", 4, 8, 13),
    ],
    ids=["square", "bins", "visium", "hex", "chessboard"],
)
def test_neighbours_of_a_spot_in_the_middle(spots, kind, sides, around, in_window) -> None:
    lattice = spots.lattice
    assert lattice.kind == kind
    assert degrees(lattice, around=False).max() == sides
    assert degrees(lattice, around=True).max() == around
    assert np.asarray(lattice.window().sum(axis=1)).max() == in_window
    nearest = cKDTree(lattice.xy).query(lattice.xy, k=2)[0][:, 1]
    np.testing.assert_allclose(nearest, 1.0, err_msg="in pitches")
    np.testing.assert_allclose(lattice.xy * 80 * (math.sqrt(2) if kind == "chessboard" else 1), _places(spots))


def _places(spots: Spots) -> np.ndarray:
    return np.column_stack([spots.x, spots.y])


def test_comparison_and_cross_validation_make_the_same_blocks_of_visium() -> None:
    """272 blocks of about 18 spots; a cross-validation once had 640 of eight."""
    spots = visium()
    assert len(spots) == 4992
    blocks = spots.lattice.blocks()
    # A comparison has no `Spots` but a prediction's columns, and the pitch of its record.
    compared = make_lattice("visium", spots.array_row, spots.array_col, spots.x, spots.y, 80.0).blocks()
    np.testing.assert_array_equal(blocks, compared)
    sizes = np.bincount(blocks)
    assert len(sizes) == 272
    assert sizes.mean() == pytest.approx(18.35, abs=0.01)
    x, y = _places(spots).T / 80
    for block in range(0, 272, 17):
        mine = blocks == block
        assert np.ptp(x[mine]) < 4
        assert np.ptp(y[mine]) < 4
    # What is set aside in training are whole ones of these.
    chosen = validation_blocks(spots.lattice, 0.15, 0, "A1")
    assert set(np.bincount(blocks, chosen) / sizes) == {0.0, 1.0}
    assert chosen.mean() == pytest.approx(0.15, abs=0.003)


def test_smoothing_reaches_all_six_neighbours_of_visium() -> None:
    spots = visium(9, 9)
    target = np.zeros((len(spots), 1), np.float32)
    middle = 4 * 9 + 4
    target[middle] = 6.0
    found = smoothed(target, spots.lattice, 0.5)[:, 0]
    distance = np.hypot(spots.x - spots.x[middle], spots.y - spots.y[middle])
    near = (distance > 0) & (distance < 81)
    assert near.sum() == 6
    np.testing.assert_allclose(found[near], 0.5)  # a sixth of 6, by half
    assert found[middle] == 3.0
    assert np.flatnonzero(found).tolist() == np.flatnonzero(near | (distance == 0)).tolist()


def test_some_spots_of_a_section_keep_their_places() -> None:
    spots = visium(9, 9)
    keep = np.arange(len(spots)) % 3 > 0
    some, alone = spots.lattice.select(keep), spots.select(keep).lattice
    np.testing.assert_array_equal(some.xy, alone.xy)
    np.testing.assert_array_equal(some.pairs_around(), alone.pairs_around())
    assert len(some) == keep.sum()
    assert spots.lattice is spots.lattice, "computed once"


def test_spots_without_an_array_lie_where_they_lie() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 4000, (2, 150))
    spots = spots_of(np.zeros(150, int), np.arange(150), x, y, "custom")
    lattice = spots.lattice
    assert lattice.kind == "irregular"
    assert not lattice.regular
    pitch = np.median(cKDTree(_places(spots)).query(_places(spots), k=2)[0][:, 1])
    np.testing.assert_allclose(lattice.xy * pitch, _places(spots))
    corner = np.floor(_places(spots) / (4 * pitch))
    same = (corner[:, None] == corner[None]).all(axis=-1)
    blocks = lattice.blocks()
    np.testing.assert_array_equal(blocks[:, None] == blocks[None], same)
    known = make_lattice("custom", spots.array_row, spots.array_col, x, y, 200.0)
    np.testing.assert_allclose(known.xy * 200, _places(spots))


def test_what_is_no_array_of_its_layout_is_irregular() -> None:
    shared = square(5, 5)
    shared = spots_of(shared.array_row // 2, shared.array_col, shared.x, shared.y, "st")
    assert shared.lattice.kind == "irregular", "two spots at one array position"
    board = chessboard()
    assert spots_of(board.array_row, board.array_col, board.x, board.y * 1.7, "custom").lattice.kind == "irregular"
    assert visium(layout="custom").lattice.kind == "irregular", "numbered like a chessboard, but not one"
    one = board.select(np.arange(1)).lattice
    assert one.kind == "irregular"
    assert one.blocks().tolist() == [0]
    assert one.window().toarray().tolist() == [[1.0]]
    assert make_lattice("custom", [], [], [], []).blocks().shape == (0,)


def test_a_grid_has_the_lattice_of_its_layout() -> None:
    slide = ArraySlide(np.zeros((1500, 1500, 3), np.uint8), "s", 1.0)
    for layout, kind in (("st", "square"), ("visium", "hexagonal")):
        spots = make_grid(slide, GridSettings(layout=layout, tissue_only=False, rotation_deg=20))
        assert spots.lattice.kind == kind
        assert degrees(spots.lattice, around=False).max() == {"square": 4, "hexagonal": 6}[kind]


# -- square arrays: exactly as it was -------------------------------------------------------------------------------


def old_blocks(row, col, side: int) -> np.ndarray:
    return np.unique(np.stack([row // side, col // side], axis=1), axis=0, return_inverse=True)[1].reshape(-1)


@pytest.mark.parametrize("seed", range(4))
def test_blocks_of_square_arrays_are_those_of_array_steps(seed: int) -> None:
    spots = legacy(seed)
    for shift in (0, -40):  # a grid may have negative positions
        moved = make_lattice("st", spots.array_row + shift, spots.array_col + shift, spots.x, spots.y)
        for side in (1, 2, 3, 4):
            np.testing.assert_array_equal(moved.blocks(side), old_blocks(moved.row, moved.col, side))


@pytest.mark.parametrize("seed", range(4))
def test_spots_set_aside_on_square_arrays_are_those_of_array_steps(seed: int) -> None:
    import zlib

    def old(row, col, fraction, seed, section):
        chosen = np.zeros(len(row), dtype=bool)
        for side in range(4, 0, -1):
            block_of = old_blocks(row, col, side)
            if block_of.max() + 1 >= math.ceil(1 / fraction):
                break
        order = np.random.default_rng([seed, zlib.crc32(section.encode())]).permutation(block_of.max() + 1)
        target = fraction * len(row)
        for block in order:
            members = block_of == block
            if members.all():
                break
            count = chosen.sum()
            if count == 0 or abs(count + members.sum() - target) < abs(count - target):
                chosen |= members
            if chosen.sum() >= target:
                break
        return chosen

    spots = legacy(seed)
    for few in (len(spots), 30, 6):
        some = spots.select(np.arange(few))
        for fraction in (0.05, 0.15, 0.5):
            found = validation_blocks(some.lattice, fraction, seed, "C2")
            np.testing.assert_array_equal(found, old(some.array_row, some.array_col, fraction, seed, "C2"))


@pytest.mark.parametrize("seed", range(4))
def test_smoothing_on_square_arrays_is_that_of_array_steps(seed: int) -> None:
    spots = legacy(seed)
    counts = np.random.default_rng(seed).poisson(3, (len(spots), 20))
    target = np.log10(1 + 1e4 * counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)
    place = np.stack([spots.array_row, spots.array_col], axis=1).astype(float)
    pairs = cKDTree(place).query_pairs(1.5, output_type="ndarray")
    total, count = np.zeros(target.shape), np.zeros(len(target))
    for one, other in ((0, 1), (1, 0)):
        np.add.at(total, pairs[:, one], target[pairs[:, other]])
        np.add.at(count, pairs[:, one], 1)
    expected = target.copy()
    has = count > 0
    expected[has] = (1 - 0.3) * target[has] + 0.3 * total[has] / count[has, None]
    found = smoothed(target, spots.lattice, 0.3)
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("seed", range(4))
def test_windows_and_sides_on_square_arrays_are_those_of_array_steps(seed: int) -> None:
    lattice = legacy(seed).lattice
    down, right = (np.abs(v[:, None] - v[None]) for v in (lattice.row, lattice.col))
    np.testing.assert_array_equal(lattice.window().toarray(), np.maximum(down, right) <= 2)
    np.testing.assert_array_equal(lattice.neighbour_weights().toarray() > 0, down + right == 1)
