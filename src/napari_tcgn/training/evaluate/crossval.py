"""Every section (or patient) held out once: TCGN and the simple models in one table, and the model that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from napari_tcgn.engine import Progress, choose_device, package_versions, to_the_end
from napari_tcgn.errors import DataError, SettingsError
from napari_tcgn.files import make_folder
from napari_tcgn.options import TrainSettings
from napari_tcgn.paths import portable_name
from napari_tcgn.training.data.folds import patient_of
from napari_tcgn.training.data.panel import Panel, fold_panel, gene_table, is_chosen
from napari_tcgn.training.data.patch_cache import PatchCache
from napari_tcgn.training.data.section import MeasuredSection, SectionFiles
from napari_tcgn.training.data.study_folder import Fold, StudyFolder
from napari_tcgn.training.evaluate.baselines import Baseline, default_baselines
from napari_tcgn.training.evaluate.evaluation import Evaluation, EvaluationRecord, FoldRecord, SectionSize
from napari_tcgn.training.evaluate.final import final_models
from napari_tcgn.training.evaluate.fold_scorer import FoldScorer
from napari_tcgn.training.evaluate.scored import TCGN_METHOD, Scored
from napari_tcgn.training.evaluate.tables import difference_table, genes_by_section, summary_table
from napari_tcgn.training.fit.card import draft_card, held_out_kind
from napari_tcgn.training.fit.group import started_processes
from napari_tcgn.training.fit.loop import train_steps
from napari_tcgn.training.fit.material import read_sections
from napari_tcgn.training.fit.record import EpochReport, TrainResult

if TYPE_CHECKING:
    import pandas as pd

MIN_SPOTS = 3
By = Literal["section", "patient"]
TrainFold: TypeAlias = Callable[..., Generator[Progress | EpochReport, None, TrainResult]]


@dataclass(frozen=True, slots=True)
class PlannedFold:
    """A fold, and by what it is held out."""

    by: By
    fold: Fold


def cross_validate_steps(
    data: str | Path,
    out: str | Path,
    settings: TrainSettings | None = None,
    *,
    by: Sequence[By] = ("section",),
    encoder: str | None = None,
    encoder_weights: Path | str | None = None,
    genes: Sequence[str] | None = None,
    mpp: float | None = None,
    cache: str | Path | None = None,
    final: bool = False,
    scales: Sequence[Sequence[float]] = (),
    only_lines: bool = False,
    accept_licence: bool = False,
) -> Generator[Progress | EpochReport, None, Evaluation]:
    """Train and score every fold; folds that are finished already are taken as they are.

    A generator: every step can be shown, and closing it stops the work. `cross_validate` runs it to its end.

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
    encoder_weights : pathlib.Path or "hub", optional
        Its weights: a file, or "hub" for those of timm's hub where it can be reached; random ones, labelled so, else.
    genes, mpp, cache
        See `train`; the simple models see the same patches. With `settings.top_genes` or `measurable` every
        fold chooses its own genes on its own training sections; a gene's pooled figure is the mean over the folds that
        chose it.
    final : bool
        Also train TCGN and the simple models on every section, with the held-out figures on their cards, into models/.
    scales : sequence of sequences of float
        For each, also a line through colour-texture of squares of these sides in µm, read from the slides.
    only_lines : bool
        Train no TCGN: the simple models alone.
    accept_licence : bool
        Whether the conditions of the encoder's licence are accepted.

    Yields
    ------
    Progress, EpochReport

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError
        If fewer than two sections are at hand, or one has fewer than three spots.
    OutputError
        If `out` holds runs of another recipe.
    """
    settings, out = settings or TrainSettings(), Path(out)
    _require_possible(settings)
    folder = StudyFolder.open(Path(data))
    planned = _plan(by, folder)
    every = folder.fold("none")
    baselines = default_baselines(encoder, encoder_weights, scales, accept_licence)
    tables = (yield from _gene_tables(every.training, settings)) if is_chosen(settings) else {}
    panels: dict[str, Panel] = {}
    for fold in [*(one.fold for one in planned), *([every] if final else [])]:
        panels[fold.name] = yield from fold_panel(fold.training, settings, genes, tables)
    patches = None if cache is None else PatchCache(Path(cache))
    scorer = yield from _prepare_scorer(folder, every.training, settings, panels, baselines, mpp, patches)
    train_fold = partial(train_steps, data, settings=settings, genes=genes, mpp=mpp, cache=cache, gene_tables=tables)
    make_folder(out)  # not before all is refused that can be; lines alone leave no run in it
    scored = yield from _score_folds(planned, scorer, panels, None if only_lines else train_fold, out / "runs")
    models: dict[str, Path] = {}
    if final:
        run = None if only_lines else (yield from _run(train_fold, out / "runs", every))
        models = final_models(out / "models", run, scorer, panels[every.name], scored)
    lead = baselines[-1].name if only_lines else TCGN_METHOD
    result = Evaluation(
        out,
        lead,
        scored,
        summary_table(scored),
        difference_table(scored, lead),
        genes_by_section(scored),
        models,
        _record(planned, scorer, panels),
    )
    result.write()
    return result


cross_validate = to_the_end(cross_validate_steps, "cross_validate")


def _require_possible(settings: TrainSettings) -> None:
    """Refuse what cannot be cross-validated."""
    if settings.select_on_test:
        raise SettingsError("Choosing the epoch on the held-out section is no cross-validation.", "Leave it out.")
    if started_processes() > 1:
        raise SettingsError(
            "Cross-validation runs in one process.",
            "Train its folds with several first (train --fold NAME --out OUT/runs/fold-NAME), then call it without.",
        )


def _plan(by: Sequence[By], folder: StudyFolder) -> list[PlannedFold]:
    """Return every fold that leaves something to train on."""
    usable = folder.fold("none").training_names
    if len(usable) < 2:
        raise DataError(
            f"Cross-validation needs at least two sections, found {len(usable)}.", "Add sections to the data folder."
        )
    planned: list[PlannedFold] = []
    for kind in dict.fromkeys(by):
        names = usable
        if kind == "patient":
            of = folder.study.patients or {name: patient_of(name) for name in usable}
            names = list(dict.fromkeys(of[name] for name in usable))
            if len(names) < 2:
                raise DataError(
                    f"All sections are of patient {names[0]}: no patient can be held out.",
                    "Add a section of another patient, or leave out --by patient.",
                )
        planned += [PlannedFold(kind, folder.fold(name)) for name in names]
    return planned


def _gene_tables(
    sections: Sequence[SectionFiles], settings: TrainSettings
) -> Generator[Progress, None, dict[str, pd.DataFrame]]:
    """Look at the genes of every section once, for all folds."""
    found: dict[str, pd.DataFrame] = {}
    for section in sections:
        yield Progress("choose genes", len(found), len(sections))
        found[section.name] = gene_table(section, settings)
    return found


def _prepare_scorer(
    folder: StudyFolder,
    found: Sequence[SectionFiles],
    settings: TrainSettings,
    panels: Mapping[str, Panel],
    baselines: Sequence[Baseline],
    mpp: float | None,
    cache: PatchCache | None,
) -> Generator[Progress, None, FoldScorer]:
    """Load every section once, for all genes that any fold needs, and what the simple models see of it."""
    needed = list(dict.fromkeys(gene for panel in panels.values() for gene in panel.genes))
    card = draft_card(settings, [], needed, folder.study)
    loaded = yield from read_sections(found, card, mpp, cache)
    _require_scorable(loaded)
    names, device = [section.name for section in found], choose_device(settings.device)
    features = {}
    for number, baseline in enumerate(baselines):
        yield Progress(f"features of {baseline.name}", number, len(baselines))
        features[baseline.name] = dict(zip(names, baseline.extract(loaded, card, device, cache), strict=True))
    return FoldScorer(settings, folder.study, card, dict(zip(names, loaded, strict=True)), baselines, features)


def _require_scorable(sections: Sequence[MeasuredSection]) -> None:
    """Refuse sections too small for a correlation, before a fold is trained for hours."""
    for section in sections:
        if len(section) < MIN_SPOTS:
            spots = "1 spot" if len(section) == 1 else f"{len(section)} spots"
            raise DataError(
                f"Section {section.name} has {spots} with counts; correlations need {MIN_SPOTS}.",
                "Leave it out of the data folder.",
            )


def _score_folds(
    planned: Sequence[PlannedFold],
    scorer: FoldScorer,
    panels: Mapping[str, Panel],
    train_fold: TrainFold | None,
    runs: Path,
) -> Generator[Progress | EpochReport, None, list[Scored]]:
    """Train every fold (without `train_fold`: no network) and score all methods on what it holds out."""
    scored: list[Scored] = []
    done: dict[str, list[Scored]] = {}
    for one in planned:
        fold = one.fold
        if fold.label not in done:  # a patient's only section is the same fold under two names
            model = None if train_fold is None else (yield from _run(train_fold, runs, fold)) / "model"
            yield Progress(f"score {fold.label}", 0, 1)
            done[fold.label] = scorer.score_fold(model, fold, panels[fold.name], one.by)
        scored += [replace(s, by=one.by) for s in done[fold.label]]
    return scored


def _run(train_fold: TrainFold, runs: Path, fold: Fold) -> Generator[Progress | EpochReport, None, Path]:
    """Train a fold, or go on with it, and return the folder of its run."""
    run = runs / portable_name(f"fold-{fold.label}")
    yield from train_fold(fold=fold.name, out=run, resume=(run / "run.json").is_file())
    return run


def _record(planned: Sequence[PlannedFold], scorer: FoldScorer, panels: dict[str, Panel]) -> EvaluationRecord:
    """Return the record of a cross-validation that ends now."""
    return EvaluationRecord(
        settings=scorer.settings,
        sections={
            name: SectionSize(
                len(section), section.mpp, {b.name: b.padded[name] for b in scorer.baselines if name in b.padded}
            )
            for name, section in scorer.sections.items()
        },
        folds=[
            FoldRecord(one.by, one.fold.name, held_out_kind(one.fold.training, one.fold.held_out)) for one in planned
        ],
        genes=len(scorer.card.genes),
        panels=panels if is_chosen(scorer.settings) else None,
        scales_um={b.name: list(b.scales_um) for b in scorer.baselines if b.scales_um},
        encoder=next((b.origin for b in scorer.baselines if b.origin is not None), None),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=package_versions(),
    )
