"""The one table of spots: where to look on a slide."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_tcgn.errors import SpotsError
from napari_tcgn.spots.lattice import Lattice, make_lattice
from napari_tcgn.spots.source import SpotsSource

LARGEST = 2**31  # any array is smaller, and what is larger by far has no whole number of 64 bits


@dataclass(frozen=True, slots=True, eq=False)
class Spots:
    """Spots of one section; every array has one entry per spot.

    Attributes
    ----------
    ids : str [n]
        Unique names: barcodes, or "<x>x<y>" of legacy ST arrays.
    x, y : float64 [n]
        Centres in full-resolution px of the slide; x to the right, y down.
    array_row, array_col : int64 [n]
        Position on the array; rows run down, columns to the right (legacy ST: col = x, row = y).
    diameter_um, pitch_um : float
        Spot diameter (side of a bin of Visium HD) and centre-to-centre distance in µm.
    layout : str
        "st", "visium", "visium-hd", "square", "hex" or "custom".
    in_tissue : bool [n] or None
        None: all true.
    tissue_fraction : float64 [n] or None
        Share of the spot's disc that is tissue, NaN where not measured; None: all NaN.
    source : SpotsSource
        Where the spots come from (file names, settings), for the run record.

    Raises
    ------
    SpotsError
        If lengths differ, a coordinate is not finite, an array position is missing or no whole number, or an id is
        repeated.
    """

    ids: NDArray[np.str_]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    array_row: NDArray[np.int64]
    array_col: NDArray[np.int64]
    diameter_um: float
    pitch_um: float
    layout: str
    in_tissue: NDArray[np.bool_] | None = None
    tissue_fraction: NDArray[np.float64] | None = None
    source: SpotsSource = field(default_factory=SpotsSource)
    _lattice: Lattice | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        def set_field(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        set_field("ids", np.asarray(self.ids, dtype=np.str_))
        n = len(self.ids)
        for name in ("x", "y"):
            set_field(name, np.asarray(getattr(self, name), dtype=np.float64))
        for name in ("array_row", "array_col"):
            set_field(name, _whole(name, getattr(self, name), self.ids))
        set_field("in_tissue", np.ones(n, bool) if self.in_tissue is None else np.asarray(self.in_tissue, bool))
        fraction = np.full(n, np.nan) if self.tissue_fraction is None else self.tissue_fraction
        set_field("tissue_fraction", np.asarray(fraction, dtype=np.float64))
        for name in ("x", "y", "array_row", "array_col", "in_tissue", "tissue_fraction"):
            length = len(getattr(self, name))
            if length != n:
                raise SpotsError(f"Spot column {name!r} has {length} entries for {n} ids.", "Give one entry per spot.")
        bad = ~(np.isfinite(self.x) & np.isfinite(self.y))
        if bad.any():
            raise SpotsError(
                f"{bad.sum()} of {n} spots have a coordinate that is not a finite number "
                f"(first: {str(self.ids[bad][0])!r}).",
                "Remove these rows or fill in their pixel positions.",
            )
        unique, counts = np.unique(self.ids, return_counts=True)
        if len(unique) != n:
            raise SpotsError(
                f"Spot id {str(unique[counts > 1][0])!r} occurs {counts.max()} times.",
                "Give every spot an id of its own.",
            )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def shape(self) -> Literal["disc", "square"]:
        """What a spot looks like: the bins of Visium HD are squares."""
        return "square" if self.layout == "visium-hd" else "disc"

    @property
    def lattice(self) -> Lattice:
        """How the spots stand to each other: neighbours, windows, blocks; computed once."""
        if self._lattice is None:
            found = make_lattice(self.layout, self.array_row, self.array_col, self.x, self.y)
            object.__setattr__(self, "_lattice", found)
            return found
        return self._lattice

    def select(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Spots:
        """Return the spots picked by a boolean mask or by indices, in that order."""
        columns = ("ids", "x", "y", "array_row", "array_col", "in_tissue", "tissue_fraction")
        return replace(self, **{name: getattr(self, name)[keep] for name in columns})

    def outside(self, width: int, height: int) -> NDArray[np.bool_]:
        """Mark the spots whose centre lies outside a slide of `width` x `height` px."""
        return (self.x < 0) | (self.y < 0) | (self.x >= width) | (self.y >= height)


def is_whole(values: ArrayLike) -> NDArray[np.bool_]:
    """Tell which values are array positions: whole numbers of a size that an array has."""
    numbers = np.asarray(values, dtype=np.float64)
    return np.asarray((np.abs(numbers) <= LARGEST) & (numbers == np.rint(numbers)))  # NaN is none


def _whole(name: str, values: NDArray[Any], ids: NDArray[np.str_]) -> NDArray[np.int64]:
    """Return array positions as whole numbers."""
    numbers = np.asarray(values)
    bad = ~is_whole(numbers)
    if bad.any():
        first = f" (first: {str(ids[bad][0])!r}: {float(numbers[bad][0]):g})" if len(ids) == len(numbers) else ""
        first_bad = float(numbers[bad][0])
        beyond = " of an array" if np.isfinite(first_bad) and abs(first_bad) > LARGEST else ""
        raise SpotsError(
            f"{bad.sum()} of {len(numbers)} spots have no whole number{beyond} as {name}{first}.",
            "Fill in their array positions, or remove these spots.",
        )
    return numbers.astype(np.int64)
