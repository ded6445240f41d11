"""Which spots of a table are of which section: by their library ids, or where they lie in one another's places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SpotsError, TcgnError
from napari_tcgn.spots.text import as_flags, as_numbers

if TYPE_CHECKING:
    import pandas as pd

ARRAY = ("array_row", "array_col")
# Share of the spots that share their place with another: less is a slip, or rounding.
MIN_SHARED = {"array positions": 0.01, "positions": 0.1}


def which_section(
    obs: pd.DataFrame,
    keys: Sequence[str],
    pixels: NDArray[np.float64] | None,
    name: str,
    wanted: str | None,
    error: type[TcgnError] = SpotsError,
) -> tuple[str | None, NDArray[np.bool_]]:
    """Return the name of one section (None where it has none) and which spots are its own.

    A section that was cut out of a merged object goes by the library id of its spots: AnnData keeps all of uns. Where
    none tells, places that occur twice mean several sections, and a column by which none does tells them apart.

    Parameters
    ----------
    obs : pandas.DataFrame
    keys : sequence of str
        Of uns["spatial"].
    pixels : float64 [n, 2] or None
        Where the spots lie; looked at where they have no array positions.
    name : str
        Of the file, for the error.
    wanted : str or None
        Section that was asked for.
    error : type of TcgnError

    Raises
    ------
    TcgnError
        Of the given type, if there are several and none is wanted, or the wanted one is not among them.
    """
    ids = library_ids(obs, list(keys))
    told = ""
    if (ids is None or len(set(ids.tolist())) == 1) and (found := sharing_places(obs, pixels)) is not None:
        column, told = found
        if column is None:
            raise error(
                f"{name} holds several sections: {told}, and no column of obs tells which spot is of which.",
                "Write obs['library_id'], or one .h5ad per section.",
            )
        ids = obs[column].astype(str).to_numpy(dtype=np.str_)
        told = f": {told}, and obs[{str(column)!r}] tells them apart"
    known = list(keys) if ids is None else sorted(set(ids.tolist()))
    if wanted is not None and wanted not in known:
        listed = ", ".join(known[:5]) or "none that is named"
        raise error(f"{name} holds no section {wanted!r}; it holds {listed}.", "Give --library one of them.")
    if wanted is None and len(known) > 1:
        raise error(
            f"{name} holds the spots of {len(known)} sections ({', '.join(known[:5])}){told}.",
            f"Say which (--library {known[0]}), or write one .h5ad per section."
            if ids is not None
            else "Write one .h5ad per section, or say in obs['library_id'] which spot is of which.",
        )
    if ids is None and len(keys) > 1:
        raise error(
            f"{name} holds {len(keys)} sections ({', '.join(keys[:5])}), but does not tell which spot is of which.",
            "Write obs['library_id'], or one .h5ad per section.",
        )
    chosen = wanted if wanted is not None else next(iter(known), None)
    key = chosen if chosen in keys or told else keys[0] if len(keys) == 1 else None  # else it may be another's
    here = np.ones(len(obs), bool) if ids is None or wanted is None else ids == wanted
    return key, here


def library_ids(obs: pd.DataFrame, keys: list[str]) -> NDArray[np.str_] | None:
    """Return the library id of every spot: of that column, or of one that names nothing but sections of the file."""
    if "library_id" in obs:
        return obs["library_id"].astype(str).to_numpy(dtype=np.str_)
    for column in obs if len(keys) > 1 else ():
        if set(obs[column].astype(str)) <= set(keys):
            return obs[column].astype(str).to_numpy(dtype=np.str_)
    return None


def sharing_places(obs: pd.DataFrame, pixels: NDArray[np.float64] | None) -> tuple[Any, str] | None:
    """Return the column that tells spots in the same place apart (None: none does) and a clause; None without any."""
    import pandas as pd

    kind, places = "array positions", _array(obs)
    if places is None:
        if pixels is None:
            return None
        kind, places = "positions", pd.DataFrame(pixels, index=range(len(obs)))
    places = places[_on_tissue(obs) & places.notna().all(axis=1).to_numpy()]
    shared = places.duplicated(keep=False)
    if not shared.any() or shared.sum() < MIN_SHARED[kind] * len(places):
        return None
    return _telling(obs, places), f"{len(places)} spots have {len(places.drop_duplicates())} {kind}"


def _telling(obs: pd.DataFrame, places: pd.DataFrame) -> Any:
    """Return the column of the fewest values within each of which no place occurs twice."""
    found: dict[Any, int] = {}
    for column in obs:
        values = obs[column].iloc[places.index]
        if column in (*ARRAY, "in_tissue") or values.dtype.kind == "f":
            continue
        text = values.astype(str).to_numpy()
        count = len(set(text))
        if 2 <= count <= len(text) / 2 and not places.assign(of=text).duplicated().any():
            found[column] = count
    return min(found, key=lambda column: found[column], default=None)


def _array(obs: pd.DataFrame) -> pd.DataFrame | None:
    import pandas as pd

    if not set(ARRAY) <= set(obs):
        return None
    numbers = pd.DataFrame({column: as_numbers(obs[column]) for column in ARRAY})
    return numbers if (numbers.nunique() > 1).all() else None  # a column that is filled with one number says nothing


def _on_tissue(obs: pd.DataFrame) -> NDArray[np.bool_]:
    try:
        flags = as_flags(obs["in_tissue"]) if "in_tissue" in obs else np.ones(len(obs), bool)
    except ValueError:  # told by the reader of spots
        return np.ones(len(obs), bool)
    return flags
