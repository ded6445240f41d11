"""How far to trust a result, as maps: the width of the shown gene's interval, and how like the training a spot is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.model import LEVEL
from napari_tcgn.ui.layers import result_layers, store
from napari_tcgn.ui.layers.store import AROUND, Result

if TYPE_CHECKING:
    from napari.layers import Points
    from napari.viewer import Viewer

    from napari_tcgn.model import GeneIntervals

WIDTH_KIND = f"width of the {LEVEL:.0%} interval"
LIKENESS, LIKENESS_KIND, LIKENESS_UNIT = "likeness to the training", "domain", "p"
LIKENESS_LIMITS = (0.0, 0.5)
RINGS = "spots unlike the training"
RING_COLOUR = "#ff3bd4"  # no stain and no colour map has it


class WidthResult(Result):
    """How wide the intervals of another result's values are, gene by gene, computed when a gene is looked at."""

    def __init__(self, source: Result, intervals: GeneIntervals) -> None:
        super().__init__(
            source.values, source.done, source.genes, source.spots, source.mpp, source.library_id, source.output_scale,
            kind=WIDTH_KIND, card=source.card, slide=source.slide, drawn_px=source.drawn_px,
        )  # fmt: skip
        self._source, self._intervals = source, intervals

    def block(self, columns: slice) -> NDArray[np.float32]:
        """Return the widths at all spots for neighbouring genes (float32 [spots, genes])."""
        some = self._intervals.select(range(*columns.indices(len(self.genes))))
        low, high = some.bounds(self._source.block(columns))
        width: NDArray[np.float32] = high - low
        return width


def add_width_map(viewer: Viewer, layer: Points) -> Points | None:
    """Show how wide the intervals of a result layer's gene are; None where the result has no intervals."""
    source = store.result_of(layer)
    if source is None or source.intervals is None:
        return None
    result = WidthResult(source, source.intervals)
    return result_layers.add_result_like(viewer, layer, result, result_layers.shown_gene(layer), source)


def add_likeness_map(viewer: Viewer, layer: Points) -> Points | None:
    """Show how usual the patches of a result's spots are among those of the training; None where that is unknown."""
    source = store.result_of(layer)
    usual = None if source is None else source.domain_p
    if source is None or usual is None or not np.isfinite(usual).any():
        return None
    values = usual.astype(np.float32)[:, None]
    result = Result(
        values, np.isfinite(usual), (LIKENESS,), source.spots, source.mpp, source.library_id, LIKENESS_UNIT,
        kind=LIKENESS_KIND, drawn_px=source.drawn_px,
    )  # fmt: skip
    return result_layers.add_result_like(viewer, layer, result, LIKENESS, source)


def outside(result: Result | None) -> NDArray[np.bool_] | None:
    """Return which spots of a result are unlike the training (bool [spots]); None where that is unknown."""
    usual = None if result is None else result.domain_p
    if usual is None or not np.isfinite(usual).any():
        return None
    from napari_tcgn.engine import is_outside

    return is_outside(usual)


def ring_outside(viewer: Viewer, layer: Points) -> Points | None:
    """Draw a ring around every spot of a result layer that is unlike the training; None where there is none."""
    result, which = store.result_of(layer), outside(store.result_of(layer))
    if result is None or which is None or not which.any():
        return None
    from napari_tcgn.ui.layers.placement import placement_of

    selected = viewer.layers.selection.active
    rings: Points = viewer.add_points(  # type: ignore[attr-defined]  # see spot_layers
        layer.data[which],
        size=1.15 * result.diameter_px,
        symbol=layer.symbol[0] if len(layer.symbol) else "disc",
        face_color="transparent",
        border_color=RING_COLOUR,
        border_width=0.12,
        name=f"{result.library_id} · {RINGS}",
        metadata={AROUND: result},
        **placement_of(layer),
    )
    viewer.layers.selection.active = selected if selected is not None else layer
    return rings


def rings_of(viewer: Viewer, result: Result | None) -> list[Points]:
    """Return the layers of rings around spots of a result."""
    from napari.layers import Points

    return [
        one for one in viewer.layers if isinstance(one, Points) and result is not None and store.marks(one) is result
    ]
