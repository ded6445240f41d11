"""The card of a trained model: a draft before training, finished with data, domain and held-out figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.model import HeldOut, ModelCard, SectionStain, TrainingDomain, TrainingStain
from napari_tcgn.options import TrainSettings, to_record
from napari_tcgn.slide import STAIN_UM, stain_of_patches
from napari_tcgn.training.data.folds import fold_name
from napari_tcgn.training.data.panel import Panel
from napari_tcgn.training.data.section import MeasuredSection, SectionFiles, Study
from napari_tcgn.training.fit.record import number_or_none

OfPatient: TypeAlias = MeasuredSection | SectionFiles

TCGN_CITATION = (
    "Xiao X. et al. Transformer with Convolution and Graph-Node co-embedding. Medical Image Analysis (2024). "
    "doi:10.1016/j.media.2023.103040"
)


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
    from napari_tcgn.expression import OUTPUT_SCALE, TOTAL_SCALE, species_of

    return ModelCard(
        name=f"tcgn-{settings.size}-{study.name}"
        + (f"-without-{fold_name(held_out, study.patients)}" if held_out else ""),
        version="1",
        architecture={"family": "tcgn", "size": settings.size}
        | ({} if settings.residual == "none" else {"residual": settings.residual}),
        genes=list(genes),
        patch_um=settings.patch_um,
        organism=study.organism or species_of(genes, []),
        tissue=study.tissue,
        output_scale=TOTAL_SCALE if settings.measurable else OUTPUT_SCALE,
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


def held_out_kind(training: Sequence[OfPatient], test: Sequence[OfPatient]) -> str:
    """Say whether the patient of a held-out section is also in training, which flatters."""
    patients = {section.patient for section in training}
    if any(section.patient in patients for section in test):
        return "section held out; its patient is also in training"
    return "patient held out"
