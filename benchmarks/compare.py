"""How long a comparison takes and how much memory: 5,000 Visium spots, 785 and 8,373 genes, both kinds of null.

Writes benchmarks/results/compare.json. Every case runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import numpy as np

RESULT = Path(__file__).parent / "results" / "compare.json"
MEASURED_GENES = 18_000
MPP = 0.5


def section(spots: int, genes: int):
    """Return a drawn Visium section: a prediction, and counts of 18,000 genes that follow it in part."""
    import pandas as pd
    from anndata import AnnData
    from scipy.ndimage import gaussian_filter
    from scipy.sparse import csr_matrix, hstack, random as sparse_random

    from napari_tcgn.engine import Prediction, RunRecord
    from napari_tcgn.expression import OUTPUT_SCALE, to_anndata
    from napari_tcgn.model.card import ModelCard
    from napari_tcgn.spots import Spots

    random = np.random.default_rng(0)
    row, col = np.mgrid[0:80, 0:128].reshape(2, -1)
    chosen = np.flatnonzero(row % 2 == col % 2)
    chosen = chosen[:spots] if spots < len(chosen) else chosen
    row, col = row[chosen], col[chosen]
    fields = np.stack([gaussian_filter(random.normal(size=(80, 128)), 4)[row, col] for _ in range(12)], axis=1)
    fields /= fields.std(axis=0)
    weights = random.normal(0, 0.3, (12, genes))
    shape = fields @ weights
    names = [f"GENE{i}" for i in range(genes)]
    card = ModelCard("drawn", "1", {"family": "test"}, names, 154.0, output_scale=OUTPUT_SCALE)
    ids = np.array([f"SPOT{i:05d}-1" for i in range(len(row))])
    x, y = (col * 50 + 200) / MPP, (row * 50 * np.sqrt(3) + 200) / MPP
    thumbnail = random.integers(60, 250, (1500, 1500, 3)).astype(np.uint8)
    prediction = Prediction(
        values=(1.5 + shape).astype(np.float32),
        done=np.ones(len(row), bool),
        spots=Spots(ids, x, y, row, col, 55.0, 100.0, "visium"),
        card=card,
        library_id="drawn",
        mpp=MPP,
        thumbnail=thumbnail,
        thumbnail_scale=1500 / 14000,
        record=RunRecord.read(
            {
                "slide": {"name": "drawn", "width_px": 14000, "height_px": 14000},
                "patch": {"side_px": 308},
                "mpp": MPP,
                "spots": {"pitch_um": 100.0, "layout": "visium", "source": {}},
            }
        ),
    )
    depth = np.exp(random.normal(0, 0.5, len(row)) + 0.4 * fields[:, 0])
    counts = random.poisson(depth[:, None] * np.exp(shape + random.normal(0, 0.5, shape.shape)))
    rest = sparse_random(len(row), MEASURED_GENES - genes, 0.15, format="csr", dtype=np.float32, rng=0).ceil()
    measured = AnnData(
        X=hstack([csr_matrix(counts.astype(np.float32)), rest], format="csr"),
        obs=pd.DataFrame(index=ids.astype(object)),
        var=pd.DataFrame(index=[*names, *(f"OTHER{i}" for i in range(MEASURED_GENES - genes))]),
        obsm={"spatial": np.column_stack([x, y])},
    )
    return to_anndata(prediction), measured


def measure(null: str, spots: int, genes: int) -> dict[str, object]:
    """Compare once and return seconds per stage and peak memory."""
    from napari_tcgn.comparison.steps import compare_steps
    from napari_tcgn.engine import run_to_end
    from napari_tcgn.options import CompareSettings

    predicted, measured = section(spots, genes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    stages: dict[str, float] = {}
    start = time.perf_counter()
    busy = last = time.process_time()
    stage = ""

    def step(progress) -> None:
        nonlocal last, stage
        now = time.process_time()
        stages[stage] = stages.get(stage, 0) + now - last
        last, stage = now, progress.stage

    result = run_to_end(compare_steps(predicted, measured, CompareSettings(null=null, permutations=1000)), step)
    seconds = time.perf_counter() - start
    stages[stage] = stages.get(stage, 0) + time.process_time() - last
    stages.pop("", None)
    busy, peak = time.process_time() - busy, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "null": result.overall.null.kind,
        "shifts": result.overall.null.shifts,
        "spots": result.overall.n_spots,
        "genes": result.overall.n_genes,
        "bootstrap_draws": result.overall.bootstrap.draws,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(busy, 1),
        "load_average": round(os.getloadavg()[0], 1),  # of others as well: how far the seconds can be trusted
        "cpu_seconds_of_stages": {name: round(value, 2) for name, value in stages.items()},
        "peak_mib": round(peak),
        "peak_mib_of_making_the_section": round(before),
        "cpu_seconds_afterwards": written(result, predicted),
    }


def written(comparison, predicted) -> dict[str, float]:
    """Write the report of a comparison and export the prediction; return processor seconds."""
    import tempfile

    from napari_tcgn import export
    from napari_tcgn.comparison.report import write_report

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, write in (
            ("report", lambda: write_report(comparison, Path(folder) / "report.html")),
            ("export to .h5ad", lambda: export(predicted, Path(folder) / "all.h5ad")),
        ):
            start = time.process_time()
            write()
            found[name] = round(time.process_time() - start, 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spots", type=int, default=5000)
    parser.add_argument("--genes", type=int, nargs="+", default=[785, 8373])
    parser.add_argument("--one", choices=("all-shifts", "random-shifts"), help="only this, printed")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, given.spots, given.genes[0])))
        return
    from timing import circumstances

    cases = []
    for null, genes in product(("all-shifts", "random-shifts"), given.genes):
        if cases and null == "random-shifts" and genes != given.genes[0]:
            continue  # minutes that say nothing new
        command = [sys.executable, __file__, "--one", null, "--spots", str(given.spots), "--genes", str(genes)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        cases.append(json.loads(output.splitlines()[-1]))
        print(cases[-1])
    RESULT.write_text(json.dumps({"circumstances": circumstances("cpu"), "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
