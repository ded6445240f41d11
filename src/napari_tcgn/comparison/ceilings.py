"""What a prediction of every gene could reach at best, beside what it reaches."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_tcgn.comparison.pairing import Pairing
from napari_tcgn.errors import DataError
from napari_tcgn.expression import scale_counts
from napari_tcgn.trust import TOO_NOISY_WORDS, judgeable, reachable_pcc, share_of_ceiling


def add_ceilings(genes: pd.DataFrame, paired: Pairing, seed: int) -> list[str]:
    """Add to a table of compared genes what could be reached: `ceiling_pcc`, `share_of_ceiling`, `judgeable` and so on.

    Parameters
    ----------
    genes : pandas.DataFrame
        Rows as in `paired`, with `pcc` and `depth_pcc`; gets the columns in place, where there are counts.
    paired : Pairing
    seed : int
        Of the thinning.

    Returns
    -------
    list of str
        Why there are none, a sentence each.
    """
    if paired.counts is None or paired.depth is None:
        return ["Without raw counts it cannot be told how much of a gene's variation could be predicted at all."]
    try:
        found = reachable_pcc(paired.counts, scale_counts, paired.depth, paired.totals, seed=seed)
    except DataError as error:
        return [f"How much of a gene's variation could be predicted at all was not estimated: {error.problem}"]
    varies = genes["pcc"].notna().to_numpy()
    for before, ceiling in (("", found.plain), ("depth_", found.depth)):
        genes[f"{before}ceiling_pcc"] = np.where(varies, ceiling, np.nan)
        genes[f"{before}share_of_ceiling"] = share_of_ceiling(genes[f"{before}pcc"], genes[f"{before}ceiling_pcc"])
        genes[f"{before}judgeable"] = judgeable(genes[f"{before}ceiling_pcc"])
    return []


def too_noisy(genes: pd.DataFrame) -> int:
    """Return how many genes of a table are too noisy to judge; 0 where it is not known."""
    return int((genes["judgeable"] == TOO_NOISY_WORDS).sum()) if "judgeable" in genes else 0
