"""A model that predicts some of its genes only, in memory and in the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.model.card import DomainOf, Predictor, StartingPredictor, domain_of, intervals_of
from napari_tcgn.model.gene_intervals import GeneIntervals
from napari_tcgn.model.ridge import RidgePredictor


def for_genes(predictor: Predictor, genes: Sequence[str]) -> Predictor:
    """Return a model that predicts some of a model's genes, with a card of these (`ModelCard.select`).

    A line computes no others; of any other model the rest is thrown away batch by batch.

    Parameters
    ----------
    predictor : Predictor
    genes : sequence of str
        Of its card, in the order in which they are wanted.
    """
    place = {gene: row for row, gene in enumerate(predictor.card.genes)}
    rows = [place[gene] for gene in genes]
    kind = _StartingSomeGenes if isinstance(predictor, StartingPredictor) else _SomeGenes
    some = predictor.select(rows) if isinstance(predictor, RidgePredictor) else kind(predictor, rows)
    some.domain_of = domain_of(predictor)
    known = intervals_of(predictor)
    some.intervals = None if known is None else known.select(rows)
    return some


class _SomeGenes:
    """Columns of what another model predicts."""

    domain_of: DomainOf | None = None
    intervals: GeneIntervals | None = None

    def __init__(self, predictor: Predictor, rows: list[int]) -> None:
        self.card, self.device = predictor.card.select(rows), predictor.device
        self._predictor, self._rows = predictor, rows

    def predict(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict uint8 patches [B, H, W, 3] as float32 [B, genes]."""
        return self._predictor.predict(patches)[:, self._rows]


class _StartingSomeGenes(_SomeGenes):
    """The same of a model whose device works on its own."""

    def __init__(self, predictor: Predictor, rows: list[int]) -> None:
        super().__init__(predictor, rows)
        assert isinstance(predictor, StartingPredictor)
        self._starts = predictor.start

    def start(self, patches: NDArray[np.uint8]) -> Callable[[], NDArray[np.float32]]:
        """Start what `predict` does, and return the call that waits for the result."""
        wait = self._starts(patches)
        return lambda: wait()[:, self._rows]
