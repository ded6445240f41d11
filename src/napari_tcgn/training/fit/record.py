"""What a training run tells: a report per epoch, the result, and the model card it ends in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.model import HeldOut, ModelCard, SectionStain, TrainingDomain, TrainingStain
from napari_tcgn.options import TrainSettings, to_record
from napari_tcgn.slide import STAIN_UM, stain_of_patches
from napari_tcgn.training.data.folds import fold_name
from napari_tcgn.training.data.panel import Panel
from napari_tcgn.training.data.section import MeasuredSection, Study

TCGN_CITATION = (
    "Xiao X. et al. Transformer with Convolution and Graph-Node co-embedding. Medical Image Analysis (2024). "
    "doi:10.1016/j.media.2023.103040"
)


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


def identity(
    settings: TrainSettings, held_out: Sequence[str], sections: Sequence[MeasuredSection], card: ModelCard
) -> dict[str, Any]:
    """Return everything that must be equal for a run to be continued; the device may change."""
    chosen = to_record(settings)
    del chosen["device"]
    return {
        "settings": chosen,
        "held_out": list(held_out),
        "training": [section.name for section in sections if section.name not in held_out],
        "panel": {"genes": len(card.genes), "sha256": hashlib.sha256("\n".join(card.genes).encode()).hexdigest()},
        "spots": {section.name: len(section) for section in sections},
        "mpp": {section.name: section.mpp for section in sections},
    }


def data_record(sections: Sequence[MeasuredSection], genes: Sequence[str]) -> dict[str, Any]:
    """Return what was read of every section, with whatever was left out or filled up."""
    names = np.asarray(genes, dtype=str)
    return {
        section.name: {
            "spots": len(section),
            "spots_without_position": list(section.only_counts),
            "genes_summed": list(section.summed),
            "spots_without_counts": list(section.only_spots),
            "empty_spots": int((section.counts.sum(axis=1) == 0).sum()),
            "patches_over_the_edge": section.padded,
            "genes_missing": [str(gene) for gene in names[~section.measured]],
            "patch_px": section.patches.shape[1],
            "mpp": section.mpp,
            "mpp_source": section.mpp_source,
        }
        for section in sections
    }


def selection_note(settings: TrainSettings) -> str:
    """Say in words how the epoch was chosen."""
    if settings.select_on_test:
        return "OPTIMISTIC: the epoch was chosen on the held-out section itself (the original protocol)"
    if settings.val_fraction == 0:
        return f"the last of {settings.epochs} epochs, fixed in advance"
    return (
        f"the epoch was chosen on an inner validation split ({settings.val_fraction:.0%} of the training spots, "
        "spatial blocks), never on the held-out section"
    )


def draft_card(settings: TrainSettings, held_out: Sequence[str], genes: Sequence[str], study: Study) -> ModelCard:
    """Return the card of the model to be trained, before anything is known of its data and skill."""
    from napari_tcgn.expression import OUTPUT_SCALE

    return ModelCard(
        name=f"tcgn-{settings.size}-{study.name}"
        + (f"-without-{fold_name(held_out, study.patients)}" if held_out else ""),
        version="1",
        architecture={"family": "tcgn", "size": settings.size}
        | ({} if settings.residual == "none" else {"residual": settings.residual}),
        genes=list(genes),
        patch_um=settings.patch_um,
        tissue=study.tissue,
        output_scale=OUTPUT_SCALE,
        licence=f"{study.licence} (training data)" if study.licence else "",
        citation="; ".join(text for text in (TCGN_CITATION, study.citation) if text),
    )


def finished_card(
    card: ModelCard,
    settings: TrainSettings,
    training: Sequence[MeasuredSection],
    study: Study,
    panel: Panel,
    device: str,
    best_epoch: int,
    metrics: HeldOut,
) -> ModelCard:
    """Return the card with training data, domain and held-out figures."""
    mpps = [section.mpp for section in training]
    caveats = ["Research use only."]
    if len(training) < 10:
        caveats.append(f"Trained on {len(training)} sections only.")
    if settings.select_on_test:
        caveats.append("The held-out figures are optimistic: they also chose the epoch.")
    return replace(
        card,
        training={
            "data": study.data,
            "sections": [section.name for section in training],
            "spots": int(sum(len(section) for section in training)),
            "licence": study.licence,
            "citation": study.citation,
            "recipe": to_record(settings),
            "panel": panel.source,
            "epoch": best_epoch,
            "date": datetime.now(UTC).date().isoformat(),
            "device": device,
        },
        domain=TrainingDomain(
            (min(mpps), max(mpps)),
            TrainingStain(
                STAIN_UM,
                {s.name: SectionStain(**stain_of_patches(s.patches, card.patch_um).to_record()) for s in training},
            ),
        ),
        metrics=metrics,
        caveats=caveats,
    )


def held_out_metrics(
    settings: TrainSettings,
    training: Sequence[MeasuredSection],
    test: Sequence[MeasuredSection],
    pcc: NDArray[np.float64],
    median: float,
) -> HeldOut:
    """Return the card's figures on the held-out sections, with their protocol."""
    names, kind = ", ".join(section.name for section in test), held_out_kind(training, test)
    return HeldOut(
        protocol=f"{names} held out ({kind}); {selection_note(settings)}; every spot scored",
        n_spots=sum(len(section) for section in test),
        median_pcc=number_or_none(median),
        pcc=[None if np.isnan(v) else round(float(v), 5) for v in pcc],
    )


def held_out_kind(training: Sequence[MeasuredSection], test: Sequence[MeasuredSection]) -> str:
    """Say whether the patient of a held-out section is also in training, which flatters."""
    patients = {section.patient for section in training}
    if any(section.patient in patients for section in test):
        return "section held out; its patient is also in training"
    return "patient held out"
