import numpy as np
import pytest

from napari_tcgn.spots import BLOCK, Lattice
from napari_tcgn.training.data.split import validation_blocks


def square(row: np.ndarray, col: np.ndarray) -> Lattice:
    return Lattice("square", np.column_stack([col, row]).astype(float), row, col)


ARRAY = square(*(a.ravel() for a in np.mgrid[0:20, 0:20]))


def test_share_is_near_the_wanted_one():
    for fraction in (0.05, 0.15, 0.3, 0.6):
        chosen = validation_blocks(ARRAY, fraction, 0, "C2")
        assert abs(chosen.mean() - fraction) <= 0.5 * BLOCK**2 / len(ARRAY)


def test_blocks_are_whole():
    chosen = validation_blocks(ARRAY, 0.15, 3, "C2").reshape(20, 20)
    blocks = chosen.reshape(5, BLOCK, 5, BLOCK).swapaxes(1, 2).reshape(25, -1)
    assert set(blocks.mean(axis=1)) == {0.0, 1.0}


def test_seed_and_section_decide_and_nothing_else():
    a = validation_blocks(ARRAY, 0.15, 0, "C2")
    np.random.seed(5)  # noqa: NPY002 - the global generator must not matter
    assert np.array_equal(a, validation_blocks(ARRAY, 0.15, 0, "C2"))
    assert not np.array_equal(a, validation_blocks(ARRAY, 0.15, 1, "C2"))
    assert not np.array_equal(a, validation_blocks(ARRAY, 0.15, 0, "C3"))


@pytest.mark.parametrize("n", [2, 3, 5, 9])
def test_small_sections_keep_spots_to_train_on(n):
    line = np.arange(n)
    chosen = validation_blocks(square(line, np.zeros(n, int)), 0.15, 0, "B1")
    assert 1 <= chosen.sum() < n


def test_nothing_to_split():
    one = np.zeros(1, int)
    assert not validation_blocks(square(one, one), 0.15, 0, "B1").any()
    same_place = np.zeros(6, int)
    assert not validation_blocks(square(same_place, same_place), 0.15, 0, "B1").any()
