"""What the training spots are taught: the measured expression, or that relieved of what the image cannot show.

Only training spots enter, so that nothing of the validation or test spots reaches the network. Scores are always
computed on the expression as measured.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.spots import Lattice


def smoothed(target: NDArray[np.float32], lattice: Lattice, share: float) -> NDArray[np.float32]:
    """Mix every spot with the mean of those around it; one with none around it stays as it is.

    Eight lie around a spot of a square array, six around one of Visium (`Lattice.pairs_around`).

    Parameters
    ----------
    target : float32 [n, genes]
        Of the training spots of one section.
    lattice : Lattice
        Of the same n spots.
    share : float
        Weight of the neighbours' mean, from 0 to 1.

    Returns
    -------
    float32 [n, genes]
    """
    if share == 0 or len(target) < 2:
        return target
    pairs = lattice.pairs_around()
    total, count = np.zeros(target.shape, dtype=np.float64), np.zeros(len(target))
    for one, other in ((0, 1), (1, 0)):
        np.add.at(total, pairs[:, one], target[pairs[:, other]])
        np.add.at(count, pairs[:, one], 1)
    has = count > 0
    result = target.copy()
    result[has] = (1 - share) * target[has] + share * total[has] / count[has, None]
    return result


def centred(
    target: NDArray[np.float32], section_of: NDArray[np.intp], measured: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Give every section the same mean per gene: the mean over the sections that have the gene.

    Sections differ in their mean for reasons of handling and depth, which a network otherwise learns to read from
    the stain instead of from the tissue.

    Parameters
    ----------
    target : float32 [n, genes]
        Of the training spots of all sections.
    section_of : int [n]
    measured : bool [sections, genes]

    Returns
    -------
    float32 [n, genes]
    """
    present = np.unique(section_of)
    means = np.stack([target[section_of == s].mean(axis=0, dtype=np.float64) for s in present])  # [present, genes]
    known = measured[present]
    common = np.where(known, means, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)  # [genes]
    result = target - means[np.searchsorted(present, section_of)] + common
    return result.astype(np.float32)
