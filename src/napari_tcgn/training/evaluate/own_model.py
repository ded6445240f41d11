"""From sections of one's own to a model: checked, evaluated on what it has not seen, fitted, judged in words."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from napari_tcgn.engine import Progress, to_the_end
from napari_tcgn.errors import DataError
from napari_tcgn.files import write_text_whole, write_whole_folder
from napari_tcgn.model import CARD_NAME, ModelCard
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.data.folds import patient_of
from napari_tcgn.training.data.own_sections import counts_and_spots
from napari_tcgn.training.data.study_folder import StudyFolder
from napari_tcgn.training.evaluate.baselines import CONTEXT_METHOD, LINE_METHOD
from napari_tcgn.training.evaluate.crossval import By, cross_validate_steps
from napari_tcgn.training.evaluate.evaluation import Evaluation
from napari_tcgn.training.evaluate.report import write_report
from napari_tcgn.training.fit.record import EpochReport
from napari_tcgn.trust import trusted

SCALES_UM = (112.0, 250.0, 700.0)  # chosen on inner folds of the HER2+ sections (docs/evaluation.md)
MEASURABLE = 0.05
FEW_SECTIONS = 4
# Seconds on two cores, as measured: for a spot (three squares, two more kinds of features); a fold of 8,000 genes.
SECONDS_A_SPOT, SECONDS_A_FOLD = 0.08, 25.0
# Other kinds of models than these are not of the same use: two are no predictors at all.
_SIMPLER = ("haematoxylin", LINE_METHOD)


@dataclass(frozen=True, slots=True)
class About:
    """What a card is to say of the data; "" where nobody has said it.

    Attributes
    ----------
    name : str
        Of the model.
    organism, tissue, licence, citation : str
    """

    name: str = ""
    organism: str = ""
    tissue: str = ""
    licence: str = ""
    citation: str = ""


@dataclass(frozen=True, slots=True)
class FitPlan:
    """What fitting will do.

    Attributes
    ----------
    patients : dict of str to str
        Patient of every section.
    spots : int
        Of all sections, with counts.
    by : tuple of {"section", "patient"}
        What is held out in turn.
    notes : tuple of str
        What the data cannot tell.
    """

    patients: dict[str, str]
    spots: int
    by: tuple[By, ...]
    notes: tuple[str, ...]

    @property
    def folds(self) -> int:
        """How often a model is fitted to be scored on what it has not seen."""
        return len(self.patients) + (len(set(self.patients.values())) if "patient" in self.by else 0)

    @property
    def seconds(self) -> float:
        """About how long it takes on two cores."""
        return SECONDS_A_SPOT * self.spots + SECONDS_A_FOLD * self.folds * max(1.0, self.spots / 800)


@dataclass(frozen=True, slots=True, eq=False)
class OwnModel:
    """A model of one's own sections.

    Attributes
    ----------
    folder : pathlib.Path
        `load_model` takes it.
    report : pathlib.Path
    card : ModelCard
    verdict : tuple of str
        Three sentences: how well it does, how it does on a new patient, and whether it is worth using.
    evaluation : Evaluation
    """

    folder: Path
    report: Path
    card: ModelCard
    verdict: tuple[str, str, str]
    evaluation: Evaluation


def plan_fit(data: str | Path) -> FitPlan:
    """Read the counts and spots of a folder's sections and say what can be held out.

    Raises
    ------
    DataError
        If there are fewer than two sections, or one cannot be read.
    """
    folder = StudyFolder.open(Path(data))
    names = folder.fold("none").training_names
    if len(names) < 2:
        raise DataError(
            f"A model is judged on a section that it has not seen, and there is only {', '.join(names) or 'none'}.",
            "Add a section, best of another patient.",
        )
    known = folder.study.patients or {}
    patients = {name: known.get(name) or patient_of(name) for name in names}
    notes: list[str] = []
    by: tuple[By, ...] = ("section", "patient")
    if len(set(patients.values())) == 1:
        by = ("section",)
        notes.append(
            f"All sections are of patient {patients[names[0]]}: how the model does on a new one stays unknown."
        )
    if len(names) < FEW_SECTIONS:
        notes.append(f"{len(names)} sections are few: figures and trust will be uncertain.")
    spots = sum(len(counts_and_spots(section)[1]) for section in folder.fold("none").training)
    return FitPlan(patients, spots, by, tuple(notes))


def fit_model_steps(
    data: str | Path,
    out: str | Path,
    about: About | None = None,
    *,
    encoder: str | None = None,
    encoder_weights: Path | str | None = None,
    accept_licence: bool = False,
    measurable: float = MEASURABLE,
    mpp: float | None = None,
    cache: str | Path | None = None,
) -> Generator[Progress | EpochReport, None, OwnModel]:
    """Make a model of one's own sections, with everything that tells how far to trust it.

    The model is a line through the squares of 112, 250 and 700 µm around a spot, or one through a frozen encoder's
    features where one is named; it is chosen beforehand, not by the held-out figures. Simpler models stand beside it.

    Parameters
    ----------
    data : str or pathlib.Path
        Folder with a sections.csv, or in a layout that `train` reads.
    out : str or pathlib.Path
        Gets model/, report.html, and what `cross_validate` writes.
    about : About, optional
    encoder, encoder_weights, accept_licence
        See `cross_validate`.
    measurable : float
        Genes seen in this share of the spots of every training section are predicted.
    mpp, cache
        See `train`.

    Yields
    ------
    Progress, EpochReport

    Returns
    -------
    OwnModel

    Raises
    ------
    DataError
        See `plan_fit`.
    """
    about, out, plan = about or About(), Path(out), plan_fit(data)
    settings = TrainSettings(measurable=measurable, patch_um=154.0)
    evaluation = yield from cross_validate_steps(
        data,
        out,
        settings,
        by=plan.by,
        encoder=encoder,
        encoder_weights=encoder_weights,
        accept_licence=accept_licence,
        mpp=mpp,
        cache=cache,
        final=True,
        scales=[SCALES_UM],
        only_lines=True,
    )
    method = CONTEXT_METHOD
    if encoder is not None:
        method = next(name for name in evaluation.models if "-pca-ridge (" in name)
    source = evaluation.models[method]
    card = _told(ModelCard.read(source / CARD_NAME), about, plan)
    folder = out / "model"
    with write_whole_folder(folder, overwrite=True, marks=(CARD_NAME,)) as temporary:
        shutil.copytree(source, temporary / folder.name)
        write_text_whole(temporary / folder.name / CARD_NAME, card.to_json() + "\n", overwrite=True)
    verdict = judge(evaluation, method, card)
    evaluation = replace(evaluation, lead=method)
    report = write_report(evaluation, verdict)
    return OwnModel(folder, report, card, verdict, evaluation)


fit_model = to_the_end(fit_model_steps, "fit_model")


def _told(card: ModelCard, about: About, plan: FitPlan) -> ModelCard:
    """Return the card with what the user has said of the data."""
    given = {name: value for name, value in asdict(about).items() if value}
    for name in ("licence", "citation"):
        if name in given:
            card = replace(card, training={**card.training, name: given[name]})
    return replace(card, **given, caveats=[*card.caveats, *plan.notes])


def judge(evaluation: Evaluation, method: str, card: ModelCard) -> tuple[str, str, str]:
    """Say in three sentences how well a model does, how on a new patient, and whether it is worth using.

    Parameters
    ----------
    evaluation : Evaluation
    method : str
        The model's, as in the tables.
    card : ModelCard
        With the held-out figures.
    """
    summary = evaluation.summary
    section = _pooled(summary, "section", method)
    ceiling = section["median_ceiling_pcc"]
    reach = "" if np.isnan(ceiling) else f"; no predictor could exceed {ceiling:.3f}"
    first = (
        f"On sections that it had not seen it has a median PCC of {section['median_pcc']:.3f} (95 %: "
        f"{section['pcc_low']:.3f} to {section['pcc_high']:.3f}) over {len(card.genes):,} genes, "
        f"{section['median_depth_pcc']:.3f} with sequencing depth taken out{reach}."
    )
    second = "All sections are of one patient, so how it does on a new patient is unknown."
    if (summary["by"] == "patient").any():
        patient = _pooled(summary, "patient", method)
        second = (
            f"With all sections of the patient held out it is {patient['median_pcc']:.3f} "
            f"({patient['median_depth_pcc']:.3f} with depth taken out): expect this on a new patient."
        )
    return first, second, _worth(summary, method, card)


def _worth(summary: pd.DataFrame, method: str, card: ModelCard) -> str:
    number = int(trusted(card).sum())
    if not number:
        return "It is not worth using: not one gene passes the rule of trust."
    mine = _pooled(summary, "section", method)["median_pcc"]
    figures = {other: _pooled(summary, "section", other)["median_pcc"] for other in _SIMPLER}
    best = max(figures, key=lambda name: figures[name])
    text = f"It is worth using for the {number:,} genes that are trusted (of {len(card.genes):,}), not for the others"
    if figures[best] >= mine:
        text += f"; the simpler {best} does as well ({figures[best]:.3f}) and lies beside it"
    return text + "."


def _pooled(summary: pd.DataFrame, by: str, method: str) -> pd.Series:
    rows = summary[(summary["by"] == by) & (summary["method"] == method)]
    whole: pd.Series = rows.iloc[-1]  # over all sections, where there are several
    return whole
