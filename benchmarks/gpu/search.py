"""Search of TCGN's recipe on inner folds: every pair of sections trains, the other two are scored.

The fits of a pair serve both outer folds that hold out one of the other two. The recipes with the best inner figures
then train with one section held out, and on each patient alone, with several seeds. What comes out are factors: a
prediction that is confined to k directions is [spots, k] times [k, genes], so that any figure can be made of them
later (read_search.py).

Needs what a bare CUDA image holds, and the wheels named in README.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import time
import tomllib
from dataclasses import dataclass, fields, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from material import BETWEEN, Material
from torch import nn

from napari_tcgn.engine import run_to_end
from napari_tcgn.model import TCGN
from napari_tcgn.options import TrainSettings
from napari_tcgn.stats import median_pcc, pearson_per_gene
from napari_tcgn.training import RECIPES, read_train_settings
from napari_tcgn.training.data.dataset import Dataset, build_dataset
from napari_tcgn.training.fit.card import draft_card
from napari_tcgn.training.fit.score import predict_spots
from napari_tcgn.training.fit.trainer import Trainer

OWN = ("base", "teacher_epochs")
SEEDS = (0, 1, 2)
GRACE = 75.0  # seconds that the last fits of a stage may still take


@dataclass(frozen=True, slots=True)
class Job:
    """One fit: a recipe, the sections that train, a seed; not begun after `until` (seconds of the clock)."""

    stage: str
    recipe: str
    training: tuple[str, ...]
    seed: int
    until: float

    @property
    def name(self) -> str:
        """Unlike that of any other job."""
        return f"{self.stage}_{self.recipe}_{'-'.join(self.training)}_{self.seed}"


class Worker:
    """What one process holds: the data, the recipes and the device."""

    def __init__(self, data: Path, kept: Path, recipes: dict[str, dict[str, Any]], device: str, out: Path) -> None:
        self.material, self.recipes, self.device, self.out = Material(data, kept), recipes, device, out
        self.common = read_train_settings(RECIPES["few-sections"])
        torch.set_num_threads(1)

    def settings(self, recipe: dict[str, Any], seed: int) -> TrainSettings:
        """Return the training settings of a recipe."""
        own = {name: value for name, value in recipe.items() if name not in OWN}
        return TrainSettings(**self.common | own | {"seed": seed, "device": self.device})

    def fit(self, job: Job) -> dict[str, Any] | None:
        """Train, predict all sections that did not, write the factors, return the scores."""
        started, written = time.time(), self.out / f"{job.name}.json"
        if written.is_file():  # of an earlier call with the same folder
            found: dict[str, Any] = json.loads(written.read_text())
            return found
        if started > job.until:
            return None
        recipe = self.recipes[job.recipe]
        settings = self.settings(recipe, job.seed)
        genes = self.material.panel(job.training, settings.measurable)
        sections = self.material.sections(genes, settings.patch_um, settings.measurable)
        others = [name for name in self.material.names if name not in job.training]
        order = [sections[name] for name in [*job.training, *others]]
        dataset = build_dataset(order, settings, self.device, held_out=len(others))
        if recipe.get("base"):
            line = self.material.line(job.training, genes, settings.measurable)
            features = np.concatenate([self.material.features(section.name) for section in order])
            base = line(torch.from_numpy(features).float()).to(self.device)
            dataset = replace(dataset, taught=dataset.taught - base)  # what is learnt is the rest; it is added later
        card = draft_card(settings, others, genes, self.material.folder.study)
        state = self._taught_state(job, recipe, settings)

        def build(number: int) -> nn.Module:
            net = TCGN(number)
            if state is not None:
                net.load_state_dict(state)
            return net

        trainer = Trainer(dataset, settings, card, self.device, build)
        steps = time.time()
        while not trainer.finished:
            run_to_end(trainer.run_epoch())
        seconds = time.time() - steps
        result = {
            "job": job.name,
            "stage": job.stage,
            "recipe": job.recipe,
            "training": job.training,
            "seed": job.seed,
            "losses": [round(report.train_loss, 4) for report in trainer.history],
            "images/s": round(trainer.steps * settings.batch_size * settings.epochs / seconds, 1),
            "seconds": round(time.time() - started, 1),
        }
        result["median_pcc"] = self._predict(job, trainer, dataset, recipe, others)
        if job.stage == "outer" and job.seed == 0:
            result["precision"] = self._precision(trainer, dataset)
        written.write_text(json.dumps(result))
        return result

    def _taught_state(
        self, job: Job, recipe: dict[str, Any], settings: TrainSettings
    ) -> dict[str, torch.Tensor] | None:
        """Return the weights of a network that has learnt the line's predictions; None where none is to."""
        if not recipe.get("teacher_epochs"):
            return None
        genes = self.material.panel(job.training, settings.measurable)
        line = self.material.line(job.training, genes, settings.measurable)
        rank = settings.components if line.directions is None else min(settings.components, len(line.directions))
        pupil = replace(settings, epochs=recipe["teacher_epochs"], components=rank, learning_rate=3e-4)
        dataset = self.material.taught_by_line(job.training, pupil, self.device)
        trainer = Trainer(dataset, pupil, draft_card(pupil, [], genes, self.material.folder.study), self.device)
        while not trainer.finished:
            run_to_end(trainer.run_epoch())
        return {name: value.cpu() for name, value in trainer.scored.state_dict().items()}

    def _predict(
        self, job: Job, trainer: Trainer, dataset: Dataset, recipe: dict[str, Any], others: list[str]
    ) -> dict[str, float]:
        """Predict the other sections, write the factors of it, and return each section's median PCC (785 genes)."""
        predicted = predict_spots(trainer.scored, dataset, dataset.test, trainer.card)  # float32 [spots, genes]
        subspace = trainer.subspace
        assert subspace is not None
        scores = subspace.scores(torch.from_numpy(predicted).to(self.device)).cpu().numpy()
        section_of = dataset.section_of[dataset.test].cpu().numpy()
        np.savez_compressed(
            self.out / f"{job.name}.npz",
            scores=scores.astype(np.float32),
            loadings=(subspace.loadings * subspace.scale).cpu().numpy().astype(np.float16),
            centre=subspace.centre.cpu().numpy().astype(np.float16),
            section_of=section_of - section_of.min(),
        )
        genes = self.material.panel(job.training, trainer.settings.measurable)
        common = self.material.panel(job.training, 0.0)
        chosen = [(genes.index(gene), common.index(gene)) for gene in common if gene in set(genes)]
        mine, theirs = (np.array(numbers) for numbers in zip(*chosen, strict=True))
        measured = self.material.sections(common, 154.0, 0.0)
        found = {}
        for number, name in enumerate(others):
            values = predicted[section_of - section_of.min() == number][:, mine].astype(np.float64)
            if recipe.get("base"):
                line = self.material.line(job.training, genes, trainer.settings.measurable)
                values += line(torch.from_numpy(self.material.features(name)).float()).numpy()[:, mine]
            pcc = pearson_per_gene(values, measured[name].target[:, theirs].astype(np.float64))
            found[name] = round(float(median_pcc(pcc)), 5)
        return found

    def _precision(self, trainer: Trainer, dataset: Dataset) -> dict[str, dict[str, float]]:
        """Return what half precision changes in the PCC of a gene over the test spots, beside float32."""
        target = dataset.target[dataset.test].cpu().numpy().astype(np.float64)
        exact = pearson_per_gene(predict_spots(trainer.scored, dataset, dataset.test, trainer.card), target)
        found = {}
        for name, dtype in {"bf16": torch.bfloat16, "fp16": torch.float16}.items():
            with torch.autocast(self.device, dtype):
                rounded = predict_spots(trainer.scored, dataset, dataset.test, trainer.card)
            change = np.abs(pearson_per_gene(rounded, target) - exact)
            found[name] = {"median": float(np.nanmedian(change)), "largest": float(np.nanmax(change))}
        return found


