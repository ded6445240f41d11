"""Check the maps of the bundled TCGN on patches of real sections, and compare its gradients with captum's.

python benchmarks/explanations.py DATA/her2st/data --patches 10 --out explanations.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from napari_tcgn.engine import run_to_end
from napari_tcgn.explanation import explain
from napari_tcgn.explanation.chosen import network_of
from napari_tcgn.explanation.gradients import STEPS
from napari_tcgn.explanation.occlusion import occlude, rank_correlation
from napari_tcgn.explanation.windows import Windows
from napari_tcgn.model import load_model, prepare_patches
from napari_tcgn.options import ExplainSettings
from napari_tcgn.slide import open_slide
from napari_tcgn.spots import read_st_spots

MPP = 0.688
GENES = ("CD74", "IGKC", "COL3A1", "GNAS", "KRT8")  # in turn over the patches


def captum_gap(net, card, found) -> float | None:
    """Return the largest difference to captum's integrated gradients; None without captum."""
    try:
        from captum.attr import IntegratedGradients
    except ImportError:
        return None
    gene = card.genes.index(found.gene)
    images = prepare_patches(torch.from_numpy(found.patch[None]), card)
    with torch.no_grad():
        last = net.last_map(net.forward_features(images))
    oracle = IntegratedGradients(net.predict_from_map)
    theirs = oracle.attribute(last, torch.zeros_like(last), target=gene, n_steps=STEPS, method="gausslegendre")
    ours = found.map_of("integrated gradients").values
    return float(np.abs(theirs.sum(1)[0].detach().numpy() - ours).max())


def of_the_network(predictor, found) -> float:
    """Return how far integrated gradients agree with occlusion of what they explain, the network's share alone."""
    windows, gene = Windows(7, len(found.patch)), predictor.card.genes.index(found.gene)
    covered = run_to_end(occlude(network_of(predictor), found.patch, gene, windows, 14))
    return rank_correlation(covered.mean, found.map_of("integrated gradients").values)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--sections", nargs="+", default=["C2", "B4"])
    parser.add_argument("--patches", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    predictor = load_model("tcgn-tiny-her2st")
    net = network_of(predictor).net
    rows = []
    for section in given.sections:
        slide = open_slide(next((given.data / "ST-imgs" / section[0] / section).iterdir()), mpp=MPP)
        spots = read_st_spots(given.data / "ST-spotfiles" / f"{section}_selection.tsv")
        chosen = np.random.default_rng(0).permutation(len(spots))[given.first : given.first + given.patches]
        for number, place in enumerate(chosen, start=given.first):
            gene, spot = GENES[number % len(GENES)], str(spots.ids[place])
            how = ExplainSettings(check=True, random_nets=3)
            found = explain(slide, spots, spot, gene, predictor, how=how)
            row = {"section": section, "spot": spot, "gene": gene, "seconds": found.record["seconds"]}
            row |= {f"{one.method}: {one.name}": one.value for one in found.checks}
            row["agreement with occlusion of the network"] = of_the_network(predictor, found)
            row["captum"] = captum_gap(net, predictor.card, found)
            rows.append(row)
            given.out.write_text(json.dumps(rows, indent=1))
            print(row, flush=True)
    for section in given.sections:
        own = [row for row in rows if row["section"] == section]
        for name in own[0]:
            if isinstance(own[0][name], float | int):
                values = np.array([row[name] for row in own], dtype=float)
                figures = f"mean {values.mean():.3g}, median {np.median(values):.3g}"
                print(f"{section} {name}: {figures}, {values.min():.3g} to {values.max():.3g}")


if __name__ == "__main__":
    main()
