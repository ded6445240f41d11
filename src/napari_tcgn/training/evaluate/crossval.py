"""Every section (or patient) held out once: TCGN and the simple models in one table, and the model that comes of it."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from napari_tcgn.engine import Progress, choose_device, package_versions, run_to_end
from napari_tcgn.errors import DataError, SettingsError
from napari_tcgn.files import write_whole
from napari_tcgn.model import ModelCard
from napari_tcgn.options import TrainSettings, to_record
from napari_tcgn.training.data.folds import fold_name, patient_of, resolve_fold
from napari_tcgn.training.data.her2st import find_sections, study_of
from napari_tcgn.training.data.panel import Panel, fold_panel, variability
from napari_tcgn.training.data.patch_cache import PatchCache
from napari_tcgn.training.data.section import MeasuredSection, SectionFiles, Study
from napari_tcgn.training.evaluate.baselines import Baseline, default_baselines
from napari_tcgn.training.evaluate.final import final_models
from napari_tcgn.training.evaluate.fold_scorer import FoldScorer
from napari_tcgn.training.evaluate.scored import TCGN_METHOD, Scored
from napari_tcgn.training.evaluate.tables import difference_table, genes_by_section, summary_table
from napari_tcgn.training.fit.card import draft_card, held_out_kind
from napari_tcgn.training.fit.group import started_processes
from napari_tcgn.training.fit.loop import train_steps
from napari_tcgn.training.fit.material import read_sections
from napari_tcgn.training.fit.record import EpochReport

MIN_SPOTS = 3
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
    encoder_weights: Path | str | None = None,
    genes: Sequence[str] | None = None,
    mpp: float | None = None,
    cache: Path | None = None,
    final: bool = False,
) -> Evaluation:
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
    encoder_weights : pathlib.Path or "hub", optional
        Its weights: a file, or "hub" for those of timm's hub where it can be reached; random ones, labelled so, else.
    genes, mpp, cache
        See `train`; the simple models see the same patches. With `settings.top_genes` every fold chooses its own genes
        on its own training sections; a gene's pooled figure is the mean over the folds that chose it.
    final : bool
        Also train TCGN and the simple models on every section, with the held-out figures on their cards, into models/.

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
    steps = cross_validate_steps(
        data, out, settings, by=by, encoder=encoder, encoder_weights=encoder_weights, genes=genes, mpp=mpp,
        cache=cache, final=final,
    )  # fmt: skip
    return run_to_end(steps)


def cross_validate_steps(
    data: Path,
    out: Path,
    settings: TrainSettings | None = None,
    *,
    by: Sequence[By] = ("section",),
    encoder: str | None = None,
    encoder_weights: Path | str | None = None,
    genes: Sequence[str] | None = None,
    mpp: float | None = None,
    cache: Path | None = None,
    final: bool = False,
) -> Generator[Progress | EpochReport, None, Evaluation]:
    """Do what `cross_validate` does as a generator: every step can be shown, and closing it stops the work.

    Yields
    ------
    Progress, EpochReport

    Returns
    -------
    Evaluation
    """
    settings = settings or TrainSettings()
    if settings.select_on_test:
        raise SettingsError("Choosing the epoch on the held-out section is no cross-validation.", "Leave it out.")
    if started_processes() > 1:
        raise SettingsError(
            "Cross-validation runs in one process.",
            "Train its folds with several first (train --fold NAME --out OUT/runs/fold-NAME), then call it without.",
        )
    found = {section.name: section for section in find_sections(Path(data))}
    study = study_of(data, list(found.values()))
    folds = _folds(by, list(found), study)
    _, names = resolve_fold("none", found, study.patients)
    baselines = default_baselines(encoder, encoder_weights)
    variabilities: dict[str, pd.DataFrame] = {}
    for name in names if settings.top_genes else []:
        yield Progress("choose genes", len(variabilities), len(names))
        variabilities[name] = variability(found[name])
    panels: dict[str, Panel] = {}
    for _, name in [*folds, *([("all", "none")] if final else [])]:
        training = [found[n] for n in resolve_fold(name, found, study.patients)[1]]
        panels[name] = yield from fold_panel(training, settings.top_genes, genes, variabilities)
    needed = list(dict.fromkeys(gene for panel in panels.values() for gene in panel.genes))
    card = draft_card(settings, [], needed, study)
    scorer = yield from _read(settings, study, card, [found[name] for name in names], baselines, mpp, cache)
    sections = scorer.sections

    def run_fold(name: str, label: str) -> Generator[Progress | EpochReport, None, Path]:
        run = out / "runs" / f"fold-{label}"
        resume = (run / "run.json").is_file()
        yield from train_steps(
            data, name, run, settings,
            resume=resume, genes=genes, mpp=mpp, cache=cache, variabilities=variabilities,
        )  # fmt: skip
        return run

    scored: list[Scored] = []
    done: dict[str, list[Scored]] = {}
    kinds: dict[str, str] = {}
    for kind, name in folds:
        held_out, training_names = resolve_fold(name, found, study.patients)
        label = fold_name(held_out, study.patients)
        kinds[name] = held_out_kind([sections[n] for n in training_names], [sections[n] for n in held_out])
        if label not in done:  # a patient's only section is the same fold under two names
            run = yield from run_fold(name, label)
            yield Progress(f"score {label}", 0, 1)
            done[label] = scorer.score_fold(run / "model", training_names, held_out, panels[name], kind, label)
        scored += [replace(s, by=kind) for s in done[label]]
    models: dict[str, Path] = {}
    if final:
        run = yield from run_fold("none", "none")
        models = final_models(out / "models", run, scorer, panels["none"], scored)
    result = Evaluation(
        out, scored, summary_table(scored), difference_table(scored, TCGN_METHOD), genes_by_section(scored), models
    )
    record = {
        "format": "napari-tcgn evaluation 1",
        "settings": to_record(settings),
        "patch_um": settings.patch_um,
        "sections": {name: {"spots": len(s), "mpp": s.mpp} for name, s in sections.items()},
        "folds": [{"by": kind, "held_out": name, "kind": kinds[name]} for kind, name in folds],
        "genes": len(needed),
        "panels": {name: asdict(panel) for name, panel in panels.items()} if settings.top_genes else None,
        "encoder": next((b.origin for b in baselines if b.origin is not None), None),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": package_versions(),
    }
    _write(result, record)
    return result


def _read(
    settings: TrainSettings,
    study: Study,
    card: ModelCard,
    found: Sequence[SectionFiles],
    baselines: Sequence[Baseline],
    mpp: float | None,
    cache: Path | None,
) -> Generator[Progress, None, FoldScorer]:
    """Load every section once, and what the simple models see of it."""
    loaded = yield from read_sections(found, card, mpp, None if cache is None else PatchCache(cache))
    _require_scorable(loaded)
    names, device = [section.name for section in found], choose_device(settings.device)
    features = {}
    for number, baseline in enumerate(baselines):
        yield Progress(f"features of {baseline.name}", number, len(baselines))
        features[baseline.name] = dict(zip(names, baseline.extract(loaded, card, device), strict=True))
    return FoldScorer(settings, study, card, dict(zip(names, loaded, strict=True)), baselines, features)


def _write(result: Evaluation, record: dict[str, Any]) -> None:
    """Write the tables, and the record with the short ones in it."""
    frames = {"summary": result.summary, "differences": result.differences, "genes": result.genes}
    for name, frame in frames.items():
        with write_whole(result.out / f"{name}.csv", overwrite=True) as temporary:
            frame.to_csv(temporary, index=False, float_format="%.5f")
    tables = {name: json.loads(frames[name].to_json(orient="records")) for name in ("summary", "differences")}
    with write_whole(result.out / "evaluation.json", overwrite=True) as temporary:
        temporary.write_text(json.dumps({**record, **tables}, indent=1, ensure_ascii=False), encoding="utf-8")


def _require_scorable(sections: Sequence[MeasuredSection]) -> None:
    """Refuse sections too small for a correlation, before a fold is trained for hours."""
    for section in sections:
        if len(section) < MIN_SPOTS:
            spots = "1 spot" if len(section) == 1 else f"{len(section)} spots"
            raise DataError(
                f"Section {section.name} has {spots} with counts; correlations need {MIN_SPOTS}.",
                "Leave it out of the data folder.",
            )


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
