"""Names of spots that differ only in what programs put behind a barcode."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

_ENDING = r"[-.]\d+$"  # Space Ranger's "-1", of which R makes ".1"


def same_names(names: Iterable[str], known: Iterable[str]) -> tuple[NDArray[np.object_], str]:
    """Return names as others know them, where they differ by the ending of barcodes only; and a sentence that says it.

    Parameters
    ----------
    names, known : iterables of str
        Of the same spots: "AAAC" or "AAAC.1", and "AAAC-1". Endings that differ (-1 and -2) are those of different
        sections and stay.

    Returns
    -------
    names : object [n]
        As they are where some are known, or the endings do not tell.
    note : str
        "" where nothing was changed.
    """
    import pandas as pd

    mine, theirs = (pd.Index([str(name) for name in given], dtype=object) for given in (names, known))
    as_they_are: NDArray[np.object_] = mine.to_numpy(dtype=object)
    if len(mine) == 0 or mine.isin(theirs).any():
        return as_they_are, ""
    both = all(bool(index.str.contains(_ENDING).any()) for index in (mine, theirs))
    short, of_them = ((_with_hyphen if both else _without)(index) for index in (mine, theirs))
    place = of_them.get_indexer(short) if short.is_unique and of_them.is_unique else np.full(len(mine), -1)
    if not (place >= 0).any():
        return as_they_are, ""
    found = np.where(place >= 0, theirs.to_numpy(dtype=object)[place], as_they_are)
    first = int(np.flatnonzero(place >= 0)[0])
    told = f"Barcodes end differently (such as {mine[first]} and {theirs[place[first]]}) and were taken for the same."
    return found, told


def _without(names: pd.Index[str]) -> pd.Index[str]:
    return names.str.replace(_ENDING, "", regex=True)


def _with_hyphen(names: pd.Index[str]) -> pd.Index[str]:
    return names.str.replace(r"\.(\d+)$", r"-\1", regex=True)
