"""The inner validation split: whole neighbourhoods of spots, never the held-out section."""

from __future__ import annotations

import math
import zlib

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.spots import BLOCK, Lattice


def validation_blocks(lattice: Lattice, fraction: float, seed: int, section: str) -> NDArray[np.bool_]:
    """Mark the spots of one section that choose the epoch instead of training.

    Neighbouring spots look and express alike: single spots taken out at random would be judged by their own neighbours.

    Parameters
    ----------
    lattice : Lattice
        Of the n spots.
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
    n = len(lattice)
    chosen = np.zeros(n, dtype=bool)
    if n < 2:
        return chosen
    block_of = _blocks(lattice, wanted=math.ceil(1 / fraction))
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


def _blocks(lattice: Lattice, wanted: int) -> NDArray[np.intp]:
    """Number the blocks of a section from 0; a small one gets smaller blocks, until there are `wanted` of them."""
    for side in range(BLOCK, 1, -1):
        block_of = lattice.blocks(side)
        if block_of.max() + 1 >= wanted:
            return block_of
    return lattice.blocks(1)
