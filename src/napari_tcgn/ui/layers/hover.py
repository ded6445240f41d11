"""The status bar's line for the spot under the cursor: gene, value, unit, spot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Points

from napari_tcgn.engine import is_outside
from napari_tcgn.model import LEVEL
from napari_tcgn.ui.layers import composite, store

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils.events import Event
    from napari.viewer import Viewer


class Hover:
    """Rewrites napari's status line while a layer of this plugin is active.

    napari would list every feature of the spot ("1204: ; spot: 10x12, gene: GNAS, value: 1.84").

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        viewer.events.status.connect(self._on_status)

    def close(self) -> None:
        """Leave the status line alone."""
        self._viewer.events.status.disconnect(self._on_status)

    def _on_status(self, event: Event) -> None:
        status = self._viewer.status
        if not isinstance(status, dict) or "coordinates" not in status:
            return
        line = self.line()
        if line and status["coordinates"] != line:
            self._viewer.status = {**status, "coordinates": line}

    def line(self) -> str:
        """Return the line for the spot under the cursor; "" where napari's own is as good."""
        layer = self._viewer.layers.selection.active
        text_at = _text_at_spot(layer)
        if text_at is None or not isinstance(layer, Points):
            return ""
        spot = spot_at(layer, self._viewer.cursor.position)
        return "" if spot is None else f"{text_at(spot)} · spot {layer.features['spot'].iloc[spot]}"


def spot_at(layer: Points, position: Sequence[float]) -> int | None:
    """Return the number of the spot that covers a position in the world; None where there is none.

    `layer.get_value` compares with the size of every point, which is felt at 100,000 of them.
    """
    if not len(layer.data):
        return None
    away = layer.data - np.asarray(layer.world_to_data(position))[-2:]
    nearest = int(np.argmin(np.einsum("ij,ij->i", away, away)))
    return nearest if np.abs(away[nearest]).max() <= layer.size[nearest] / 2 else None


def _text_at_spot(layer: Layer | None) -> Callable[[int], str] | None:
    """Return a function that says what a layer shows at a spot; None for a layer that is not ours."""
    result, mixed = store.result_of(layer), composite.composite_of(layer)
    if result is not None and isinstance(layer, Points):
        features = layer.features
        return lambda spot: (
            value_text(features["gene"].iloc[spot], features["value"].iloc[spot], result.output_scale)
            + trust_text(result, features["gene"].iloc[spot], spot)
        )
    if mixed is not None:
        return lambda spot: (
            ", ".join(value_text(gene, mixed.result.values_of(gene)[spot], "") for gene in mixed.genes)
            + (f" {mixed.result.output_scale}")
        )
    return None


def trust_text(result: store.Result, gene: str, spot: int) -> str:
    """Return what is to be known of a value beside it: its interval, and whether the spot is unlike the training."""
    bounds = result.bounds_at(gene, spot) if result.has(gene) and result.done[spot] else None
    usual = result.domain_p
    text = "" if bounds is None else f", {LEVEL:.0%}: {bounds[0]:.3g} to {bounds[1]:.3g}"
    return text + (" · unlike the training" if usual is not None and is_outside(usual[spot]) else "")


def value_text(gene: str, value: float, unit: str) -> str:
    """Return a value for people ("GNAS 1.84 log10(…)")."""
    return f"{gene} has no value" if np.isnan(value) else f"{gene} {value:.3g} {unit}".strip()
