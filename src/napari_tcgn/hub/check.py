"""What a model lacks and how it behaves: for whoever makes one, or gets one from somewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import psutil
from numpy.typing import NDArray

from napari_tcgn.errors import ModelError
from napari_tcgn.hub.licences import hub_licence
from napari_tcgn.model import ModelCard, Predictor, domain_of, load_model

Outcome = Literal["passed", "failed", "note"]
PATCHES = 12
SAME = 1e-4  # of the spread of the predictions: what rounding in another order does is far below
TURNS = 0.05  # of that spread: below, it does not matter how the patch lies


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
    outcome : {"passed", "failed", "note"}
        A note is no fault, but worth knowing.
    text : str
    """

    name: str
    outcome: Outcome
    text: str


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """What was found about a model.

    Attributes
    ----------
    name : str
    findings : tuple of Finding
    patches_per_second : float
    memory_mb : float
        By how much the process grew while the model was loaded and used.
    """

    name: str
    findings: tuple[Finding, ...]
    patches_per_second: float
    memory_mb: float

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return all(one.outcome != "failed" for one in self.findings)


def check_model(name_or_path: str | Path, device: str = "cpu") -> ModelCheck:
    """Load a model, predict drawn patches with it, and say what its card lacks and what it does wrong.

    Parameters
    ----------
    name_or_path : str or pathlib.Path
        As for `load_model`.
    device : str

    Returns
    -------
    ModelCheck

    Raises
    ------
    ModelError, CheckpointError
        If it cannot be loaded at all.
    """
    before = _memory()
    predictor = load_model(name_or_path, device)
    card = predictor.card
    patches = _drawn(card)
    predicted = predictor.predict(patches)
    findings = [*_of_card(card), *_of_output(card, predicted)]
    if all(one.outcome != "failed" for one in findings):
        findings += [_batches(predictor, patches, predicted), _orientation(predictor, patches, predicted)]
    started, rounds = time.perf_counter(), 0
    while rounds < 3 or time.perf_counter() - started < 1.0:
        predictor.predict(patches)
        rounds += 1
    speed = rounds * len(patches) / (time.perf_counter() - started)
    found = domain_of(predictor)
    known: Outcome = "passed" if found is not None else "note"
    text = (
        "it is told which spots are unlike the training"
        if found
        else "unknown: no spot is told to be unlike the training"
    )
    findings.append(Finding("domain", known, text))
    return ModelCheck(card.name, tuple(findings), round(speed, 1), round((_memory() - before) / 2**20, 1))


def _drawn(card: ModelCard) -> NDArray[np.uint8]:
    """Return patches with blobs of haematoxylin on eosin, uint8 [PATCHES, side, side, 3]; none is symmetric."""
    side = card.detail_px
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:side, 0:side] / side
    patches = np.empty((PATCHES, side, side, 3), np.uint8)
    for patch in patches:
        picture = np.tile(np.array([236.0, 180.0, 208.0]), (side, side, 1))
        for _ in range(int(rng.integers(3, 40))):
            cx, cy, radius = *rng.random(2) ** (1.0, 1.7), rng.uniform(0.01, 0.06)
            inside = (x - cx) ** 2 + (1.6 * (y - cy)) ** 2 < radius**2
            picture[inside] = (92.0, 62.0, 140.0)
        patch[...] = np.clip(picture + rng.normal(0, 9, picture.shape), 0, 255).astype(np.uint8)
    return patches


def _of_card(card: ModelCard) -> list[Finding]:
    lacks = {
        "organism": card.organism,
        "tissue": card.tissue,
        "citation": card.citation,
        "training data": card.training.get("data"),
        "training sections": card.training.get("sections"),
        "µm per px of the training slides": card.domain.mpp,
        "stain of the training slides": card.domain.stain,
        "gene ids": card.gene_ids,
        "held-out PCC of every gene": card.metrics.pcc,
        "protocol of the held-out figures": card.metrics.protocol,
        "PCC with depth taken out": card.metrics.depth_pcc,
        "what could be reached": card.metrics.ceiling_pcc,
        "hash of the weights": card.sha256,
        "caveats": card.caveats,
    }
    missing = [name for name, value in lacks.items() if not value]
    text = f"it does not say: {', '.join(missing)}" if missing else "it says everything"
    found = [Finding("card", "note" if missing else "passed", text)]
    if not card.licence.strip():
        return [*found, Finding("licence", "failed", "none is stated: nobody may use the model")]
    named = hub_licence(card.licence)[0]
    return [*found, Finding("licence", "passed" if named != "other" else "note", card.licence)]


def _of_output(card: ModelCard, predicted: NDArray[np.float32]) -> list[Finding]:
    wanted = (PATCHES, len(card.genes))
    if not isinstance(predicted, np.ndarray) or predicted.shape != wanted or predicted.dtype != np.float32:
        shape, dtype = getattr(predicted, "shape", type(predicted).__name__), getattr(predicted, "dtype", "")
        return [Finding("output", "failed", f"{dtype} {shape}; wanted: float32 {wanted}")]
    if not np.isfinite(predicted).all():
        share = 1 - np.isfinite(predicted).mean()
        return [Finding("output", "failed", f"{share:.1%} of the values are not finite")]
    if float(predicted.std(axis=0).max()) == 0:
        return [Finding("output", "failed", "the same values for every patch")]
    return [Finding("output", "passed", f"finite, {predicted.min():.2f} to {predicted.max():.2f}")]


def _batches(predictor: Predictor, patches: NDArray[np.uint8], predicted: NDArray[np.float32]) -> Finding:
    """A prediction may not depend on the patches beside it: results would then depend on the size of a batch."""
    alone = np.concatenate([predictor.predict(patch[None]) for patch in patches])
    pairs = np.concatenate([predictor.predict(patches[k : k + 5]) for k in range(0, PATCHES, 5)])
    spread = float(predicted.std())
    apart = max(float(np.abs(other - predicted).max()) for other in (alone, pairs)) / spread
    right = apart <= SAME
    return Finding(
        "batches", "passed" if right else "failed", f"alone or together they differ by {apart:.1e} of their spread"
    )


def _orientation(predictor: Predictor, patches: NDArray[np.uint8], predicted: NDArray[np.float32]) -> Finding:
    """Whether the card says the right orientation cannot be seen without measured sections, only whether it matters."""
    turned = predictor.predict(np.ascontiguousarray(patches.transpose(0, 2, 1, 3)))
    change = float(np.abs(turned - predicted).mean() / predicted.std())
    if change < TURNS:
        return Finding("orientation", "passed", f"it does not matter ({change:.1%} of the spread when transposed)")
    text = f"transposed patches change it by {change:.1%} of its spread: be sure of {predictor.card.orientation!r}"
    return Finding("orientation", "note", text)


def require_usable(found: ModelCheck) -> None:
    """Refuse a model that failed.

    Raises
    ------
    ModelError
        With what failed.
    """
    failed = [f"{one.name} ({one.text})" for one in found.findings if one.outcome == "failed"]
    if failed:
        raise ModelError(
            f"Model {found.name!r} failed: {'; '.join(failed)}.", "It should not be used or shared as it is."
        )


def _memory() -> int:
    return int(psutil.Process().memory_info().rss)
