"""A line through simple features and a network: one that learns the residual of the line, or the mean of the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from napari_tcgn.model import LINE, Line, ModelCard, feature_card
from napari_tcgn.training.data.dataset import Dataset
from napari_tcgn.training.data.section import MeasuredSection
from napari_tcgn.training.fit.line import fit_line, section_features


@dataclass(frozen=True, slots=True, eq=False)
class ResidualBase:
    """What a network adds its residual to: a line fitted on the training spots, and the features of all spots.

    Attributes
    ----------
    line : Line
    features : float32 [N, features]
    """

    line: Line
    features: torch.Tensor

    def added_to(self, dataset: Dataset) -> Dataset:
        """Return the data set with the line's prediction of every spot as its base."""
        return replace(dataset, base=self.line(self.features).to(dataset.target.device))

    def state(self) -> dict[str, torch.Tensor]:
        """Return the line's numbers, to be kept with the network's weights."""
        return {LINE + name: value for name, value in self.line.state().items()}

    def read_back(self, weights: dict[str, torch.Tensor]) -> ResidualBase:
        """Return the same with the line that was written among `weights`."""
        numbers = {name.removeprefix(LINE): value for name, value in weights.items() if name.startswith(LINE)}
        return replace(self, line=Line.from_state(numbers))


def fit_residual_base(
    sections: Sequence[MeasuredSection], dataset: Dataset, card: ModelCard, features: str
) -> ResidualBase:
    """Fit the line on the training spots of a data set; validation and test spots are not looked at."""
    found = section_features(sections, feature_card(card, features))
    trains = np.zeros(len(dataset.section_of), dtype=bool)
    trains[dataset.train.cpu().numpy()] = True
    masks = np.split(trains, np.cumsum([len(section) for section in sections])[:-1])
    kept = [(f[m], _only(s, m)) for f, s, m in zip(found, sections, masks, strict=True) if m.any()]
    line = fit_line([f for f, _ in kept], [s for _, s in kept])
    return ResidualBase(line, torch.from_numpy(np.concatenate(found)).float())


def _only(section: MeasuredSection, spots: NDArray[np.bool_]) -> MeasuredSection:
    return replace(
        section,
        spots=section.spots.select(spots),
        patches=section.patches[spots],
        counts=section.counts[spots],
        target=section.target[spots],
        totals=None if section.totals is None else section.totals[spots],
    )


def mean_of(weights: dict[str, torch.Tensor], line: Line) -> dict[str, torch.Tensor]:
    """Return the weights of a model that predicts the mean of a TCGN alone and a line alone."""
    last = "from_directions." if "from_directions.weight" in weights else "head.2."
    halved = {name: value / 2 if name.startswith(last) else value for name, value in weights.items()}
    half = replace(line, slope=line.slope / 2, level=line.level / 2)
    return {**halved, **{LINE + name: value for name, value in half.state().items()}}
