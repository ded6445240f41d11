"""What drives planted and shuffled genes on real sections: does the planted feature come first, does chance stay quiet?

python benchmarks/drivers.py DATA/her2st/data --out drivers.json
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from napari_tcgn.engine import run_to_end
from napari_tcgn.explanation import measure_morphology
from napari_tcgn.explanation.drivers import correlate
from napari_tcgn.slide import open_slide, overview_of
from napari_tcgn.spots import read_st_spots

MPP, SIDE_UM = 0.688, 154.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--sections", nargs="+", default=["C2", "B4"])
    parser.add_argument("--genes", type=int, default=50, help="planted, and shuffled, of each section")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    rows = []
    for section in given.sections:
        slide = open_slide(next((given.data / "ST-imgs" / section[0] / section).iterdir()), mpp=MPP)
        spots = read_st_spots(given.data / "ST-spotfiles" / f"{section}_selection.tsv")
        overview_of(slide)  # which a run has made already
        began = time.process_time()  # of this process: machines are shared
        found = run_to_end(measure_morphology(slide, spots.x, spots.y, SIDE_UM, MPP))
        seconds = time.process_time() - began
        density = found.values[:, 0]
        random = np.random.default_rng(0)
        first, wrong, q = 0, 0, []
        for _ in range(given.genes):
            counts = random.poisson(20 * density / density.mean())
            planted = correlate(counts.astype(float), found, spots.lattice)
            first += planted[0].feature == "density of nuclei"
            q.append(planted[0].q)
            chance = correlate(random.permutation(counts).astype(float), found, spots.lattice)
            wrong += any(one.q < 0.05 for one in chance)
        row = {"section": section, "spots": len(spots), "seconds": seconds, "ms_per_spot": 1e3 * seconds / len(spots)}
        rows.append(row | {"genes": given.genes, "planted_first": first, "planted_q": max(q), "shuffled_found": wrong})
        print(rows[-1], flush=True)
    given.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
