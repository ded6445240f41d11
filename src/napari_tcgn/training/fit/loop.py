"""Train TCGN on all sections but those held out: the paper's recipe, resumable after every epoch."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from napari_tcgn.engine import Progress, choose_device, package_versions, to_the_end
from napari_tcgn.errors import SettingsError
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.data.panel import fold_panel
from napari_tcgn.training.data.patch_cache import PatchCache
from napari_tcgn.training.data.study_folder import Fold, StudyFolder
from napari_tcgn.training.fit.card import selection_note
from napari_tcgn.training.fit.finish import finish
from napari_tcgn.training.fit.group import Group, join_group
from napari_tcgn.training.fit.held_out_runs import read_held_out_cards
from napari_tcgn.training.fit.material import Material, prepare
from napari_tcgn.training.fit.record import EpochReport, TrainResult
from napari_tcgn.training.fit.run_folder import RunFolder
from napari_tcgn.training.fit.run_record import (
    CacheRecord,
    PanelDigest,
    RunIdentity,
    SectionRecord,
    TrainingRecord,
)
from napari_tcgn.training.fit.trainer import BuildNet, Trainer

if TYPE_CHECKING:
    import pandas as pd


def train_steps(
    data: str | Path,
    fold: str | int,
    out: str | Path,
    settings: TrainSettings | None = None,
    *,
    resume: bool = False,
    genes: Sequence[str] | None = None,
    mpp: float | None = None,
    init: str | Path | None = None,
    cache: str | Path | None = None,
    gene_tables: Mapping[str, pd.DataFrame] | None = None,
    held_out_runs: Sequence[Path] = (),
    build_net: BuildNet | None = None,
) -> Generator[Progress | EpochReport, None, TrainResult]:
    """Train on all sections but those of a fold, choose the epoch, and score it on the ones held out (if any).

    A generator: every step can be shown, and closing it stops the work. `train` runs it to its end.

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
        The panel; default: the 785 genes of the HER2+ study. With `settings.top_genes` or `measurable`: the genes
        to choose from on the training sections; default: all.
    mpp : float, optional
        µm per pixel of all images; default: see `load_section`.
    init : pathlib.Path, optional
        Model folder or checkpoint to start from (see `warm_start`).
    cache : pathlib.Path, optional
        Folder for patches that later runs take instead of cutting them again; default: none.
    gene_tables : mapping of str to pandas.DataFrame, optional
        Where the training sections choose the genes: `gene_table` of sections, by name, where it is known already.
    held_out_runs : sequence of pathlib.Path
        With fold "none": finished leave-one-section-out runs of the same settings, whose figures go onto the card.
    build_net : callable, optional
        Makes the network from the number of genes; default: TCGN of `settings.size`.

    Yields
    ------
    Progress
        "read sections", then "epoch 3 of 79" with spots done and in all over the whole run.
    EpochReport
        After every epoch, once its checkpoint is written.

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
    settings = settings or TrainSettings()
    group, device = join_group(choose_device(settings.device), settings.batch_size)
    run = RunFolder.of_process(Path(out), group)
    run.check(resume and group.writes)
    folder = StudyFolder.open(Path(data))
    chosen = folder.fold(fold)
    _require_agreement(chosen, settings, held_out_runs)
    panel = yield from fold_panel(chosen.training, settings, genes, gene_tables)
    others = read_held_out_cards(held_out_runs, settings, panel.genes)
    patches = None if cache is None else PatchCache(Path(cache))
    material = yield from prepare(chosen, folder.study, panel, settings, device, mpp, patches)
    trainer = Trainer(
        material.dataset, settings, material.card, device, build_net, None if init is None else Path(init), group
    )
    record = _new_record(material, trainer)
    run.start(replace(record, patch_cache=None if patches is None else CacheRecord.of(patches)))
    if trainer.warm is not None:
        yield Progress(f"start with {trainer.warm}", 0, 1)
    yield from _train_epochs(run, trainer, resume, group)
    if chosen.held_out:
        yield Progress(f"score {chosen.label}", 0, 1)
    kept = group.from_first(run.best_weights(trainer.best_epoch) if group.writes else None)
    return finish(run, trainer, material, kept, record.device, others)


train = to_the_end(train_steps, "train")


def _require_agreement(fold: Fold, settings: TrainSettings, held_out_runs: Sequence[Path]) -> None:
    """Refuse what asks for a section held out where there is none, or the other way round."""
    if not fold.held_out and settings.select_on_test:
        raise SettingsError("Fold none has no section to select on.", "Leave out --select-on-test.")
    if fold.held_out and held_out_runs:
        raise SettingsError(
            f"Fold {fold.name} is scored on {', '.join(fold.held_out_names)}.",
            "Leave out --held-out-run, or take fold none.",
        )


def _new_record(material: Material, trainer: Trainer) -> TrainingRecord:
    """Return the record of a run that is about to start."""
    sections, settings, genes, warm = material.sections, trainer.settings, material.card.genes, trainer.warm
    device = trainer.device if not trainer.device.startswith("cuda") else torch.cuda.get_device_name()
    return TrainingRecord(
        identity=RunIdentity(
            settings=settings,
            held_out=[section.name for section in material.test],
            training=[section.name for section in material.training],
            panel=PanelDigest.of(genes),
            spots={section.name: len(section) for section in sections},
            mpp={section.name: section.mpp for section in sections},
            init=None if warm is None else warm.sha256,
        ),
        selection=selection_note(settings),
        panel=material.panel,
        data={section.name: SectionRecord.of(section, genes) for section in sections},
        spots=material.spot_counts,
        processes=trainer.group.size,
        device=device,
        versions=package_versions(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        init=warm,
    )


def _train_epochs(
    run: RunFolder, trainer: Trainer, resume: bool, group: Group
) -> Generator[Progress | EpochReport, None, None]:
    """Train from the last checkpoint to the end; every epoch is told once its own is written."""
    checkpoint = group.from_first(run.load() if resume and group.writes else None)
    if checkpoint is not None:
        trainer.restore(checkpoint)
        run.write_metrics(trainer.history)
    while not trainer.finished:
        report = yield from trainer.run_epoch()
        run.save(trainer.checkpoint())
        yield report
