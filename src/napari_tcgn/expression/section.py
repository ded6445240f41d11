"""One section of measured data that may hold several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from napari_tcgn.errors import DataError
from napari_tcgn.expression.measured import source_of
from napari_tcgn.spots import flat_positions, library_ids, which_section

if TYPE_CHECKING:
    from anndata import AnnData


def one_section(measured: AnnData, library: str | None = None) -> AnnData:
    """Return one section of measured data: by the decision that spots of an .h5ad go by, too.

    Parameters
    ----------
    measured : anndata.AnnData
    library : str, optional
        Section that is wanted; needed where there are several.

    Returns
    -------
    anndata.AnnData
        As given, if it holds one section.

    Raises
    ------
    DataError
        If there are several and none is wanted, or the wanted one is not among them.
    """
    spatial = measured.uns.get("spatial")
    keys = sorted(map(str, spatial)) if isinstance(spatial, Mapping) else []
    if library is None and library_ids(measured.obs, keys) is None:
        keys = []  # pictures of several sections say nothing of whose the spots are
    pixels = None
    if "spatial" in measured.obsm:
        pixels = flat_positions(measured.obsm["spatial"], "the measurement", DataError)
    name = source_of(measured).file or "The measurement"
    _, here = which_section(measured.obs, keys, pixels, name, library, DataError)
    return measured if here.all() else measured[here].copy()
