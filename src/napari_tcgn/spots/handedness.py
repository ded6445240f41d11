"""Positions that were mirrored, or whose x and y were swapped, on their way to the slide."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SpotsError
from napari_tcgn.slide import Slide
from napari_tcgn.spots.distance import fit_lattice
from napari_tcgn.spots.source import StSource
from napari_tcgn.spots.table import Spots

Floats = NDArray[np.float64]
Turn = Callable[[Floats, Floats, float, float], tuple[Floats, Floats]]

# What may have been done to (x, y) on an image of w x h px; doing it again undoes it.
MIRRORED: dict[str, Turn] = {
    "with x and y swapped": lambda x, y, w, h: (y, x),
    "mirrored left to right": lambda x, y, w, h: (w - x, y),
    "mirrored top to bottom (rows that grow upwards)": lambda x, y, w, h: (x, h - y),
    "swapped along the other diagonal": lambda x, y, w, h: (w - y, h - x),
}
ROTATED: dict[str, Turn] = {
    "rotated by 180°": lambda x, y, w, h: (w - x, h - y),
    "rotated by 90° clockwise": lambda x, y, w, h: (h - y, x),
    "rotated by 90° anticlockwise": lambda x, y, w, h: (y, w - x),
}
MIN_ON_TISSUE = 0.3  # pale fat may be missed by the mask; most spots of a right table are not
_AS_THEY_ARE = "as they are"
UNTURNED = "Give positions with x to the right and y down, from the upper left corner, and the image as it was then."
DOUBTFUL, MUCH = 0.7, 0.2  # share on tissue of spots that may be mirrored, and by how much more the mirrored ones have
SURE = 0.95  # share on tissue in another orientation that leaves no doubt, where few lie on it as they are
CLEARLY = 0.05  # share of spots on tissue by which one orientation is better than another
_SQUARE_ENOUGH = 0.5  # sine of the angle between rows and columns
_EXCHANGED = 1.3  # of a right array the ratio is 0.58, of an exchanged one 1.73
_MOST = 5000  # spots that are looked at
# Their array columns are known to run to the right, where its rows run down. Those of Visium HD may be mirrored in a
# right section (10x' own are), and of other arrays nobody knows.
KNOWN_HAND = ("st", "visium", "square", "hex")


def is_mirrored(spots: Spots) -> bool | None:
    """Tell whether the array columns lie to the left where its rows run down, whatever the rotation.

    Returns
    -------
    bool or None
        None where the spots follow no lattice, or that of an array whose columns may run either way.
    """
    if spots.layout not in KNOWN_HAND and not isinstance(spots.source, StSource):  # ST has chessboards too
        return None
    return _runs_left(spots)


def _runs_left(spots: Spots) -> bool | None:
    """Tell the same of any array; None where the spots follow none, or a very oblique one."""
    try:
        fit = fit_lattice(spots)
    except SpotsError:
        return None
    area = float(fit.col_step[0] * fit.row_step[1] - fit.col_step[1] * fit.row_step[0])
    sides = float(np.hypot(*fit.col_step) * np.hypot(*fit.row_step))
    return area < 0 if abs(area) > _SQUARE_ENOUGH * sides else None


def exchanged_array(spots: Spots) -> SpotsError | None:
    """Return what is to be said of a Visium array whose rows and columns are exchanged; None where they are not.

    From column to column it is half a pitch, from row to row 0.87 of one, whatever the rotation.
    """
    if spots.layout != "visium":
        return None
    try:
        fit = fit_lattice(spots)
    except SpotsError:
        return None
    across, down = float(np.hypot(*fit.col_step)), float(np.hypot(*fit.row_step))
    if across <= _EXCHANGED * down:
        return None
    return SpotsError(
        f"array_row and array_col of {spots.source.file or 'the spots'} are exchanged: its columns are {across:.4g} px "
        f"apart and its rows {down:.4g}, and on a Visium slide columns are the closer ones.",
        "Exchange the two columns: who is whose neighbour follows from them.",
    )


def on_tissue(spots: Spots, slide: Slide, turns: dict[str, Turn]) -> dict[str, float]:
    """Return the share of the spots that would lie on tissue, once each of these things done to them were undone."""
    from napari_tcgn.slide import overview_of

    some = spots if len(spots) <= _MOST else spots.select(np.linspace(0, len(spots) - 1, _MOST).astype(np.intp))
    width, height = slide.level_dimensions[0]
    diameter = 1.0 if slide.mpp is None else spots.diameter_um / slide.mpp
    tissue = overview_of(slide).tissue()
    shares = {}
    for name, turn in turns.items():
        x, y = turn(some.x, some.y, width, height)
        inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        fraction = np.zeros(len(some))
        if inside.any():
            fraction[inside] = tissue.fraction(x[inside], y[inside], diameter, spots.shape == "square")
        shares[name] = float((fraction >= 0.5).mean())
    return shares


def mirrored_contradiction(spots: Spots, slide: Slide) -> tuple[SpotsError, bool] | None:
    """Return what is to be said of spots that seem mirrored, and whether they may be predicted all the same.

    Space Ranger's positions are mirrored where the image was, and right then: such spots lie on the tissue as they are,
    and clearly less so any other way. Where the array does not tell, the tissue gives a doubt, and a refusal only where
    nearly all would lie on it another way.
    """
    mirrored = is_mirrored(spots)
    if mirrored is False:
        return None
    shares = on_tissue(spots, slide, {_AS_THEY_ARE: lambda x, y, w, h: (x, y)} | MIRRORED)
    own = shares.pop(_AS_THEY_ARE)
    best = max(shares, key=lambda name: shares[name])
    name = spots.source.file or "the spots"
    if mirrored is None:
        if not MIN_ON_TISSUE <= own < DOUBTFUL or shares[best] < own + MUCH:
            return _unusual_hand(spots, own, best, shares[best])
        found = (
            f"Only {own:.0%} of the spots of {name} lie on tissue of slide {slide.name}; "
            f"{shares[best]:.0%} would if they were {best}."
        )
        return SpotsError(found, UNTURNED), shares[best] < SURE
    found = (
        f"The lattice of {name} is mirrored on slide {slide.name}: its array columns run to the left where its rows "
        "run down, which no rotation does."
    )
    if own > shares[best] + CLEARLY:
        told = f"On tissue lie {own:.0%} as they are, {shares[best]:.0%} if they were {best}: taken as they are."
        return SpotsError(f"{found} {told}", "Look at them on the slide."), True
    if shares[best] > own + CLEARLY:
        told = f"They seem to be {best}: on tissue lie {shares[best]:.0%} that way, {own:.0%} as they are."
    else:
        told = f"The tissue does not tell what was done to them (on it lie {own:.0%} as they are)."
    return SpotsError(f"{found} {told}", UNTURNED), False


def _unusual_hand(spots: Spots, own: float, best: str, share: float) -> tuple[SpotsError, bool] | None:
    """Return what is to be said of an array of unknown kind that runs the other way than those that are known."""
    if spots.layout != "custom" or not _runs_left(spots):
        return None
    found = (
        f"The array columns of {spots.source.file or 'the spots'} run to the left where its rows run down, as in no "
        f"array of ST or Visium that lies as it should: x and y may be exchanged, or one of them mirrored (on tissue "
        f"lie {own:.0%} as they are, {share:.0%} if they were {best})."
    )
    # Two things speak against it then: its numbers and the tissue.
    return SpotsError(found, UNTURNED), not (share >= SURE and share > own + CLEARLY)


def better_turn(spots: Spots, slide: Slide) -> tuple[str, float]:
    """Return in a sentence how most spots that miss the tissue would lie on it ("" if no way is good), and how many."""
    shares = on_tissue(spots, slide, MIRRORED | ROTATED)
    best = max(shares, key=lambda name: shares[name])
    told = f" They seem to be {best}: {shares[best]:.0%} would lie on it then." if shares[best] >= DOUBTFUL else ""
    return told, shares[best]
