"""What stain normalisation of a held-out section changes: a line through colour and texture, leave one section out.

    python benchmarks/stain.py DATA --out benchmarks/results/stain.json

DATA holds the sections in her2st layout. The line is fitted on the other sections as they are, and predicts the
held-out section as it is and brought to the stain of the other ones, as `napari-tcgn predict --stain` does it.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from napari_tcgn.model.panels import read_panel
from napari_tcgn.options import TrainSettings
from napari_tcgn.slide import open_slide, overview_of
from napari_tcgn.slide.normalise import colour_change
from napari_tcgn.slide.stain_fit import fit_stain
from napari_tcgn.stats.correlation import median_pcc, pearson_per_gene
from napari_tcgn.training.data.her2st import find_sections, load_section, study_of
from napari_tcgn.training.evaluate.baselines import default_baselines
from napari_tcgn.training.fit.card import draft_card

MPP = 0.688


def main() -> None:
    """Fit, predict and score every fold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/stain.json"))
    options = parser.parse_args()
    panel, found = read_panel("her2st_785"), find_sections(options.data)
    settings = TrainSettings(patch_um=154.0)
    card = draft_card(settings, [], panel, study_of(options.data, found))
    sections = [load_section(section, panel, card, MPP) for section in found]
    pixels = []
    for section in found:
        with closing(open_slide(section.image, mpp=MPP)) as slide:
            pixels.append(overview_of(slide).tissue_pixels)
    result = []
    for baseline in default_baselines():
        features = baseline.extract(sections, card)
        for number, held_out in enumerate(sections):
            others = [i for i in range(len(sections)) if i != number]
            line = baseline.fit([features[i] for i in others], [sections[i] for i in others])
            least = min(len(pixels[i]) for i in others)
            together = np.concatenate([pixels[i][:: len(pixels[i]) // least] for i in others])
            for method in ("none", "reinhard", "macenko"):
                seen = held_out
                if method != "none":
                    change = colour_change(method, fit_stain(pixels[number], method), fit_stain(together, method))
                    seen = replace(held_out, patches=change(held_out.patches))
                (table,) = baseline.extract([seen], card)
                values = line(torch.from_numpy(table).float()).numpy().astype(np.float64)
                genes = held_out.measured
                pcc = np.nan_to_num(pearson_per_gene(values[:, genes], held_out.target[:, genes]))
                shift = np.abs(values.mean(axis=0) - held_out.target.mean(axis=0))[genes]
                result.append(
                    {
                        "model": baseline.name,
                        "held_out": held_out.name,
                        "stain": method,
                        "median_pcc": round(median_pcc(pcc), 4),
                        "shift_of_means": round(float(np.median(shift)), 4),
                    }
                )
                print(result[-1], file=sys.stderr, flush=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
