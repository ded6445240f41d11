"""All sections of a run in the memory of the device, and which spots train, choose the epoch and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from napari_tcgn.errors import DataError
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.data.section import MeasuredSection
from napari_tcgn.training.data.split import validation_blocks
from napari_tcgn.training.data.spot_patches import SpotPatches
from napari_tcgn.training.data.target import centred, smoothed


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """N spots of S sections.

    Attributes
    ----------
    names : tuple of str
        The S sections, those held out last.
    patches : SpotPatches
        Of all N spots.
    counts : float32 [N, genes]
        Raw counts of the training spots where the loss is their likelihood; else empty. 0 at all other spots.
    target : float32 [N, genes]
        As measured; what is scored.
    taught : float32 [N, genes]
        What the training spots learn (`training/data/target.py`); NaN at all others.
    base : float32 [N, genes]
        What the network adds its output to; zero where it predicts alone.
    measured : bool [S, genes]
        Which genes each section has.
    section_of : int64 [N]
    train, validation, test : int64 [n]
        Spot numbers.
    """

    names: tuple[str, ...]
    patches: SpotPatches
    counts: torch.Tensor
    target: torch.Tensor
    taught: torch.Tensor
    base: torch.Tensor
    measured: torch.Tensor
    section_of: torch.Tensor
    train: torch.Tensor
    validation: torch.Tensor
    test: torch.Tensor


def build_dataset(
    sections: Sequence[MeasuredSection], settings: TrainSettings, device: str, held_out: int = 1
) -> Dataset:
    """Stack the sections on the device; the last `held_out` of them are for testing only.

    Raises
    ------
    DataError
        If fewer spots are left to train on than one batch takes.
    """
    sizes = [len(section) for section in sections]
    section_of = np.repeat(np.arange(len(sections)), sizes)  # [N]
    test = section_of >= len(sections) - held_out  # [N]
    validation = np.concatenate([_chooses_epoch(section, settings) for section in sections]) & ~test  # [N]
    counted = np.concatenate([section.total >= settings.min_counts for section in sections])  # [N]
    train = ~validation & ~test & counted
    if train.sum() < settings.batch_size:
        raise DataError(
            f"Only {train.sum()} spots are left to train on, fewer than one batch of {settings.batch_size}.",
            "Add sections or choose a smaller batch (--batch-size).",
        )
    if settings.val_fraction > 0 and not settings.select_on_test and not validation.any():
        raise DataError(
            "The training sections are too small to set spots aside for choosing the epoch.",
            "Add sections with more spots.",
        )

    def place(array: NDArray[np.generic]) -> torch.Tensor:  # never float64, which an Apple GPU does not take
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    return Dataset(
        names=tuple(section.name for section in sections),
        patches=SpotPatches([section.patches for section in sections], device),
        counts=place(
            _counts(sections, train) if settings.loss == "negative-binomial" else np.empty((0, 0), np.float32)
        ),
        target=place(np.concatenate([section.target for section in sections])),
        taught=place(_taught(sections, section_of, train, settings)),
        base=place(np.zeros((len(section_of), sections[0].target.shape[1]), dtype=np.float32)),
        measured=place(np.stack([section.measured for section in sections])),
        section_of=place(section_of),
        train=place(np.flatnonzero(train)),
        validation=place(np.flatnonzero(validation)),
        test=place(np.flatnonzero(test)),
    )


def _taught(
    sections: Sequence[MeasuredSection], section_of: NDArray[np.intp], train: NDArray[np.bool_], settings: TrainSettings
) -> NDArray[np.float32]:
    """Return what the training spots learn (float32 [N, genes]), NaN at all others: they must not be looked at."""
    taught = np.full((len(section_of), sections[0].target.shape[1]), np.nan, dtype=np.float32)
    for number, section in enumerate(sections):
        here = section_of == number
        mine = train[here]
        lattice = section.spots.lattice.select(mine)
        taught[here & train] = smoothed(section.target[mine], lattice, settings.smooth_targets)
    if settings.centre_sections:
        measured = np.stack([section.measured for section in sections])
        taught[train] = centred(taught[train], section_of[train], measured)
    return taught


def _counts(sections: Sequence[MeasuredSection], train: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the raw counts (float32 [N, genes]) of the training spots, 0 at all others."""
    return np.where(train[:, None], np.concatenate([section.counts for section in sections]), np.float32(0))


def _chooses_epoch(section: MeasuredSection, settings: TrainSettings) -> NDArray[np.bool_]:
    """Mark the validation spots of a training section; none where no spot is set aside for choosing the epoch."""
    if settings.select_on_test or settings.val_fraction == 0:
        return np.zeros(len(section), dtype=bool)
    return validation_blocks(section.spots.lattice, settings.val_fraction, settings.seed, section.name)
