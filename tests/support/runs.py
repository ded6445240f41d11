"""A quick network and how the tests run a training to its end."""

from __future__ import annotations

import torch
from torch import nn

from napari_tcgn.engine import Progress
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.fit.loop import train_steps
from napari_tcgn.training.fit.record import EpochReport, TrainResult

FAST = TrainSettings(epochs=3, batch_size=16, learning_rate=3e-3, val_fraction=0.25, device="cpu")


def small_net(num_genes):
    """A small network with everything that a resumed run must get right: BatchNorm statistics and dropout."""
    return nn.Sequential(
        nn.AvgPool2d(8),
        nn.Conv2d(3, 8, 3, stride=2),
        nn.BatchNorm2d(8),
        nn.GELU(),
        nn.Dropout(0.1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, num_genes),
    )


def mean_colour(num_genes):
    """All that expression follows in the drawn sections."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, num_genes))


def start(dataset, out, genes, settings=FAST, fold="B1", **options):
    options.setdefault("build_net", small_net)
    return train_steps(dataset, fold, out, settings, genes=genes, mpp=2.0, **options)


def finish(run) -> tuple[list[Progress | EpochReport], TrainResult]:
    told = []
    while True:
        try:
            told.append(next(run))
        except StopIteration as stop:
            return told, stop.value


def stop_after_an_epoch(run) -> None:
    """Run until the first epoch is written, then close, as a kill would."""
    while not isinstance(next(run), EpochReport):
        pass
    run.close()


def reports(told):
    return [step for step in told if isinstance(step, EpochReport)]


def last_state(out):
    return torch.load(out / "checkpoint.pt", weights_only=True)
