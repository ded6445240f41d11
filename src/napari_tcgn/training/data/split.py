"""The inner validation split: whole neighbourhoods of spots, never the held-out section."""

from __future__ import annotations

import math
import zlib

import numpy as np
from numpy.typing import NDArray

# Side of a block in array steps (legacy ST: 4 x 200 µm). Neighbouring spots look and express alike, so that
# single spots taken out at random would be judged by their own neighbours.
BLOCK_STEPS = 4


def validation_blocks(
    array_row: NDArray[np.int64],
    array_col: NDArray[np.int64],
    fraction: float,
    seed: int,
    section: str,
) -> NDArray[np.bool_]:
    """Mark the spots of one section that choose the epoch instead of training.

    Parameters
    ----------
    array_row, array_col : int64 [n]
        Position of every spot on the array.
    fraction : float
        Wanted share of spots; whole blocks come as near to it as they can, but at least one.
    seed : int
        Of the run.
    section : str
        Name of the section: its split is the same in whichever fold it trains.

    Returns
    -------
    bool [n]
        True: validation. Never all of the spots; none if there are fewer than two spots.
    """
    n = len(array_row)
    chosen = np.zeros(n, dtype=bool)
    if n < 2:
        return chosen
    block_of = _blocks(array_row, array_col, wanted=math.ceil(1 / fraction))
    order = np.random.default_rng([seed, zlib.crc32(section.encode())]).permutation(block_of.max() + 1)
    target = fraction * n
    for block in order:
        members = block_of == block
        if members.all():
            break  # one block only (spots at the same place): better no validation than no training
        count = chosen.sum()
        if count == 0 or abs(count + members.sum() - target) < abs(count - target):
            chosen |= members
        if chosen.sum() >= target:
            break
    return chosen


def _blocks(array_row: NDArray[np.int64], array_col: NDArray[np.int64], wanted: int) -> NDArray[np.intp]:
    """Number square blocks from 0; a small section gets smaller blocks, until there are `wanted` of them."""
    block_of = np.zeros(len(array_row), dtype=np.intp)
    for side in range(BLOCK_STEPS, 0, -1):
        corner = np.stack([array_row // side, array_col // side], axis=1)  # [n, 2]
        _, block_of = np.unique(corner, axis=0, return_inverse=True)
        if block_of.max() + 1 >= wanted:
            break
    return block_of.reshape(-1)
