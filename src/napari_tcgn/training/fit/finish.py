"""The end of a training run: the chosen epoch as a model, scored as shipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from napari_tcgn.model import (
    TCGN,
    WEIGHTS_NAME,
    ModelCard,
    load_into,
    read_checkpoint,
    save_domain,
    save_model,
    whole_head,
)
from napari_tcgn.training.fit.card import finished_card, held_out_metrics
from napari_tcgn.training.fit.domain import domain_of_sections
from napari_tcgn.training.fit.held_out_runs import pooled_metrics
from napari_tcgn.training.fit.material import Material
from napari_tcgn.training.fit.record import TrainResult, number_or_none
from napari_tcgn.training.fit.run_folder import RunFolder
from napari_tcgn.training.fit.run_record import Outcome
from napari_tcgn.training.fit.score import NetworkScore, score_spots
from napari_tcgn.training.fit.trainer import Trainer


def finish(
    run: RunFolder,
    trainer: Trainer,
    material: Material,
    kept: dict[str, torch.Tensor],
    device: str,
    others: Sequence[ModelCard],
) -> TrainResult:
    """Write the chosen epoch as a model with its held-out figures.

    Parameters
    ----------
    run : RunFolder
    trainer : Trainer
    material : Material
    kept : dict of str to torch.Tensor
        Weights of the chosen epoch.
    device : str
        In words, for the card.
    others : sequence of ModelCard
        Cards of finished runs whose figures stand for those of a model that nothing was held out of.
    """
    card, kept = _factored(trainer, kept)
    weights = _write_weights(run, card, material, kept)
    score = _score_as_shipped(run, trainer, material, weights)
    if material.test:
        metrics = held_out_metrics(trainer.settings, material.training, material.test, score.pcc, score.median_pcc)
    else:
        metrics = pooled_metrics(others, trainer.card.genes)
    best = trainer.best_epoch
    card = finished_card(
        card, trainer.settings, material.training, material.study, material.panel, device, best, metrics
    )
    card = save_domain(run.model_path, domain_of_sections(material.training, card), card)
    save_model(run.model_path, weights, card)
    held_out = [section.name for section in material.test]
    protocol = metrics.protocol or "trained on every section; nothing scored"
    loss, median = score.loss, score.median_pcc
    run.finish(Outcome(held_out, best, score.n_spots, number_or_none(loss), number_or_none(median), protocol))
    return TrainResult(run.path, run.model_path, held_out, best, loss, median, score.pcc, list(trainer.history))


def _factored(trainer: Trainer, kept: dict[str, torch.Tensor]) -> tuple[ModelCard, dict[str, torch.Tensor]]:
    """Return the card and weights of a TCGN whose output is confined to directions with its last layer as two."""
    card, subspace = trainer.card, trainer.subspace
    if subspace is None or not isinstance(trainer.net, TCGN):
        return card, kept
    layers = subspace.factors(*(kept[f"head.2.{name}"].to(subspace.centre) for name in ("weight", "bias")))
    architecture = {**card.architecture, "directions": len(subspace.loadings)}
    return replace(card, architecture=architecture), kept | layers


def _write_weights(
    run: RunFolder, card: ModelCard, material: Material, kept: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Write the model and return its weights as they stand in the file, in half precision."""
    line = {} if material.line is None else material.line.state()
    save_model(run.model_path, {**kept, **line}, card)
    return read_checkpoint(run.model_path / WEIGHTS_NAME)


def _score_as_shipped(
    run: RunFolder, trainer: Trainer, material: Material, weights: dict[str, torch.Tensor]
) -> NetworkScore:
    """Score the weights of the file, so that the card's figures are those of what lies beside it.

    The network of the trainer has these weights afterwards. Without a section held out every figure is NaN.
    """
    line = material.line
    of_line = {} if line is None else line.state()
    own = {name: value for name, value in weights.items() if name not in of_line}
    load_into(trainer.scored, whole_head(own), str(run.model_path))
    if not material.test:
        return NetworkScore(np.nan, np.full(len(trainer.card.genes), np.nan), np.nan, 0)
    dataset = trainer.dataset if line is None else line.read_back(weights).added_to(trainer.dataset)
    return score_spots(trainer.scored, dataset, dataset.test, trainer.card)
