"""Occlusion: how the prediction changes when a window of the patch is covered. For any model."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import ModelError
from napari_tcgn.explanation.windows import FILLS, Patch, Windows, fill_of
from napari_tcgn.model import Predictor

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Occlusion:
    """What covering each window takes from a prediction.

    Attributes
    ----------
    fills : dict of float32 [count, count]
        Prediction of the patch less that of the patch with the window replaced, by what it was replaced with.
    """

    fills: dict[str, Floats]

    @property
    def mean(self) -> Floats:
        """The mean of both fills, float32 [count, count]."""
        both: Floats = np.mean(list(self.fills.values()), axis=0, dtype=np.float32)
        return both

    @property
    def agreement(self) -> float:
        """Spearman's correlation of the two fills over the windows."""
        first, second = self.fills.values()
        return rank_correlation(first, second)


def occlude(
    predictor: Predictor,
    patch: Patch,
    gene: int,
    windows: Windows,
    batch_size: int,
    fills: Sequence[str] = FILLS,
) -> Generator[int, None, Occlusion]:
    """Cover every window of a patch in turn.

    Parameters
    ----------
    predictor : Predictor
    patch : uint8 [n, n, 3]
    gene : int
        Number of the gene in the model's card.
    windows : Windows
    batch_size : int
    fills : sequence of str
        What windows are replaced by.

    Yields
    ------
    int
        Patches predicted so far: a place to stop.

    Returns
    -------
    Occlusion
    """
    patches = (
        windows.replaced(patch, fill, chosen)
        for fill in (fill_of(patch, windows, which) for which in fills)
        for chosen in windows.one_by_one()
    )
    whole = predict_gene(predictor, patch[None], gene)[0]
    covered = yield from predict_many(predictor, patches, gene, batch_size)
    shape = (len(fills), windows.count, windows.count)
    effect = (whole - covered).astype(np.float32).reshape(shape)
    return Occlusion(dict(zip(fills, effect, strict=True)))


def predict_many(
    predictor: Predictor, patches: Iterator[Patch], gene: int, batch_size: int
) -> Generator[int, None, NDArray[np.float64]]:
    """Predict a gene of many patches, yielding how many are done; returns float64 [patches]."""
    found: list[NDArray[np.float64]] = []
    done, batch = 0, list[Patch]()
    for patch in patches:
        batch.append(patch)
        if len(batch) == batch_size:
            found.append(predict_gene(predictor, np.stack(batch), gene))
            done, batch = done + len(batch), []
            yield done
    if batch:
        found.append(predict_gene(predictor, np.stack(batch), gene))
        yield done + len(batch)
    return np.concatenate(found)


def predict_gene(predictor: Predictor, patches: NDArray[np.uint8], gene: int) -> NDArray[np.float64]:
    """Predict a gene of patches [B, n, n, 3]: float64 [B].

    Raises
    ------
    ModelError
        If a value is not finite, or the model's output is not what its card says.
    """
    values = predictor.predict(patches)
    name = predictor.card.name
    if values.shape != (len(patches), len(predictor.card.genes)):
        raise ModelError(
            f"Model {name!r} returned an array of shape {values.shape} where its card promises "
            f"{(len(patches), len(predictor.card.genes))}.",
            "Use the card that belongs to these weights.",
        )
    found = values[:, gene].astype(np.float64)
    if not np.isfinite(found).all():
        raise ModelError(
            f"Model {name!r} predicts no finite value of {predictor.card.genes[gene]} here: there is nothing to "
            "explain.",
            "Check the model's weights and normalisation.",
        )
    return found


def rank_correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Return Spearman's correlation of two maps; 0 where one of them is constant."""
    from napari_tcgn.stats import spearman_per_gene

    found = float(spearman_per_gene(a.reshape(-1, 1), b.reshape(-1, 1))[0])
    return found if np.isfinite(found) else 0.0
