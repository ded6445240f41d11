"""What a training run tells: a report per epoch, and the result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One finished epoch, written to the checkpoint.

    Attributes
    ----------
    epoch, epochs : int
        Counted from 1.
    train_loss : float
        Mean of the batch losses, with augmentation and dropout.
    val_loss, val_median_pcc : float or None
        On the inner validation split; None with `select_on_test`, which has none. The median PCC is also
        None where no gene varies.
    test_loss, test_median_pcc : float or None
        On the held-out section; None unless `select_on_test`.
    learning_rate : float
        At the end of the epoch.
    seconds : float
    best : bool
        Whether this epoch is the best so far.
    """

    epoch: int
    epochs: int
    train_loss: float
    val_loss: float | None
    val_median_pcc: float | None
    test_loss: float | None
    test_median_pcc: float | None
    learning_rate: float
    seconds: float
    best: bool

    @property
    def selection(self) -> float:
        """The figure that chooses the epoch: a median PCC, minus infinity where there is none."""
        value = self.test_median_pcc if self.test_loss is not None else self.val_median_pcc
        return float("-inf") if value is None else value


@dataclass(frozen=True, slots=True, eq=False)
class TrainResult:
    """A finished run.

    Attributes
    ----------
    out, model_folder : pathlib.Path
        The run's folder, and the trained model in it (weights and card).
    held_out : list of str
        Empty: trained on every section, nothing scored.
    best_epoch : int
    test_loss, test_median_pcc : float
        Of the chosen epoch on every spot of the held-out sections; NaN without any.
    test_pcc : float64 [genes]
    history : list of EpochReport
    """

    out: Path
    model_folder: Path
    held_out: list[str]
    best_epoch: int
    test_loss: float
    test_median_pcc: float
    test_pcc: NDArray[np.float64]
    history: list[EpochReport]


def number_or_none(value: float) -> float | None:
    """JSON knows no NaN: None stands for it."""
    return float(value) if np.isfinite(value) else None
