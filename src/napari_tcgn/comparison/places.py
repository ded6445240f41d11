"""What is known of where spots are, and ways to pair two sets of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_tcgn.engine import RunRecord
from napari_tcgn.errors import DataError
from napari_tcgn.expression import UNS_KEY, repeated_spots
from napari_tcgn.spots import flat_positions, is_whole

if TYPE_CHECKING:
    from anndata import AnnData

Floats = NDArray[np.float64]
Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where the spots of a table are, as far as is known.

    Attributes
    ----------
    ids : object [n]
    array : int64 [n, 2] or None
        (col, row): x to the right, y down.
    pixels : float64 [n, 2] or None
        (x, y) in full-resolution px.
    """

    ids: NDArray[np.object_]
    array: NDArray[np.int64] | None
    pixels: Floats | None


def record_of(predicted: AnnData) -> RunRecord:
    """Return the run record of a prediction.

    Raises
    ------
    DataError
        If it is no prediction of this package.
    """
    try:
        return RunRecord.from_json(predicted.uns[UNS_KEY]["run_record"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"The predicted AnnData holds no napari-tcgn prediction (uns has {sorted(predicted.uns)}).",
            "Give what `napari-tcgn predict`, the dock's Export or `to_anndata` has made.",
        ) from error


def places_of(adata: AnnData, name: str) -> Places:
    """Read ids and positions.

    Raises
    ------
    DataError
        If a spot is named twice, or a position is not finite.
    """
    if not adata.obs_names.is_unique:
        raise repeated_spots(adata.obs_names, name)
    array = pixels = None
    if {"array_row", "array_col"} <= set(adata.obs):
        array = _whole(adata.obs[["array_col", "array_row"]])
    if "spatial" in adata.obsm:
        pixels = flat_positions(adata.obsm["spatial"], name.lower(), DataError)
        if not np.isfinite(pixels).all():
            raise DataError(f'{name} has positions that are no numbers (obsm["spatial"]).', "Remove these spots.")
    return Places(adata.obs_names.to_numpy(dtype=object), array, pixels)


def _whole(columns: pd.DataFrame) -> NDArray[np.int64] | None:
    """Return array positions as whole numbers, None where one of them is none: it is no key to a spot then."""
    numbers = columns.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    return numbers.astype(np.int64) if is_whole(numbers).all() else None


def same_keys(predicted: list[Any], measured: list[Any]) -> Pairs:
    """Return the pairs of equal keys, in the order of the prediction; keys that recur in a table pair with none."""
    place_measured, place_predicted = _once(measured), _once(predicted)
    found = [(i, place_measured[key]) for key, i in place_predicted.items() if key in place_measured]
    pairs = np.array(sorted(found), dtype=np.intp).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _once(keys: list[Any]) -> dict[Any, int]:
    place: dict[Any, int] = {}
    again = set()
    for number, key in enumerate(keys):
        if key in place:
            again.add(key)
        place[key] = number
    return {key: number for key, number in place.items() if key not in again}


def nearest_pairs(predicted: Floats, measured: Floats, tolerance: float) -> Pairs:
    """Pair points that are each other's nearest and no farther apart than `tolerance`: one to one."""
    distance, partner = cKDTree(measured).query(predicted, distance_upper_bound=tolerance)
    _, back = cKDTree(predicted).query(measured)
    near = np.flatnonzero(np.isfinite(distance))
    mutual = near[back[partner[near]] == near]
    return mutual.astype(np.intp), partner[mutual].astype(np.intp)
