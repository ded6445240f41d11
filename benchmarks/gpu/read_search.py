"""What a search has found: TCGN of every recipe beside the line and the mean of the two, with paired intervals.

python benchmarks/gpu/read_search.py --data her2st --found results --kept cache --out search.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from material import Material

from napari_tcgn.training.evaluate.scored import Scored, score_section
from napari_tcgn.training.evaluate.tables import difference_table, summary_table

LINE, BOTH = "line", "mean of both"


def scores_of(stage: list[dict[str, Any]], recipes: dict[str, Any], factors: Path, material: Material) -> list[Scored]:
    """Score the three predictions of every section that a fit has not seen; "by" is the recipe."""
    found = []
    with np.load(factors) as parts:
        for fit in stage:
            training, key = tuple(fit["training"]), fit["job"]
            if "error" in fit:
                continue
            measurable = recipes[fit["recipe"]].get("measurable", 0.0)
            genes = material.panel(training, measurable)
            sections = material.sections(genes, 154.0, measurable)
            values = parts[f"{key}/scores"] @ parts[f"{key}/loadings"].astype(np.float32) + parts[f"{key}/centre"]
            line = material.line(training, genes, measurable)
            for number, name in enumerate(n for n in material.names if n not in training):
                plain = line(torch.from_numpy(material.features(name)).float()).numpy()
                net = values[parts[f"{key}/section_of"] == number].astype(np.float32)
                if recipes[fit["recipe"]].get("base"):
                    net = net + plain
                fold = f"{'+'.join(training)} > {name}"
                for method, predicted in {"TCGN": net, LINE: plain, BOTH: (net + plain) / 2}.items():
                    one = score_section(predicted, sections[name], genes, fit["recipe"], fold, method)
                    found += [Scored(by, fold, fold, method, *_rest(one)) for by in _kinds(fit, name, material)]
    return found


def _kinds(fit: dict[str, Any], held_out: str, material: Material) -> list[str]:
    """Return the tables that a held-out section belongs to: of outer folds, by what was held out with it."""
    if fit["stage"] == "inner":
        return [fit["recipe"]]
    patients = {name: name[0] for name in material.names}
    known = {patients[name] for name in fit["training"]}
    several = len(fit["training"]) == len(material.names) - 1
    kinds = (["section"] if several else []) + ([] if patients[held_out] in known else ["patient"])
    return [f"{fit['recipe']}, {kind} held out" for kind in kinds]


def _rest(one: Scored) -> tuple[Any, ...]:
    return one.genes, one.samples, one.depth_samples, one.n_spots


def main() -> None:
    """Write the tables."""
    args = argparse.ArgumentParser(description=__doc__)
    for name in ("data", "found", "kept", "out"):
        args.add_argument(f"--{name}", type=Path, required=True)
    chosen = args.parse_args()
    material = Material(chosen.data, chosen.kept)
    log = json.loads((chosen.found / "search.json").read_text())
    told: dict[str, Any] = {key: log[key] for key in ("device", "date", "workers", "recipes", "choice") if key in log}
    for stage in ("inner", "outer"):
        scored = scores_of(log.get(stage, []), log["recipes"], chosen.found / "factors.npz", material)
        if not scored:
            continue
        summary, minus = summary_table(scored), difference_table(scored, LINE)
        told[stage] = {
            "fits": [{k: v for k, v in fit.items() if k not in ("job", "stage")} for fit in log[stage]],
            "summary": summary.round(4).to_dict(orient="records"),
            "line minus": minus.round(4).to_dict(orient="records"),
        }
        whole = minus[minus["section"] == "all"]
        print(summary[summary["section"] == "all"].round(3).to_string(), whole.round(3).to_string(), sep="\n")
    chosen.out.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
