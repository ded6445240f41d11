"""The plugin's own store: which result belongs to a layer, for as long as the layer lives."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_tcgn.model.card import ModelCard
    from napari_tcgn.predict.progress import Prediction
    from napari_tcgn.spots import Spots


@dataclass(eq=False)
class Result:
    """Values of genes at the spots of one points layer: predicted, measured or read from a file.

    Attributes
    ----------
    values : float32 [spots, genes]
        On `output_scale`; live while the engine fills it in.
    done : bool [spots]
        Which spots have values.
    genes : tuple of str
        Columns of `values`.
    spots : Spots
        The points of the layer, in their order.
    mpp : float
        µm per full-resolution px.
    library_id : str
        Name of the slide.
    output_scale : str
        What a value is, for the colour bar.
    kind : str
        What the values are, in the layer's name: "predicted", "measured" …
    card : ModelCard or None
        The model that predicted them, if one did.
    prediction : Prediction or None
        What the engine yielded, where this session ran it.
    adata : AnnData or None
        The finished result; None while it runs and for a partial one.
    """

    values: NDArray[np.float32]
    done: NDArray[np.bool_]
    genes: tuple[str, ...]
    spots: Spots
    mpp: float
    library_id: str
    output_scale: str
    kind: str = "predicted"
    card: ModelCard | None = None
    prediction: Prediction | None = None
    adata: AnnData | None = None

    def __post_init__(self) -> None:
        self._column = {gene: i for i, gene in enumerate(self.genes)}

    @classmethod
    def of_prediction(cls, prediction: Prediction) -> Result:
        """Return the result behind a prediction, which may still be filled in."""
        return cls(
            prediction.values,
            prediction.done,
            tuple(prediction.card.genes),
            prediction.spots,
            prediction.mpp,
            prediction.library_id,
            prediction.card.output_scale,
            card=prediction.card,
            prediction=prediction,
        )

    @property
    def partial(self) -> bool:
        """Whether some spots have no values."""
        return not bool(self.done.all())

    def has(self, gene: str) -> bool:
        """Whether there are values of a gene."""
        return gene in self._column

    def values_of(self, gene: str) -> NDArray[np.float64]:
        """Return a gene's values (float64 [spots]), NaN where there is none."""
        values = self.values[:, self._column[gene]].astype(np.float64)
        values[~self.done] = np.nan
        return values

    def finish(self, adata: AnnData) -> None:
        """Take the complete result; one matrix is kept, not two."""
        assert self.prediction is not None  # only runs finish
        self.adata, self.values = adata, adata.X
        self.prediction = replace(self.prediction, values=adata.X)

    def freeze(self) -> None:
        """Keep what is done as it stands, even if the engine writes one more batch before it stops."""
        assert self.prediction is not None  # only runs are stopped
        self.done = self.done.copy()
        self.prediction = replace(self.prediction, done=self.done, record=dict(self.prediction.record))
        self.prediction.record["spots_done"] = int(self.done.sum())
        self.prediction.record["partial"] = self.partial


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
