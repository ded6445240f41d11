"""Train TCGN on all sections but one: the paper's recipe, resumable after every epoch."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_tcgn.engine import Progress, choose_device, package_versions, run_to_end
from napari_tcgn.errors import SettingsError
from napari_tcgn.model import WEIGHTS_NAME, ModelCard, load_into, read_checkpoint, save_model
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.data.dataset import build_dataset
from napari_tcgn.training.data.folds import fold_name, resolve_fold
from napari_tcgn.training.data.her2st import find_sections, load_section, study_of
from napari_tcgn.training.data.panel import Panel, fold_panel
from napari_tcgn.training.data.patch_cache import PatchCache
from napari_tcgn.training.data.section import MeasuredSection, SectionFiles, Study
from napari_tcgn.training.fit.checkpoint import RunFolder
from napari_tcgn.training.fit.group import join_group
from napari_tcgn.training.fit.held_out_runs import pooled_metrics, read_held_out_cards
from napari_tcgn.training.fit.record import (
    EpochReport,
    TrainResult,
    data_record,
    draft_card,
    finished_card,
    held_out_metrics,
    identity,
    number_or_none,
    selection_note,
)
from napari_tcgn.training.fit.residual import ResidualBase, fit_residual_base
from napari_tcgn.training.fit.score import score_spots
from napari_tcgn.training.fit.trainer import BuildNet, Trainer

if TYPE_CHECKING:
    import pandas as pd


def train(
    data: Path,
    fold: str | int,
    out: Path,
    settings: TrainSettings | None = None,
    *,
    resume: bool = False,
    genes: Sequence[str] | None = None,
    mpp: float | None = None,
    init: Path | None = None,
    cache: Path | None = None,
    variabilities: Mapping[str, pd.DataFrame] | None = None,
    held_out_runs: Sequence[Path] = (),
    build_net: BuildNet | None = None,
) -> TrainResult:
    """Train on all sections but those of a fold, choose the epoch, and score it on the ones held out (if any).

    Parameters
    ----------
    data : pathlib.Path
        Folder in her2st layout, or with a sections.csv (see `find_sections`).
    fold : str or int
        What to hold out (see `resolve_fold`); "none" trains on every section.
    out : pathlib.Path
        Folder of the run, new or empty: run.json, metrics.csv, metrics.jsonl, the checkpoint and, at the end,
        the model in model/.
    settings : TrainSettings, optional
        Default: the paper's recipe.
    resume : bool
        Go on with the run in `out`; on the CPU the result equals that of a run never stopped.
    genes : sequence of str, optional
        The panel; default: the 785 genes of the HER2+ study. With `settings.top_genes`: the genes to choose from on
        the training sections; default: all.
    mpp : float, optional
        µm per pixel of all images; default: see `load_section`.
    init : pathlib.Path, optional
        Model folder or checkpoint to start from (see `warm_start`).
    cache : pathlib.Path, optional
        Folder for patches that later runs take instead of cutting them again; default: none.
    variabilities : mapping of str to pandas.DataFrame, optional
        With `settings.top_genes`: `variability` of sections, by name, where it is known already.
    held_out_runs : sequence of pathlib.Path
        With fold "none": finished leave-one-section-out runs of the same settings, whose figures go onto the card.
    build_net : callable, optional
        Makes the network from the number of genes; default: TCGN of `settings.size`.

    Returns
    -------
    TrainResult

    Raises
    ------
    DataError, OutputError, DeviceError
        Before anything is written.
    TcgnError
        If the loss is no number any more; the checkpoint of the last good epoch stays.
    """
    steps = train_steps(
        data, fold, out, settings, resume=resume, genes=genes, mpp=mpp, init=init, cache=cache,
        variabilities=variabilities, held_out_runs=held_out_runs, build_net=build_net,
    )  # fmt: skip
    return run_to_end(steps)


def train_steps(
    data: Path,
    fold: str | int,
    out: Path,
    settings: TrainSettings | None = None,
    *,
    resume: bool = False,
    genes: Sequence[str] | None = None,
    mpp: float | None = None,
    init: Path | None = None,
    cache: Path | None = None,
    variabilities: Mapping[str, pd.DataFrame] | None = None,
    held_out_runs: Sequence[Path] = (),
    build_net: BuildNet | None = None,
) -> Generator[Progress | EpochReport, None, TrainResult]:
    """Do what `train` does as a generator: every step can be shown, and closing it stops the work.

    Yields
    ------
    Progress
        "read sections", then "epoch 3 of 79" with spots done and in all over the whole run.
    EpochReport
        After every epoch, once its checkpoint is written.

    Returns
    -------
    TrainResult
    """
    settings = settings or TrainSettings()
    group, device = join_group(choose_device(settings.device), settings.batch_size)
    # Processes that do not write keep their copy of the run's files to themselves.
    scratch = None if group.writes else TemporaryDirectory()
    run = RunFolder(Path(out) if scratch is None else Path(scratch.name))
    run.check(resume and group.writes)
    found = {section.name: section for section in find_sections(Path(data))}
    study = study_of(data, list(found.values()))
    held_out, training = resolve_fold(fold, found, study.patients)
    if not held_out and settings.select_on_test:
        raise SettingsError("Fold none has no section to select on.", "Leave out --select-on-test.")
    if held_out and held_out_runs:
        raise SettingsError(
            f"Fold {fold} is scored on {', '.join(held_out)}.", "Leave out --held-out-run, or take fold none."
        )
    panel = yield from fold_panel([found[name] for name in training], settings.top_genes, genes, variabilities)
    others = read_held_out_cards(held_out_runs, settings, panel.genes)
    card = draft_card(settings, held_out, panel.genes, study)
    patches = None if cache is None else PatchCache(cache)
    sections = yield from read_sections([found[name] for name in (*training, *held_out)], card, mpp, patches)
    dataset = build_dataset(sections, settings, device, held_out=len(held_out))
    base = None
    if settings.residual != "none":
        base = fit_residual_base(sections, dataset, card, settings.residual)
        dataset = base.added_to(dataset)
    few_counts = sum(len(section) for section in sections) - sum(
        len(part) for part in (dataset.train, dataset.validation, dataset.test)
    )
    facts = {
        "selection": selection_note(settings),
        "panel": asdict(panel),
        "data": data_record(sections, panel.genes),
        "spots": {
            **{part: len(getattr(dataset, part)) for part in ("train", "validation", "test")},
            "left out for few counts": few_counts,
        },
        "patch_cache": patches and {"read": patches.read, "written": patches.written, "notes": patches.notes},
        "processes": group.size,
        "device": device if not device.startswith("cuda") else torch.cuda.get_device_name(),
        "versions": package_versions(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    trainer = Trainer(dataset, settings, card, device, build_net, init, group)
    started_from = None if trainer.warm is None else asdict(trainer.warm)
    run.start(
        {**identity(settings, held_out, sections, card), "init": started_from and started_from["sha256"]},
        {**facts, "init": started_from},
    )
    if trainer.warm is not None:
        yield Progress(f"start with {trainer.warm}", 0, 1)
    checkpoint = group.from_first(run.load() if resume and group.writes else None)
    if checkpoint is not None:
        trainer.restore(checkpoint)
        run.write_metrics(trainer.history)
    while not trainer.finished:
        report = yield from trainer.run_epoch()
        run.save(trainer.checkpoint())
        yield report
    if held_out:
        yield Progress(f"score {fold_name(held_out, study.patients)}", 0, 1)
    kept = group.from_first(run.best_weights(trainer.best_epoch) if group.writes else None)
    return _finish(run, trainer, kept, sections[: len(training)], sections[len(training) :], study, panel, others, base)


def read_sections(
    found: Sequence[SectionFiles], card: ModelCard, mpp: float | None, cache: PatchCache | None
) -> Generator[Progress, None, list[MeasuredSection]]:
    """Load sections for the genes and patches of a card; what the patch cache has to say is told as a stage."""
    sections: list[MeasuredSection] = []
    told = 0
    for section in found:
        yield Progress("read sections", len(sections), len(found))
        sections.append(load_section(section, card.genes, card, mpp, cache))
        for note in [] if cache is None else cache.notes[told:]:
            yield Progress(f"patch cache: {note}", 0, 1)
            told += 1
    return sections


def _finish(
    run: RunFolder,
    trainer: Trainer,
    kept: dict[str, torch.Tensor],
    training: Sequence[MeasuredSection],
    test: Sequence[MeasuredSection],
    study: Study,
    panel: Panel,
    others: Sequence[ModelCard],
    base: ResidualBase | None,
) -> TrainResult:
    """Write the chosen epoch as a model with its held-out figures, or those of `others` without test sections."""
    best = trainer.best_epoch
    line = {} if base is None else base.state()
    save_model(run.model_path, {**kept, **line}, trainer.card)
    # Scored as shipped: in half precision, so that the card's figures are those of the file beside it.
    weights = read_checkpoint(run.model_path / WEIGHTS_NAME)
    own = {name: value for name, value in weights.items() if name not in line}
    load_into(trainer.scored, own, str(run.model_path))
    dataset = trainer.dataset if base is None else base.read_back(weights).added_to(trainer.dataset)
    loss, pcc, median = np.nan, np.full(len(trainer.card.genes), np.nan), np.nan
    metrics = pooled_metrics(others, trainer.card.genes)
    if test:
        score = score_spots(trainer.scored, dataset, dataset.test, trainer.card)
        loss, pcc, median = score.loss, score.pcc, score.median_pcc
        metrics = held_out_metrics(trainer.settings, training, test, pcc, median)
    card = finished_card(trainer.card, trainer.settings, training, study, panel, run.record["device"], best, metrics)
    save_model(run.model_path, weights, card)
    held_out = [section.name for section in test]
    run.update_record(
        status="finished",
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        result={
            "held_out": held_out,
            "best_epoch": best,
            "n_spots": sum(len(section) for section in test),
            "test_loss": number_or_none(loss),
            "test_median_pcc": number_or_none(median),
            "protocol": metrics.protocol or "trained on every section; nothing scored",
        },
    )
    return TrainResult(run.path, run.model_path, held_out, best, loss, median, pcc, list(trainer.history))