_worker: Worker


def _start(*args: Any) -> None:
    global _worker
    _worker = Worker(*args)


def _prepare(task: tuple[str, float | None, int | None]) -> None:
    _worker.material.prepare(*task)


def _fit(job: Job) -> dict[str, Any] | None:
    try:
        return _worker.fit(job)
    except Exception as error:  # a recipe that fails must not end the others
        import traceback

        print(job.name, traceback.format_exc(limit=-4), flush=True)
        return {"job": job.name, "error": repr(error)[:300]}


def _gather(parts: Path, target: Path) -> None:
    """Write the factors of all fits so far into one file."""
    whole = {}
    for path in sorted(parts.glob("*.npz")):
        with np.load(path) as part:
            whole |= {f"{path.stem}/{key}": part[key] for key in part.files}
    np.savez_compressed(target, **whole)


def inner_choice(found: list[dict[str, Any]], names: list[str]) -> dict[str, str]:
    """Return, per section held out, the recipe with the best mean over its inner folds; "all": over every pair."""
    choice = {}
    for held_out in [*names, "all"]:
        means: dict[str, list[float]] = {}
        for one in found:
            if held_out in one["training"]:
                continue
            scores = [v for name, v in one["median_pcc"].items() if name != held_out]
            means.setdefault(one["recipe"], []).extend(scores)
        complete = max(map(len, means.values()))
        choice[held_out] = max(
            (recipe for recipe, scores in means.items() if len(scores) == complete),
            key=lambda recipe: float(np.mean(means[recipe])),
        )
    return choice


