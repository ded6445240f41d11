"""Held-out figures for a model trained on every section: those of its leave-one-section-out runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import DataError
from napari_tcgn.model import FoldFigures, HeldOut, ModelCard
from napari_tcgn.options import TrainSettings, to_record
from napari_tcgn.stats import median_pcc
from napari_tcgn.training.data.panel import is_chosen
from napari_tcgn.training.fit.recipe import with_defaults
from napari_tcgn.training.fit.record import number_or_none


def read_held_out_cards(runs: Sequence[Path], settings: TrainSettings, genes: Sequence[str]) -> list[ModelCard]:
    """Read the cards of finished leave-one-section-out runs of the same recipe.

    Parameters
    ----------
    runs : sequence of pathlib.Path
        Folders that `train` wrote.
    settings : TrainSettings
        The recipe that the runs must share; the device may differ.
    genes : sequence of str

    Raises
    ------
    DataError
        If a run is unfinished, or is of another recipe or gene panel: its figures would say nothing of this model.
    """
    cards = []
    for run in runs:
        path = Path(run) / "model" / "card.json"
        if not path.is_file():
            raise DataError(f"{run} holds no finished run.", "Finish it (train --resume), or leave it out.")
        card = ModelCard.read(path)
        theirs, ours = with_defaults(card.training.get("recipe", {})), to_record(settings)
        differing = sorted(k for k in {*theirs, *ours} - {"device"} if theirs.get(k) != ours.get(k))
        # Genes chosen on the training sections differ from fold to fold, and are to.
        other_panel = not is_chosen(settings) and card.genes != list(genes)
        if differing or other_panel:
            what = ", ".join(differing) if differing else "its gene panel"
            raise DataError(f"{run} is of another recipe: {what} differs.", "Give runs of the same settings.")
        cards.append(card)
    return cards


def pooled_metrics(cards: Sequence[ModelCard], genes: Sequence[str]) -> HeldOut:
    """Average the held-out figures of genes over the leave-one-section-out runs that have them; empty without any.

    Returns
    -------
    HeldOut
        The mean over the runs of every gene's PCC (over those where it is defined), and in `folds` the median of every
        run with its own protocol.
    """
    if not cards:
        return HeldOut()
    pcc = np.stack([_of_genes(card, genes) for card in cards])  # [runs, genes]
    known = ~np.isnan(pcc)
    count = known.sum(0)
    mean = np.where(count > 0, np.where(known, pcc, 0).sum(0) / np.maximum(count, 1), np.nan)
    return HeldOut(
        protocol="mean over leave-one-section-out runs of the same recipe; the figures are those of the runs' own "
        "models, not of these weights, which were trained on every section",
        n_spots=sum(card.metrics.n_spots or 0 for card in cards),
        median_pcc=number_or_none(median_pcc(mean)),
        pcc=[None if np.isnan(v) else round(float(v), 5) for v in mean],
        folds=[FoldFigures(m.protocol, m.n_spots or 0, m.median_pcc) for m in (card.metrics for card in cards)],
    )


def _of_genes(card: ModelCard, genes: Sequence[str]) -> NDArray[np.float64]:
    """Return a card's PCC of the given genes, NaN for those that it does not predict."""
    known = dict(zip(card.genes, card.gene_metric("pcc"), strict=True))
    return np.array([known.get(gene, np.nan) for gene in genes])
