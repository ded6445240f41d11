"""Start from the weights of another network: published TCGN or CMT checkpoints, or a model of one's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_tcgn.errors import CheckpointError
from napari_tcgn.files import sha256_of
from napari_tcgn.model import CARD_NAME, ModelCard, read_checkpoint, whole_head

HEAD = ("head.2.weight", "head.2.bias")  # one row per gene


@dataclass(frozen=True, slots=True)
class WarmStart:
    """What became of the entries of a network and of a checkpoint.

    Attributes
    ----------
    file, sha256 : str
    loaded : int
        Entries of the network that were filled.
    resized : list of str
        Position tables that were interpolated to another input size.
    genes : int
        Genes whose output row was found by name.
    fresh : list of str
        Entries of the network that keep their random start.
    unused : list of str
        Entries of the checkpoint that the network does not have, or has in another shape.
    """

    file: str
    sha256: str
    loaded: int
    resized: list[str]
    genes: int
    fresh: list[str]
    unused: list[str]

    def __str__(self) -> str:
        text = f"{self.loaded} of {self.loaded + len(self.fresh)} entries from {self.file}"
        if self.genes:
            text += f", the outputs of {self.genes} genes by name"
        if self.resized:
            text += f", {len(self.resized)} position tables resized"
        return text + (f"; {len(self.unused)} entries of the file do not fit" if self.unused else "")


def weights_file(place: Path) -> tuple[Path, ModelCard | None]:
    """Return the weights and the card of a model folder, or of a checkpoint with or without a card beside it."""
    folder = place if place.is_dir() else place.parent
    card = ModelCard.read(folder / CARD_NAME) if (folder / CARD_NAME).is_file() else None
    if place.is_dir():
        if card is None:
            raise CheckpointError(f"{place} holds no {CARD_NAME}.", "Give a model folder or a checkpoint.")
        return folder / card.weights, card
    return place, card


def warm_start(net: nn.Module, place: Path, genes: Sequence[str]) -> WarmStart:
    """Fill every entry of a network that a checkpoint has; the rest keeps its random start.

    Parameters
    ----------
    net : nn.Module
    place : pathlib.Path
        Model folder or checkpoint. The relative position tables of a network for another input size are
        interpolated. With a card, the rows of the last layer are matched by gene name.
    genes : sequence of str
        Of `net`, in output order.

    Raises
    ------
    CheckpointError
        If the file cannot be read, or not one entry fits.
    """
    path, card = weights_file(place)
    state, own = whole_head(read_checkpoint(path)), net.state_dict()
    filled: dict[str, Tensor] = {}
    resized: list[str] = []
    matched = 0
    for name, current in own.items():
        found = state.get(name)
        if found is None:
            continue
        if name in HEAD and card is not None and found.shape[1:] == current.shape[1:] and len(found) == len(card.genes):
            rows = {gene: row for row, gene in enumerate(card.genes)}
            pairs = [(i, rows[gene]) for i, gene in enumerate(genes) if gene in rows]
            if pairs:
                filled[name] = current.clone()
                here, there = (torch.tensor(side) for side in zip(*pairs, strict=True))
                filled[name][here] = found[there].to(current)
                matched = len(pairs)
        elif found.shape == current.shape:
            filled[name] = found.to(current)
        elif name.startswith("relative_pos_") and found.ndim == 3 and found.shape[0] == current.shape[0]:
            table = _resized(found.float(), current.shape[1], current.shape[2])
            if table is not None:
                filled[name] = table.to(current)
                resized.append(name)
    if not any(own[name].ndim > 0 for name in filled):
        raise CheckpointError(
            f"Not one of the {len(state)} entries of {path} fits the network.",
            "Give a checkpoint of TCGN or CMT of the same size (--size).",
        )
    if not all(torch.isfinite(value).all() for value in filled.values() if value.is_floating_point()):
        raise CheckpointError(f"{path} holds values that are not finite.", "Use another checkpoint.")
    net.load_state_dict({**own, **filled})
    return WarmStart(
        file=path.name,
        sha256=sha256_of(path),
        loaded=len(filled),
        resized=resized,
        genes=matched,
        fresh=[name for name in own if name not in filled],
        unused=[name for name in state if name not in filled],
    )


def _resized(table: Tensor, rows: int, columns: int) -> Tensor | None:
    """Interpolate a table [heads, N, M] of two square maps to [heads, rows, columns]; None if they are not square."""
    sides = [math.isqrt(n) for n in (*table.shape[1:], rows, columns)]
    if [side**2 for side in sides] != [*table.shape[1:], rows, columns]:
        return None
    n, m, new_n, new_m = sides
    heads = len(table)
    x = table.view(heads, n, n, m * m).permute(0, 3, 1, 2)  # [heads, M, n, n]
    x = F.interpolate(x, (new_n, new_n), mode="bilinear", align_corners=False).flatten(2)  # [heads, M, rows]
    x = x.view(heads, m, m, rows).permute(0, 3, 1, 2)  # [heads, rows, m, m]
    return F.interpolate(x, (new_m, new_m), mode="bilinear", align_corners=False).flatten(2)
