"""Gene-set scores of a result as a result of their own: the sets are its "genes"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import DataError
from napari_tcgn.stats import SCORE_UNIT, GeneSet, GeneSetScore, score_gene_set
from napari_tcgn.ui.layers import result_layers
from napari_tcgn.ui.layers.per_layer import PerLayer
from napari_tcgn.ui.layers.store import Result

if TYPE_CHECKING:
    from napari.layers import Points
    from napari.viewer import Viewer

KIND = "score"


@dataclass(eq=False)
class Scored:
    """Sets scored on a result.

    Attributes
    ----------
    source : Result
    scores : dict of str to GeneSetScore
        By name of the set.
    refused : dict of str to str
        By name of the set, why it could not be scored.
    spots_done : int
        How many spots of the source had values.
    """

    source: Result
    scores: dict[str, GeneSetScore]
    refused: dict[str, str]
    spots_done: int


_sources: PerLayer[tuple[Result, tuple[GeneSet, ...], int]] = PerLayer()


def score_sets(source: Result, sets: Sequence[GeneSet]) -> Scored:
    """Score sets on the spots that have values; may run in the background.

    Raises
    ------
    DataError
        If none of the sets can be scored; of several, those that cannot are only listed.
    """
    done = source.done.copy()
    scores, refused = {}, {}
    for gene_set in sets:
        try:
            # Only the columns of its genes are taken: all genes of many spots are gigabytes.
            genes = [gene for gene in gene_set.genes if source.has(gene)]
            values = np.full((len(done), len(genes)), np.nan)
            for i, gene in enumerate(genes):
                values[done, i] = source.values_of(gene)[done]
            scores[gene_set.name] = score_gene_set(values, genes, gene_set, panel=source.genes)
        except DataError as error:
            if len(sets) == 1:
                raise
            refused[gene_set.name] = error.problem
    if not scores:
        raise DataError(
            f"None of the {len(sets)} sets can be scored; the first: {next(iter(refused.values()))}",
            "Give gene symbols written as in the panel, of the same organism.",
        )
    return Scored(source, scores, refused, int(done.sum()))


def add_scores(viewer: Viewer, layer: Points, scored: Scored, sets: Sequence[GeneSet]) -> Points:
    """Show scores at the spots of a result layer; returns the new layer."""
    source = scored.source
    values = np.stack([score.values for score in scored.scores.values()], axis=1)
    names = tuple(scored.scores)
    done: NDArray[np.bool_] = np.asarray(np.isfinite(values).any(axis=1))
    result = Result(values, done, names, source.spots, source.mpp, source.library_id, SCORE_UNIT, kind=KIND)
    added = result_layers.add_result_like(viewer, layer, result, names[0], source)
    _sources[added] = (source, tuple(s for s in sets if s.name in scored.scores), scored.spots_done)
    return added


def outdated(layer: Points) -> tuple[Result, tuple[GeneSet, ...]] | None:
    """Return what a layer of scores is made from, if that has got values since; else None."""
    found = _sources.get(layer)
    if found is None or int(found[0].done.sum()) == found[2]:
        return None
    return found[0], found[1]


def source_of(layer: Points) -> Result | None:
    """Return the result that a layer of scores was made from; None for any other layer."""
    found = _sources.get(layer)
    return None if found is None else found[0]


def update_scores(layer: Points, result: Result, scored: Scored) -> None:
    """Take new scores of the same sets into the result of a layer of scores."""
    for i, name in enumerate(result.genes):
        score = scored.scores.get(name)
        result.values[:, i] = np.nan if score is None else score.values
    result.done[:] = np.isfinite(result.values).any(axis=1)
    source, sets, _ = _sources.get(layer) or (scored.source, (), 0)
    _sources[layer] = (source, sets, scored.spots_done)


def scored_text(scored: Scored, gene_sets: Sequence[GeneSet]) -> str:
    """Say which genes of the sets count and which are missing."""
    said = []
    for gene_set in gene_sets:
        score = scored.scores.get(gene_set.name)
        if score is None:
            continue
        text = f"{gene_set.name}: {len(score.used)} of {len(gene_set.genes)} genes count"
        if score.missing:
            text += f"; not in this panel: {_listed(score.missing)}"
        if score.constant:
            text += f"; the same at every spot: {_listed(score.constant)}"
        said.append(f"{text}.")
    if len(gene_sets) > 1:
        found = f"{len(scored.scores)} of {len(gene_sets)} sets scored; choose among them in the table above."
        no = f" Not scored: {_listed(tuple(scored.refused))}." if scored.refused else ""
        return found + no
    return "".join(said)


def _listed(names: Sequence[str], most: int = 8) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
