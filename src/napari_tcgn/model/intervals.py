"""The file of intervals beside a model's weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch

from napari_tcgn.errors import CheckpointError
from napari_tcgn.files import sha256_of, write_whole
from napari_tcgn.model.card import ModelCard
from napari_tcgn.model.gene_intervals import LEVEL, PROBABILITIES, GeneIntervals
from napari_tcgn.model.held_out import IntervalFile
from napari_tcgn.model.weights import read_tensors

INTERVALS_NAME = "intervals.safetensors"


def save_intervals(
    folder: Path, intervals: GeneIntervals | None, card: ModelCard, coverage: Mapping[str, float], source: str = ""
) -> ModelCard:
    """Write intervals beside a model's weights, and return the card that names them; the card itself is not written.

    Parameters
    ----------
    folder : pathlib.Path
    intervals : GeneIntervals or None
        None: nothing is known.
    card : ModelCard
    coverage : mapping of str to float
        Of every held-out section by intervals made of the others: the share of its spots inside, at `LEVEL`, in the
        median gene.
    source : str
        Where the residuals are from, if not from the folds of the card's held-out figures.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    from safetensors.torch import save_file

    if intervals is None:
        return replace(card, metrics=replace(card.metrics, intervals=None))
    path = Path(folder) / INTERVALS_NAME
    half = {"slope", "quantiles"}
    tensors = {
        f.name: torch.from_numpy(
            np.ascontiguousarray(getattr(intervals, f.name), np.float16 if f.name in half else np.float32)
        )
        for f in fields(intervals)
    }
    with write_whole(path, overwrite=True) as temporary:
        save_file(tensors, temporary)
    shares = {name: round(value, 4) for name, value in coverage.items()}
    told = IntervalFile(INTERVALS_NAME, sha256_of(path), LEVEL, shares, source)
    return replace(card, metrics=replace(card.metrics, intervals=told))


def read_intervals(folder: Path, card: ModelCard) -> GeneIntervals | None:
    """Read the intervals that a card names; None where it names none, or the file was left behind.

    Raises
    ------
    CheckpointError
        If the file is damaged, or not the one that the card names.
    """
    from safetensors import SafetensorError

    named = card.metrics.intervals
    if named is not None and named.file != Path(named.file).name:
        raise CheckpointError(
            f"The card of model {card.name!r} names intervals outside its folder ({named.file!r}).",
            "Keep the file beside the card, and name it alone.",
        )
    if named is None or not (path := Path(folder) / named.file).is_file():
        return None
    hint = "Restore the file that belongs to the card, or remove it: intervals are then unknown."
    if (found := sha256_of(path)) != named.sha256:
        raise CheckpointError(f"{path} has SHA-256 {found[:12]}…, its card says {named.sha256[:12]}….", hint)
    try:
        intervals = GeneIntervals(**{name: tensor.float().numpy() for name, tensor in read_tensors(path).items()})
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} holds no intervals: {error}.", hint) from error
    genes = len(card.genes)
    wanted = {"centre": (genes,), "scale": (genes,), "slope": (genes,), "quantiles": (len(PROBABILITIES), genes)}
    shapes = {f.name: getattr(intervals, f.name).shape for f in fields(intervals)}
    if shapes != wanted:
        raise CheckpointError(f"{path} holds {shapes}, the model's {genes} genes want {wanted}.", hint)
    return intervals