def main() -> None:
    """Run the search within its time."""
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--data", type=Path, required=True)
    args.add_argument("--recipes", type=Path, default=Path(__file__).with_name("recipes.toml"))
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--device", default="cuda")
    args.add_argument("--workers", type=int, default=12)
    args.add_argument("--inner-seconds", type=float, default=300)
    args.add_argument("--seconds", type=float, default=500)
    args.add_argument("--kept", type=Path, required=True, help="Folder for patches and features.")
    chosen = args.parse_args()
    started = time.time()
    recipes = tomllib.loads(chosen.recipes.read_text())
    unknown = {key for one in recipes.values() for key in one} - {f.name for f in fields(TrainSettings)} - {*OWN}
    assert not unknown, unknown
    parts = chosen.kept / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    chosen.out.mkdir(parents=True, exist_ok=True)
    material = Material(chosen.data, chosen.kept)
    sides = dict.fromkeys([154.0, *(one.get("patch_um", 154.0) for one in recipes.values())])
    teaches = {one.get("patch_um", 154.0) for one in recipes.values() if one.get("teacher_epochs")}
    context = mp.get_context("spawn")
    args_of = (chosen.data, chosen.kept, recipes, chosen.device, parts)
    log: dict[str, Any] = {"recipes": recipes, "date": time.strftime("%Y-%m-%d"), "workers": chosen.workers}
    if chosen.device == "cuda":
        log["device"] = torch.cuda.get_device_name()
    with context.Pool(chosen.workers, _start, args_of) as pool:
        shifts = range(len(BETWEEN) if teaches else 1)
        tasks: list[tuple[str, float | None, int | None]] = [(n, None, s) for s in shifts for n in material.names]
        tasks += [(n, side, None) for side in sides for n in material.names] + [(n, None, None) for n in material.names]
        tasks += [(n, side, s) for side in teaches for s in shifts for n in material.names]
        for _ in pool.imap_unordered(_prepare, tasks):
            pass
        log["prepare seconds"] = round(time.time() - started, 1)
        print("prepared", log["prepare seconds"], flush=True)

        def run(jobs: list[Job], stage: str) -> list[dict[str, Any]]:
            found, coming = [], pool.imap_unordered(_fit, jobs)
            for _ in jobs:
                try:
                    one = coming.next(max(1.0, jobs[0].until + GRACE - time.time()))
                except mp.TimeoutError:  # a process was killed, or a fit takes far longer than planned
                    break
                found += [one] if one is not None else []
            log[stage] = found
            (chosen.out / "search.json").write_text(json.dumps(log))
            _gather(parts, chosen.out / "factors.npz")
            print(stage, len(found), "of", len(jobs), round(time.time() - started, 1), flush=True)
            return [one for one in found if "error" not in one]

        pairs = list(combinations(material.names, 2))
        until = started + chosen.inner_seconds
        inner = run([Job("inner", name, pair, 0, until) for name in recipes for pair in pairs], "inner")
        if not inner:
            raise SystemExit("No inner fold was finished in its time.")
        choice = inner_choice(inner, material.names)
        log["choice"] = choice
        print(choice, flush=True)
        until = started + chosen.seconds
        jobs = []
        for seed in SEEDS:
            for held_out in material.names:
                training = tuple(name for name in material.names if name != held_out)
                for recipe in dict.fromkeys([choice[held_out], choice["all"]]):
                    jobs.append(Job("outer", recipe, training, seed, until))
            jobs.append(Job("outer", choice["all"], tuple(n for n in material.names if n.startswith("B")), seed, until))
        run(jobs, "outer")
    print("written", round(time.time() - started, 1), flush=True)


if __name__ == "__main__":
    main()
