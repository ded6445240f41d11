"""How far a gene of a model may be trusted, in a word and in a sentence with its reason."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_tcgn.model import ModelCard
from napari_tcgn.trust.genes import Verdict, verdicts
from napari_tcgn.trust.reachable import TOO_NOISY

WORDS: dict[Verdict, str] = {
    "yes": "trusted", "simpler": "trusted", "caution": "with caution", "no": "not trusted", "?": "unknown",
}  # fmt: skip


def trust_words(card: ModelCard) -> list[str]:
    """Return of every gene of a model one of "trusted", "with caution", "not trusted", "unknown"."""
    return [WORDS[verdict] for verdict in verdicts(card)]


def trust_sentence(card: ModelCard, gene: str) -> str:
    """Say how far a gene of a model may be trusted on a slide it has not seen, and why.

    Parameters
    ----------
    card : ModelCard
    gene : str
        One of the card's.

    Returns
    -------
    str
        Such as "CD74 with caution: …", with the figure that decides.
    """
    one = card.select([card.genes.index(gene)])
    verdict = verdicts(one)[0]
    return f"{gene} {_STATES[verdict]}: {_reason(one, verdict)}."


_STATES: dict[Verdict, str] = {
    "yes": "is trusted", "simpler": "is trusted", "caution": "with caution", "no": "is not trusted", "?": "is unknown",
}  # fmt: skip


def _reason(one: ModelCard, verdict: Verdict) -> str:
    pcc, low, high, depth, patient, ceiling = (
        float(one.gene_metric(name)[0])
        for name in ("pcc", "pcc_low", "pcc_high", "depth_pcc", "patient_pcc", "ceiling_pcc")
    )
    figure = f"held-out PCC {pcc:.2f}" + ("" if np.isnan(low + high) else f" ({low:.2f} to {high:.2f})")
    if verdict == "?":
        if np.isnan(pcc):
            return "it was not measured on held-out sections"
        return f"too noisy, no predictor could reach a PCC of {TOO_NOISY:g} ({ceiling:.2f} at best)"
    if verdict == "caution":
        return f"{figure}, but {patient:.2f} with a patient held out: on your tissue it may be the wrong way round"
    if verdict == "no":
        return _failure(one, figure, pcc, low, depth)
    told = f"{figure}, {_new_patient(patient)}"
    return f"{told}; the simple model {one.better_baselines()[0]} does better" if verdict == "simpler" else told


def _failure(one: ModelCard, figure: str, pcc: float, low: float, depth: float) -> str:
    if (pcc if np.isnan(low) else low) <= 0:
        return f"{figure} is not surely above 0"
    if depth <= 0:
        return f"{figure}, but {depth:.2f} with sequencing depth taken out"
    counted: Any = (one.metrics.sections_significant or [None])[0]
    return f"{figure} is significant in {counted[0]} of {counted[1]} held-out sections only"


def _new_patient(patient: float) -> str:
    return "not tested on a new patient" if np.isnan(patient) else f"{patient:.2f} with a patient held out"
