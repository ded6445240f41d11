"""Three genes of a result in one layer, each in a colour of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Points
from numpy.typing import NDArray

from napari_tcgn.ui.layers import drawing, layer_names, result_layers, store
from napari_tcgn.ui.layers.colour_scale import robust_limits
from napari_tcgn.ui.layers.per_layer import PerLayer
from napari_tcgn.ui.layers.store import Result

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

# The second one is also told apart by most who cannot tell red from green.
PALETTES = (("red", "green", "blue"), ("magenta", "green", "cyan"))
LIGHT = {  # what a channel adds, in red, green and blue
    "red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "blue": (0.0, 0.0, 1.0),
    "magenta": (1.0, 0.0, 1.0), "cyan": (0.0, 1.0, 1.0),
}  # fmt: skip
# Of text in a channel's colour, readable on dark and on light.
INK = {"red": "#e04040", "green": "#30a030", "blue": "#4070ff", "magenta": "#d030d0", "cyan": "#0098a8"}
Palette = tuple[str, str, str]
Limits = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Composite:
    """What a layer of three genes shows.

    Attributes
    ----------
    result : Result
        May still be filled in.
    genes : tuple of 3 str
        Of the three channels; all different.
    limits : 3 pairs of float, or None
        Values that are dark and bright in each channel; None: they follow the values (1st to 99th percentile).
    palette : 3 str
        Colours of the channels, one of `PALETTES`.
    """

    result: Result
    genes: tuple[str, str, str]
    limits: Limits | None = None
    palette: Palette = PALETTES[0]

    def fitted_limits(self) -> Limits:
        """Return the limits of the three channels."""
        if self.limits is not None:
            return self.limits
        first, second, third = (robust_limits(self.result.values_of(gene)) for gene in self.genes)
        return first, second, third

    def colours(self) -> NDArray[np.float32]:
        """Return the colours of the spots (float32 RGBA [n, 4]); a spot that lacks one of the values is transparent."""
        values = np.stack([self.result.values_of(gene) for gene in self.genes], axis=1)  # [n, 3]
        low, high = np.array(self.fitted_limits()).T
        colours = np.ones((len(values), 4), dtype=np.float32)
        light = np.array([LIGHT[channel] for channel in self.palette])
        colours[:, :3] = np.clip(np.clip((values - low) / (high - low), 0, 1) @ light, 0, 1)
        colours[np.isnan(values).any(axis=1)] = 0.0
        return colours

    @property
    def name(self) -> str:
        """Name of the layer."""
        return layer_names.three_genes_name(self.result.library_id, self.genes, self.palette)


_composites: PerLayer[Composite] = PerLayer()
_painted: PerLayer[int] = PerLayer()  # how many spots had values when the layer was coloured


def composite_of(layer: Layer | None) -> Composite | None:
    """Return what a layer of three genes shows; None for any other layer."""
    return _composites.get(layer)


def add_composite(viewer: Viewer, layer: Points, shown: Composite) -> Points:
    """Show three genes at the spots of a result layer; returns the new layer."""
    features = {"spot": layer.features["spot"].to_numpy()}
    added = result_layers.add_points_like(
        viewer, layer, name=shown.name, features=features, face_color=shown.colours(),
        metadata={store.MADE_FROM: shown.result},
    )  # fmt: skip
    _composites[added], _painted[added] = shown, int(shown.result.done.sum())
    drawing.take_over(added, layer)
    drawing.set_colours(added, shown.colours())
    return added


def show_composite(layer: Points, shown: Composite) -> None:
    """Let a layer of three genes show others, or the same ones with other limits."""
    before = _composites.get(layer)
    assert before is not None  # only such layers come here
    _composites[layer], _painted[layer] = shown, int(shown.result.done.sum())
    drawing.set_colours(layer, shown.colours())
    if layer_names.without_number(layer.name) == before.name:  # not if the user has renamed it
        layer.name = shown.name


def refresh_composites(viewer: Viewer) -> None:
    """Colour anew the layers of three genes whose result has got values since."""
    for layer in viewer.layers:
        shown = _composites.get(layer)
        if shown is not None and isinstance(layer, Points) and int(shown.result.done.sum()) != _painted.get(layer):
            show_composite(layer, shown)
