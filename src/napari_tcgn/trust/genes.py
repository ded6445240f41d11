"""Which genes of a model its held-out figures call predictable."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.model import ModelCard
from napari_tcgn.trust.reachable import TOO_NOISY

Verdict = Literal["yes", "simpler", "caution", "no", "?"]

VERDICTS: dict[Verdict, str] = {
    "yes": "the held-out PCC's 95 % interval lies above 0, the PCC stays above 0 once sequencing depth is taken out, "
    "and it is significant in more than half of the held-out sections, where the card counts them",
    "caution": "predictable in a section whose patient the model knows, but not with all sections of the patient held "
    "out: its PCC is then not above 0, and on your tissue it may be the wrong way round",
    "simpler": "predictable, but a simple model predicts it better on held-out sections",
    "no": "at least one of these does not hold: do not read its map as expression",
    "?": "never measured on held-out sections, or too noisy to judge: no predictor could reach a PCC of 0.1 there",
}


def verdicts(card: ModelCard) -> list[Verdict]:
    """Say of every gene of a model whether it is predictable; `VERDICTS` says what the words mean."""
    pcc, low, depth = card.gene_metric("pcc"), card.gene_metric("pcc_low"), card.gene_metric("depth_pcc")
    fails = card.gene_metric("patient_pcc") <= 0  # unknown is no failure
    # A card without intervals or without the figure for depth is judged by what it has.
    firm = np.where(np.isnan(low), pcc, low) > 0
    firm &= np.isnan(depth) | (depth > 0)
    found: list[Verdict] = []
    sections = card.metrics.sections_significant or [None] * len(card.genes)
    better_ones = card.better_baselines()
    judged = ~np.isnan(pcc) & ~(
        card.gene_metric("ceiling_pcc") < TOO_NOISY
    )  # a ceiling that is unknown forbids nothing
    for known, good, counted, failed, better in zip(judged, firm, sections, fails, better_ones, strict=True):
        if not known:
            found.append("?")
        elif not good or not _in_most(counted):
            found.append("no")
        elif failed:
            found.append("caution")
        else:
            found.append("simpler" if better else "yes")
    return found


def trusted(card: ModelCard) -> NDArray[np.bool_]:
    """Say of every gene of a model whether its held-out figures call it predictable (bool [genes]).

    Also where a simple model predicts it better, but not where a new patient turns it round. This is what "trusted"
    means in the options, the dock and the exports.
    """
    return np.array([verdict in ("yes", "simpler") for verdict in verdicts(card)], dtype=bool)


def _in_most(counted: tuple[int, int] | None) -> bool:
    """Whether significant sections are more than half of the tested ones; True where nothing was counted."""
    return counted is None or counted[1] == 0 or 2 * counted[0] > counted[1]
