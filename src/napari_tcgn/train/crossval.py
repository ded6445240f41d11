"""Every section (or patient) held out once: TCGN and the simple models in one table, and the model that comes of it."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from napari_tcgn.errors import DataError, SettingsError
from napari_tcgn.files import write_whole
from napari_tcgn.model import load_model
from napari_tcgn.model.card import ModelCard
from napari_tcgn.model.panels import read_panel
from napari_tcgn.model.weights import CARD_NAME, WEIGHTS_NAME, read_checkpoint, save_model
from napari_tcgn.predict import Progress, choose_device, default_batch_size
from napari_tcgn.predict.record import package_versions
from napari_tcgn.settings import TrainSettings, to_record
from napari_tcgn.train.baselines import LINE_METHOD, Baseline, default_baselines
from napari_tcgn.train.beside import mean_of
from napari_tcgn.train.evaluate import (
    BOTH,
    DEPTH_ALONE,
    TCGN_METHOD,
    TRAINING_MEAN,
    Scored,
    depth_of,
    difference_table,
    gene_table,
    score_section,
    summary_table,
)
from napari_tcgn.train.folds import fold_name, patient_of, resolve_fold
from napari_tcgn.train.group import started_processes
from napari_tcgn.train.her2st import find_sections, load_section, study_of
from napari_tcgn.train.loop import train
from napari_tcgn.train.record import EpochReport, draft_card, held_out_kind
from napari_tcgn.train.section import SectionData, Study
from napari_tcgn.train.trust import trust

By = Literal["section", "patient"]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What a cross-validation found.

    Attributes
    ----------
    out : pathlib.Path
    scored : list of Scored
        Every method on every held-out section.
    summary, differences, genes : pandas.DataFrame
        As written to summary.csv, differences.csv and genes.csv.
    models : dict of str to pathlib.Path
        Folders of the models trained on every section, if asked for.
    """

    out: Path
    scored: list[Scored]
    summary: pd.DataFrame
    differences: pd.DataFrame
    genes: pd.DataFrame
    models: dict[str, Path]


def cross_validate(
    data: Path,
    out: Path,
    settings: TrainSettings | None = None,
    *,
    by: Sequence[By] = ("section",),
    encoder: str | None = None,
    encoder_weights: Path | None = None,
    genes: Sequence[str] | None = None,
    mpp: float | None = None,
    final: bool = False,
) -> Generator[Progress | EpochReport, None, Evaluation]:
    """Train and score every fold; folds that are finished already are taken as they are.

    Parameters
    ----------
    data : pathlib.Path
        Folder in her2st layout, or with a sections.csv.
    out : pathlib.Path
        Gets runs/fold-NAME (see `train`), genes.csv, summary.csv, differences.csv and evaluation.json; a stopped
        cross-validation goes on when called again.
    settings : TrainSettings, optional
    by : sequence of {"section", "patient"}
        What is held out together; with both, the gap between the two shows what a patient's own sections are worth.
    encoder : str, optional
        A timm model whose frozen features get a ridge on 256 principal components.
    encoder_weights : pathlib.Path, optional
        Its weights; random ones, labelled so, without.
    genes, mpp
        See `train`; the simple models see the same patches.
    final : bool
        Also train TCGN and the simple models on every section, with the held-out figures on their cards, into models/.

    Yields
    ------
    Progress, EpochReport

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError
        If fewer than two sections are at hand.
    OutputError
        If `out` holds runs of another recipe.
    """
    settings = settings or TrainSettings()
    if settings.select_on_test:
        raise SettingsError("Choosing the epoch on the held-out section is no cross-validation.", "Leave it out.")
    if started_processes() > 1:
        raise SettingsError(
            "Cross-validation runs in one process.",
            "Train its folds with several first (train --fold NAME --out OUT/runs/fold-NAME), then call it without.",
        )
    panel = list(genes) if genes is not None else read_panel("her2st_785")
    found = {section.name: section for section in find_sections(Path(data))}
    study = study_of(data, list(found.values()))
    folds = _folds(by, list(found), study)
    card = draft_card(settings, [], panel, study)
    _, names = resolve_fold("none", found, study.patients)
    sections: dict[str, SectionData] = {}
    for name in names:
        yield Progress("read sections", len(sections), len(names))
        sections[name] = load_section(found[name], panel, card, mpp)
    baselines = default_baselines(encoder, encoder_weights)
    features = {}
    for number, baseline in enumerate(baselines):
        yield Progress(f"features of {baseline.name}", number, len(baselines))
        features[baseline.name] = dict(zip(names, baseline.extract(list(sections.values()), card), strict=True))

    scored: list[Scored] = []
    runs: dict[str, Path] = {}
    kinds: dict[str, str] = {}
    for kind, name in folds:
        held_out, training = resolve_fold(name, found, study.patients)
        label = fold_name(held_out, study.patients)
        if label not in runs:
            run = out / "runs" / f"fold-{label}"
            resume = (run / "run.json").is_file()
            yield from train(data, name, run, settings, resume=resume, genes=panel, mpp=mpp)
            runs[label] = run
        train_sections, test_sections = ([sections[n] for n in part] for part in (training, held_out))
        kinds[name] = held_out_kind(train_sections, test_sections)
        predictions = {TCGN_METHOD: _predict(runs[label] / "model", test_sections, settings)}
        for baseline in baselines:
            table = features[baseline.name]
            line = baseline.fit([table[n] for n in training], train_sections)
            predictions[baseline.name] = [line(torch.from_numpy(table[n]).float()).numpy() for n in held_out]
        if settings.beside == "none":
            predictions[BOTH] = [
                np.mean([net, line], axis=0, dtype=np.float32)
                for net, line in zip(predictions[TCGN_METHOD], predictions[LINE_METHOD], strict=True)
            ]
        predictions[TRAINING_MEAN] = [_training_mean(train_sections, len(s)) for s in test_sections]
        predictions[DEPTH_ALONE] = [np.repeat(depth_of(s)[:, None], len(panel), axis=1) for s in test_sections]
        yield Progress(f"score {label}", 0, 1)
        for method, values in predictions.items():
            scored += [
                score_section(v, s, panel, kind, label, method) for v, s in zip(values, test_sections, strict=True)
            ]
    summary, differences, table_of_genes = (
        summary_table(scored),
        difference_table(scored, TCGN_METHOD),
        gene_table(scored),
    )
    models: dict[str, Path] = {}
    if final:
        yield from train(
            data, "none", out / "runs" / "fold-none", settings, genes=panel, mpp=mpp,
            resume=(out / "runs" / "fold-none" / "run.json").is_file(),
        )  # fmt: skip
        models = _final_models(out, scored, baselines, features, sections, card, settings, study)
    record = {
        "format": "napari-tcgn evaluation 1",
        "settings": to_record(settings),
        "patch_um": settings.patch_um,
        "sections": {name: {"spots": len(s), "mpp": s.mpp} for name, s in sections.items()},
        "folds": [{"by": kind, "held_out": name, "kind": kinds[name]} for kind, name in folds],
        "genes": len(panel),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": package_versions(),
        "summary": json.loads(summary.to_json(orient="records")),
        "differences": json.loads(differences.to_json(orient="records")),
    }
    for name, frame in (("summary", summary), ("differences", differences), ("genes", table_of_genes)):
        with write_whole(out / f"{name}.csv", overwrite=True) as temporary:
            frame.to_csv(temporary, index=False, float_format="%.5f")
    with write_whole(out / "evaluation.json", overwrite=True) as temporary:
        temporary.write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
    return Evaluation(out, scored, summary, differences, table_of_genes, models)


