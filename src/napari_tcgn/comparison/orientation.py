"""Positions that were transposed, mirrored or rotated on their way: found, named, and undone only when told to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.stats import median_pcc, pearson_per_gene

Floats = NDArray[np.float64]

# What each of the eight symmetries of the square does to (x, y), x to the right and y down.
SYMMETRIES: dict[str, Floats] = {
    "upright": np.array([[1.0, 0], [0, 1]]),
    "mirrored-x": np.array([[-1.0, 0], [0, 1]]),
    "mirrored-y": np.array([[1.0, 0], [0, -1]]),
    "rotated-180": np.array([[-1.0, 0], [0, -1]]),
    "transposed": np.array([[0.0, 1], [1, 0]]),
    "rotated-90": np.array([[0.0, -1], [1, 0]]),
    "rotated-270": np.array([[0.0, 1], [-1, 0]]),
    "antitransposed": np.array([[0.0, -1], [-1, 0]]),
}
DESCRIPTIONS = {
    "upright": "upright",
    "mirrored-x": "mirrored left to right",
    "mirrored-y": "mirrored top to bottom",
    "rotated-180": "rotated by 180°",
    "transposed": "transposed (x and y swapped)",
    "rotated-90": "rotated by 90° clockwise",
    "rotated-270": "rotated by 90° anticlockwise",
    "antitransposed": "transposed along the other diagonal",
}
# What makes array positions so.
NUMBERED = {
    "mirrored-x": "its array columns are numbered from the other side",
    "mirrored-y": "its array rows are numbered from the other side",
    "rotated-180": "its array columns and rows are numbered from the other side",
}
# A turned map must follow the measurement by so much more (median PCC) to be named.
MARGIN = 0.1
MIN_OVERLAP = 0.6  # share of spots that must meet again after turning
GENES = 200  # that vary most, for the check by expression


def undo(name: str, xy: Floats, centre: Floats, turned_centre: Floats | None = None) -> Floats:
    """Turn positions back.

    Parameters
    ----------
    name : str
        What was done to them (`SYMMETRIES`).
    xy : float64 [n, 2]
    centre : float64 [2]
        Of the frame that they are turned back into, such as half an image's width and height.
    turned_centre : float64 [2], optional
        Of the frame that they lie in; by default the same frame, turned.
    """
    matrix = SYMMETRIES[name]
    middle = np.abs(matrix) @ centre if turned_centre is None else turned_centre
    turned: Floats = (xy - middle) @ matrix + centre  # the inverse of a symmetry is its transpose
    return turned


def common_positions(predicted: NDArray[np.int64], measured: NDArray[np.int64]) -> int:
    """Count the array positions [n, 2] that two sets have in common."""
    return len(set(map(tuple, predicted.tolist())) & set(map(tuple, measured.tolist())))


def turned_array(name: str, predicted: NDArray[np.int64], measured: NDArray[np.int64]) -> NDArray[np.int64]:
    """Turn array positions back; one that is counted from another side starts where most of them meet.

    Parameters
    ----------
    name : str
        What was done to the measured ones.
    predicted, measured : int64 [n, 2]
        (col, row).
    """
    turned = measured @ SYMMETRIES[name].astype(np.int64)
    if name in ("upright", "transposed"):  # need no frame
        return turned
    sides = (np.stack([xy.min(axis=0), xy.max(axis=0)]).sum(axis=0) for xy in (predicted, turned))
    first = (next(sides) - next(sides)) // 2  # outermost spots may lack counts
    shifts = [first + np.array([across, down]) for across in (0, 1, -1) for down in (0, 1, -1)]
    moved: list[NDArray[np.int64]] = [turned + shift for shift in shifts]
    return max(moved, key=lambda array: common_positions(predicted, array))


@dataclass(frozen=True, slots=True)
class Fit:
    """How positions of the same spots relate: measured = scale * symmetry(predicted) + shift.

    Attributes
    ----------
    name : str
        Nearest of the symmetries.
    scale : float
    residual : float
        Median distance that the best affine map leaves, in the predicted positions' unit; NaN where the spots lie on
        one line and tell nothing of a turn.
    """

    name: str
    scale: float
    residual: float


def fit(predicted: Floats, measured: Floats) -> Fit:
    """Fit measured positions [n, 2] as an affine map of the predicted positions of the same spots."""
    centred = predicted - predicted.mean(axis=0)
    target = measured - measured.mean(axis=0)
    slope, *_ = np.linalg.lstsq(centred, target, rcond=None)  # target = centred @ slope
    matrix = slope.T
    scale = float(np.sqrt(abs(np.linalg.det(matrix))))
    if np.linalg.matrix_rank(centred) < 2 or not scale > 0:
        return Fit("upright", 0.0, float("nan"))
    rest = np.linalg.norm(target - centred @ slope, axis=1) / scale
    name = min(SYMMETRIES, key=lambda key: float(np.abs(matrix / scale - SYMMETRIES[key]).sum()))
    return Fit(name, scale, float(np.median(rest)))


def better_by_expression(predicted: Floats, measured: Floats, xy: Floats) -> tuple[str, dict[str, float]]:
    """Tell whether the measurement follows the prediction better when its map is turned.

    Parameters
    ----------
    predicted, measured : float64 [n, genes]
    xy : float64 [n, 2]
        Positions in steps of the array.

    Returns
    -------
    name : str
        "upright", unless another orientation does clearly better.
    scores : dict of str to float
        Median PCC over the genes that vary most, per orientation; those with too few common spots are left out.
    """
    from scipy.spatial import cKDTree

    chosen = np.argsort(-(predicted.std(axis=0) * measured.std(axis=0)))[:GENES]
    predicted, measured = predicted[:, chosen], measured[:, chosen]
    centre = (xy.min(axis=0) + xy.max(axis=0)) / 2
    tree = cKDTree(xy)
    scores: dict[str, float] = {}
    for name in SYMMETRIES:
        # Where spot i would lie, had its measured position been turned: the measurement there was made at i.
        distance, place = tree.query(undo(name, xy, centre, centre), distance_upper_bound=0.6)
        meets = np.isfinite(distance)
        if meets.mean() < MIN_OVERLAP:
            continue
        score = median_pcc(pearson_per_gene(predicted[place[meets]], measured[meets]))
        scores[name] = 0.0 if np.isnan(score) else score
    best = max(scores, key=lambda name: scores[name])
    clear = scores[best] > scores["upright"] + MARGIN and scores[best] > 2 * scores["upright"]
    return (best if clear else "upright"), {name: round(score, 4) for name, score in scores.items()}
