"""A checkpoint: everything that a training run needs to go on after an epoch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from napari_tcgn.errors import CheckpointError
from napari_tcgn.training.fit.record import EpochReport

CHECKPOINT_FORMAT = "napari-tcgn checkpoint 2"


@dataclass(slots=True)
class Checkpoint:
    """Everything a run needs to go on after an epoch.

    Random numbers need no state: every epoch draws them anew from the run's seed and its own number.

    Attributes
    ----------
    net, optimiser : dict
        Their state_dicts.
    average : dict or None
        That of the running mean of the weights.
    scored : dict
        The weights that were scored; written out beside the checkpoint where the last epoch is the best.
    best_epoch : int
        Its weights lie beside the checkpoint.
    likelihood : dict or None
        What the loss itself has learnt (the dispersions of the negative binomial), where it learns anything.
    history : list of EpochReport
        One per finished epoch.
    """

    net: dict[str, Any]
    average: dict[str, Any] | None
    scored: dict[str, Any]
    optimiser: dict[str, Any]
    best_epoch: int
    history: list[EpochReport]
    likelihood: dict[str, Any] | None = None

    def write(self, path: Path) -> None:
        """Write it as a file that `read` reads."""
        content = {
            "format": CHECKPOINT_FORMAT,
            "net": self.net,
            "average": self.average,
            "optimiser": self.optimiser,
            "best_epoch": self.best_epoch,
            "likelihood": self.likelihood,
            "history": [asdict(report) for report in self.history],
        }
        torch.save(content, path)

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read a checkpoint; the weights that were scored are not in it.

        Raises
        ------
        CheckpointError
            If the file is corrupt or not a checkpoint of a run.
        """
        hint = "Start a new run in another folder (--out)."
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged or unsafe file
            raise CheckpointError(f"{path} cannot be read: {error}.", hint) from error
        if not isinstance(content, dict) or content.get("format") != CHECKPOINT_FORMAT:
            raise CheckpointError(f"{path} is not a checkpoint of a training run.", hint)
        try:
            return cls(
                net=content["net"],
                average=content["average"],
                scored={},
                optimiser=content["optimiser"],
                best_epoch=content["best_epoch"],
                likelihood=content.get("likelihood"),
                history=[EpochReport(**row) for row in content["history"]],
            )
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{path} is incomplete: {error}.", hint) from error
