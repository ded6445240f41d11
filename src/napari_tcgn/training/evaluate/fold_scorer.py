"""What the folds of a cross-validation share, and how one of them is scored with every method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from napari_tcgn.comparison import DEPTH_ALONE
from napari_tcgn.engine import choose_device, default_batch_size
from napari_tcgn.model import ModelCard, load_model
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.data.panel import Panel, of_panel
from napari_tcgn.training.data.section import MeasuredSection, Study
from napari_tcgn.training.data.study_folder import Fold
from napari_tcgn.training.evaluate.baselines import LINE_METHOD, Baseline
from napari_tcgn.training.evaluate.scored import (
    BOTH,
    TCGN_METHOD,
    TRAINING_MEAN,
    Scored,
    depth_of,
    reachable_in,
    score_section,
)


@dataclass(frozen=True, slots=True, eq=False)
class FoldScorer:
    """Sections, simple models and their features.

    Attributes
    ----------
    settings : TrainSettings
    study : Study
    card : ModelCard
        Of all genes that any fold needs.
    sections : mapping of str to MeasuredSection
        By name, for those genes.
    baselines : sequence of Baseline
    features : mapping of str to mapping of str to float64 [n, features]
        Of every baseline and section, by name.
    """

    settings: TrainSettings
    study: Study
    card: ModelCard
    sections: Mapping[str, MeasuredSection]
    baselines: Sequence[Baseline]
    features: Mapping[str, Mapping[str, NDArray[np.float64]]]

    def of(self, names: Sequence[str], panel: Panel) -> list[MeasuredSection]:
        """Return the sections of these names for the genes of a panel."""
        return [of_panel(self.sections[name], self.card.genes, panel.genes) for name in names]

    def score_fold(self, model: Path | None, fold: Fold, panel: Panel, by: str) -> list[Scored]:
        """Score the trained model (if there is one) and every simple one on the held-out sections of a fold."""
        training, held_out = fold.training_names, fold.held_out_names
        train_sections, test_sections = self.of(training, panel), self.of(held_out, panel)
        predictions = {} if model is None else {TCGN_METHOD: self._predict(model, test_sections)}
        for baseline in self.baselines:
            table = self.features[baseline.name]
            line = baseline.fit([table[name] for name in training], train_sections)
            predictions[baseline.name] = [line(torch.from_numpy(table[name]).float()).numpy() for name in held_out]
        if model is not None and self.settings.residual == "none":
            predictions[BOTH] = [
                np.mean([net, line], axis=0, dtype=np.float32)
                for net, line in zip(predictions[TCGN_METHOD], predictions[LINE_METHOD], strict=True)
            ]
        predictions[TRAINING_MEAN] = [_training_mean(train_sections, len(s)) for s in test_sections]
        predictions[DEPTH_ALONE] = [np.repeat(depth_of(s)[:, None], len(panel.genes), axis=1) for s in test_sections]
        reachable = [reachable_in(section) for section in test_sections]
        return [
            score_section(values, section, panel.genes, by, fold.label, method, limit)
            for method, tables in predictions.items()
            for values, section, limit in zip(tables, test_sections, reachable, strict=True)
        ]

    def _predict(self, model: Path, sections: Sequence[MeasuredSection]) -> list[NDArray[np.float32]]:
        """Predict every spot of the sections with a trained model, as a user would."""
        device = choose_device(self.settings.device)
        predictor = load_model(model, device)
        size = default_batch_size(device)
        return [
            np.concatenate([predictor.predict(s.patches[i : i + size]) for i in range(0, len(s), size)])
            for s in sections
        ]


def _training_mean(training: Sequence[MeasuredSection], spots: int) -> NDArray[np.float32]:
    known = np.stack([s.measured for s in training])
    means = np.stack([s.target.mean(axis=0) for s in training])
    mean = np.where(known, means, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.repeat(mean[None].astype(np.float32), spots, axis=0)
