"""The plugin's own store: which result belongs to a layer, for as long as the layer lives."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_tcgn.predict.progress import Prediction


@dataclass(eq=False)
class Result:
    """What was predicted for the spots of one points layer.

    Attributes
    ----------
    prediction : Prediction
        Live while the engine fills it in; its spots are the points of the layer, in their order.
    adata : AnnData or None
        The finished result; None while it runs and for a partial one.
    """

    prediction: Prediction
    adata: AnnData | None = None

    def __post_init__(self) -> None:
        self._column = {gene: i for i, gene in enumerate(self.prediction.card.genes)}

    def has(self, gene: str) -> bool:
        """Whether the model's panel names a gene."""
        return gene in self._column

    def values_of(self, gene: str) -> NDArray[np.float64]:
        """Return a gene's values (float64 [spots]) on the model's output scale, NaN where not predicted."""
        values = self.prediction.values[:, self._column[gene]].astype(np.float64)
        values[~self.prediction.done] = np.nan
        return values

    def finish(self, adata: AnnData) -> None:
        """Take the complete result; one matrix is kept, not two."""
        self.adata = adata
        self.prediction = replace(self.prediction, values=adata.X)

    def freeze(self) -> None:
        """Keep what is done as it stands, even if the engine writes one more batch before it stops."""
        self.prediction = replace(
            self.prediction, done=self.prediction.done.copy(), record=dict(self.prediction.record)
        )
        self.prediction.record["spots_done"] = int(self.prediction.done.sum())
        self.prediction.record["partial"] = self.prediction.partial


_results: weakref.WeakKeyDictionary[Any, Result] = weakref.WeakKeyDictionary()


def _key(layer: Any) -> Any:
    # Widgets see layers through a proxy that lives for a moment only.
    return getattr(layer, "__wrapped__", layer)


def keep_result(layer: Any, result: Result) -> None:
    """Remember the result behind a points layer."""
    _results[_key(layer)] = result


def result_of(layer: Any) -> Result | None:
    """Return the result that a points layer shows; None for any other layer."""
    return None if layer is None else _results.get(_key(layer))
