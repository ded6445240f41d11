"""Scores of gene sets by predicted and by measured expression, of the same genes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.stats import GeneSet, score_gene_set

Floats = NDArray[np.float64]
MIN_GENES = 2


def score_both(
    predicted: Floats, measured: Floats, genes: Sequence[str], sets: Mapping[str, Sequence[str]]
) -> tuple[list[str], list[int], Floats, Floats]:
    """Return the scores of all sets that have at least two genes which vary in both tables.

    Parameters
    ----------
    predicted, measured : float64 [n, genes]
    genes : sequence of str
    sets : mapping of name to genes

    Returns
    -------
    names : list of str
    counts : list of int
        Genes of each set that entered.
    predicted, measured : float64 [n, sets]
        As from `score_gene_set`.
    """
    varies = (np.ptp(predicted, axis=0) > 0) & (np.ptp(measured, axis=0) > 0)
    columns = np.flatnonzero(varies)
    usable = [genes[int(column)] for column in columns]
    known = set(usable)
    kept = {
        name: GeneSet(name, tuple(dict.fromkeys(gene for gene in members if gene in known)))
        for name, members in sets.items()
    }
    kept = {name: chosen for name, chosen in kept.items() if len(chosen.genes) >= MIN_GENES}
    scores = [
        np.array([score_gene_set(table[:, columns], usable, chosen).values for chosen in kept.values()], dtype=float)
        for table in (predicted, measured)
    ]
    counts = [len(chosen.genes) for chosen in kept.values()]
    x, y = (score.reshape(len(kept), len(predicted)).T for score in scores)
    return list(kept), counts, x, y