def _folds(by: Sequence[By], names: Sequence[str], study: Study) -> list[tuple[str, str]]:
    """Return (kind, what is held out) of every fold that leaves something to train on."""
    _, usable = resolve_fold("none", names, study.patients)
    if len(usable) < 2:
        raise DataError(
            f"Cross-validation needs at least two sections, found {len(usable)}.", "Add sections to the data folder."
        )
    folds: list[tuple[str, str]] = []
    for kind in dict.fromkeys(by):
        if kind == "section":
            folds += [(kind, name) for name in usable]
            continue
        of = study.patients or {name: patient_of(name) for name in usable}
        patients = list(dict.fromkeys(of[name] for name in usable))
        if len(patients) < 2:
            raise DataError(
                f"All sections are of patient {patients[0]}: no patient can be held out.",
                "Add a section of another patient, or leave out --by patient.",
            )
        folds += [(kind, patient) for patient in patients]
    return folds


def _predict(model: Path, sections: Sequence[SectionData], settings: TrainSettings) -> list[NDArray[np.float32]]:
    """Predict every spot of the sections with a trained model, as a user would."""
    device = choose_device(settings.device)
    predictor = load_model(model, device)
    size = default_batch_size(device)
    return [
        np.concatenate([predictor.predict(s.patches[i : i + size]) for i in range(0, len(s), size)]) for s in sections
    ]


def _training_mean(training: Sequence[SectionData], spots: int) -> NDArray[np.float32]:
    known = np.stack([s.measured for s in training])
    means = np.stack([s.target.mean(axis=0) for s in training])
    mean = np.where(known, means, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.repeat(mean[None].astype(np.float32), spots, axis=0)


def _final_models(
    out: Path,
    scored: Sequence[Scored],
    baselines: Sequence[Baseline],
    features: dict[str, dict[str, NDArray[np.float64]]],
    sections: dict[str, SectionData],
    card: ModelCard,
    settings: TrainSettings,
    study: Study,
) -> dict[str, Path]:
    """Write the models trained on every section, with their held-out figures on their cards."""
    source = out / "runs" / "fold-none" / "model"
    trained = ModelCard.read(source / CARD_NAME)
    weights = read_checkpoint(source / WEIGHTS_NAME)
    models = {TCGN_METHOD: out / "models" / trained.name}
    save_model(models[TCGN_METHOD], weights, trained)
    for baseline in baselines:
        line = baseline.fit([features[baseline.name][n] for n in sections], list(sections.values()))
        own = replace(
            baseline.card(card),
            name=f"{baseline.name.split(' ')[0]}-{study.name}",
            training={**trained.training, "recipe": {"line through": baseline.features}, "epoch": None},
            domain=trained.domain,
            caveats=trained.caveats,
        )
        models[baseline.name] = out / "models" / own.name
        baseline.save(models[baseline.name], line, own)
        if baseline.name == LINE_METHOD and settings.beside == "none":
            architecture = {**trained.architecture, "beside": baseline.features}
            both = replace(trained, name=trained.name.replace("tcgn", "tcgn-line"), architecture=architecture)
            models[BOTH] = out / "models" / both.name
            save_model(models[BOTH], mean_of(weights, line), both)
    for method, folder in models.items():
        written = ModelCard.read(folder / CARD_NAME)
        finished = replace(written, metrics=trust(scored, method, written.genes))
        with write_whole(folder / CARD_NAME, overwrite=True) as temporary:
            temporary.write_text(finished.to_json() + "\n", encoding="utf-8")
    return models
