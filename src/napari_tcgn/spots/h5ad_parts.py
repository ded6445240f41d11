"""The table, the positions and the section of an .h5ad, as any anndata from 0.6 on has written them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SpotsError, TcgnError
from napari_tcgn.files import reading
from napari_tcgn.spots.sections import which_section

if TYPE_CHECKING:
    import h5py
    import pandas as pd

HINT = "Give an .h5ad with positions in obsm['spatial'], in px of the full-resolution image."
# How columns of positions are called, in small letters and without "_": across and down.
_ACROSS = ("x", "pxlcolinfullres", "pixelx", "xpixel", "imagecol", "spatialx", "xspatial")
_DOWN = ("y", "pxlrowinfullres", "pixely", "ypixel", "imagerow", "spatialy", "yspatial")
# Columns that hold µm: by their names, and Xenium's centroids.
_IN_UM = re.compile(r"(um|µm|μm|microns?|micrometers?)$|^[xy](um|µm|μm|microns?)|^[xy]centroid$")


def read_obs(file: h5py.File) -> pd.DataFrame:
    """Return obs; anndata 0.6 wrote it as one array of records, its categories in uns."""
    import h5py
    import pandas as pd
    from anndata.io import read_elem

    node = file["obs"]
    if not isinstance(node, h5py.Dataset):
        table: pd.DataFrame = read_elem(node)
        return table
    columns = {name: _text(node[name]) for name in node.dtype.names}
    index = next((name for name in ("index", "_index", "obs_names") if name in columns), node.dtype.names[0])
    table = pd.DataFrame(columns, index=pd.Index(columns.pop(index)))
    for name in table:
        kept = file.get(f"uns/{name}_categories")
        if isinstance(kept, h5py.Dataset):
            table[name] = _text(kept[()])[table[name].to_numpy(np.int64)]
    return table


def read_positions(file: h5py.File, name: str) -> NDArray[np.float64]:
    """Return obsm["spatial"], float64 [n, 2] of (x, y); columns that have names are taken by them.

    Raises
    ------
    SpotsError
        If there is none, it has not two columns, or their names do not tell which is which.
    """
    import h5py
    from anndata.io import read_elem

    obsm = file.get("obsm")
    of_records = isinstance(obsm, h5py.Dataset)  # anndata 0.6
    names = list(obsm.dtype.names or ()) if of_records else sorted(obsm) if obsm is not None else []
    if "spatial" not in names:
        raise SpotsError(f"{name} holds no positions of spots (obsm has {names or 'nothing'}).", HINT)
    found = flat_positions(obsm["spatial"] if of_records else read_elem(obsm["spatial"]), name, SpotsError)
    if len(found) == 0:
        raise SpotsError(f"obsm['spatial'] of {name} has the shape {found.shape}, not (spots, 2).", HINT)
    return found


def flat_positions(spatial: Any, name: str, error: type[TcgnError]) -> NDArray[np.float64]:
    """Return the positions of a flat section, float64 [n, 2] of (x, y), from what stands in obsm["spatial"].

    Parameters
    ----------
    spatial : array [n, 2 or more] or pandas.DataFrame
        (x, y), and a z that is the same everywhere; columns that have names are taken by them.
    name : str
        Of the file, for the error.
    error : type of TcgnError

    Raises
    ------
    TcgnError
        Of the given type, if they are no numbers or of another shape, or it is open which columns are x and y.
    """
    import pandas as pd

    with reading(f"obsm['spatial'] of {name}", error, HINT, "numbers"):
        if isinstance(spatial, pd.DataFrame):
            return _by_name(spatial, name, error)
        positions = np.asarray(spatial, dtype=np.float64)
    if positions.ndim != 2 or positions.shape[1] < 2:
        raise error(f"obsm['spatial'] of {name} has the shape {positions.shape}, not (spots, 2).", HINT)
    more = positions[:, 2:]
    if more.size and (np.nanmax(more, axis=0) > np.nanmin(more, axis=0)).any():
        raise error(
            f"obsm['spatial'] of {name} has {positions.shape[1]} columns that vary: which of them are x and y is open.",
            "Give one flat section, with two columns: x and y in px of the full-resolution image.",
        )
    return positions[:, :2]


def choose_section(
    file: h5py.File, obs: pd.DataFrame, positions: NDArray[np.float64], name: str, wanted: str | None
) -> tuple[Any, NDArray[np.bool_]]:
    """Return the group in uns["spatial"] of one section (None where there is none) and which spots are its own.

    Raises
    ------
    SpotsError
        If there are several and none is wanted, or the wanted one is not among them (`which_section`).
    """
    groups = file.get("uns/spatial")
    keys = sorted(key for key in groups if hasattr(groups[key], "keys")) if hasattr(groups, "keys") else []
    key, here = which_section(obs, keys, positions, name, wanted)
    return (groups[key] if key in keys else None), here


def _by_name(table: pd.DataFrame, name: str, error: type[TcgnError]) -> NDArray[np.float64]:
    plain = {re.sub(r"[\W_]", "", str(column).lower()): column for column in table}
    if table.columns.size and all(_IN_UM.search(one) for one in list(plain)[:2]):
        raise error(
            f"The columns of obsm['spatial'] of {name} are called {', '.join(map(str, table))}: they are µm, not px.",
            "Divide them by the µm per pixel of the full-resolution image, and call them x and y.",
        )
    across, down = (next((plain[one] for one in names if one in plain), None) for names in (_ACROSS, _DOWN))
    if across is None or down is None:
        # Columns that are only numbered (0 and 1, spatial_1 and spatial_2) have an order.
        numbered = sorted((int(found[0]), column) for column in table if (found := re.findall(r"\d+$", str(column))))
        if len(numbered) != len(table.columns) or len(numbered) < 2:
            raise error(
                f"The columns of obsm['spatial'] of {name} are called {', '.join(map(str, table))}, which does not "
                "tell which of them is x.",
                "Call them x and y, in px of the full-resolution image.",
            )
        across, down = numbered[0][1], numbered[1][1]
    return table[[across, down]].to_numpy(dtype=np.float64)


def _text(values: Any) -> Any:
    return (
        np.char.decode(values, "utf-8")
        if values.dtype.kind == "S"
        else (
            np.array([one.decode() if isinstance(one, bytes) else one for one in values], dtype=object)
            if values.dtype.kind == "O"
            else values
        )
    )
