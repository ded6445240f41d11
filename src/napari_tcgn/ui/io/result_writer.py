"""File ▸ Save for .h5ad: the result behind a points layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_tcgn.errors import OutputError
from napari_tcgn.ui.io.dialogs import SECTIONS, save_from_dialog
from napari_tcgn.ui.layers import spot_layers, store

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def write_result(
    path: str | None = None, data: ArrayLike | None = None, meta: dict[str, Any] | None = None
) -> list[str]:
    """Write the result behind a points layer as .h5ad (npe2's door); napari has asked whether to replace a file.

    Without anything, as the command palette calls it, save the selected layer under a name that is asked for.

    Returns
    -------
    list of str
        The path that was written.

    Raises
    ------
    OutputError
        If no result stands behind the layer, its points were moved or removed, or the file cannot be written.
    """
    from napari_tcgn.expression import write_h5ad

    if path is None or data is None or meta is None:
        save_from_dialog("Save the genes of a section", SECTIONS)
        return []
    result = meta.get("metadata", {}).get(store.KEY)
    if not isinstance(result, store.Result):
        raise OutputError(
            f"Layer {meta.get('name', '')!r} holds no predicted or measured genes.",
            "Save a layer that the dock or an .h5ad file has made.",
        )
    points = spot_layers.points_of(result.spots)
    if np.shape(data) != points.shape or not np.allclose(data, points):
        raise OutputError(
            f"The points of layer {meta.get('name', '')!r} were moved or removed; its result is that of all of them.",
            "Undo that, or export the result from the dock.",
        )
    named = path.endswith(".h5ad")
    # napari's dialog adds no ending, and has asked whether to replace the file of the name without it.
    target = Path(path if named else f"{path}.h5ad")
    write_h5ad(result.to_adata(), target, overwrite=named)
    return [str(target)]
