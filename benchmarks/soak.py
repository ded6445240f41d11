"""Kill the program at random moments and see that nothing is lost; predict often and see that it does not grow.

    python benchmarks/soak.py --kills 500 --out benchmarks/results/soak.json

Every kill is a SIGKILL after a random time. A prediction that was killed goes on with --resume until it ends, and its
values must be those of one that was not; an export that was killed must leave the old file or the new one, whole.
What is left over once the same command has ended is told.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import psutil

from napari_tcgn.sample import sample_folder

SLIDE, SPOTS = sample_folder() / "section.ome.tif", sample_folder() / "section_selection.tsv"
LONGEST = 900.0  # s of a command that is left alone


def run(arguments: list[str], kill_after: float | None = None) -> int:
    """Run a command, or kill it after a while; returns its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-m", "napari_tcgn", *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        return process.wait(LONGEST if kill_after is None else kill_after)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def timed(arguments: list[str]) -> float:
    """Return how long a command takes that nobody kills."""
    started = time.perf_counter()
    code = run(arguments)
    assert code == 0, (arguments, code)
    return time.perf_counter() - started


def left_over(folder: Path, kept: set[str]) -> list[str]:
    """Return what lies in a folder beside what should."""
    return sorted(path.name for path in folder.iterdir() if path.name not in kept)


def predictions(folder: Path, rng: random.Random, kills: int) -> dict[str, Any]:
    """Kill predictions until they end; compare each with one that was left alone."""
    whole = folder / "whole.h5ad"
    command = ["predict", str(SLIDE), "--spots", str(SPOTS), "--model", "haematoxylin-her2st", "--batch-size", "4"]
    seconds = timed([*command, "--out", str(whole)])
    expected, done, runs, wrong = anndata.read_h5ad(whole), 0, 0, 0
    while done < kills:
        out = folder / f"killed-{runs}.h5ad"
        for _ in range(8):
            code = run([*command, "--out", str(out), "--resume"], rng.uniform(0.2, 1.05) * seconds)
            if code == 0:
                break
            done += 1
        else:
            run([*command, "--out", str(out), "--resume"])
        found = anndata.read_h5ad(out)
        same = np.array_equal(found.X, expected.X) and np.array_equal(found.obs["domain_p"], expected.obs["domain_p"])
        wrong += not same
        runs += 1
        out.unlink()
    rest = left_over(folder, {"whole.h5ad"})
    return {"kills": done, "predictions": runs, "other values": wrong, "left over": rest}


def exports(folder: Path, rng: random.Random, kills: int) -> dict[str, Any]:
    """Kill exports over a file that is there: the old one or the new one must be whole."""
    source, broken = folder / "whole.h5ad", 0
    targets = {name: folder / f"out.{name}" for name in ("h5ad", "csv", "geojson")}
    commands = {n: ["export", str(source), "--to", str(path), "--overwrite"] for n, path in targets.items()}
    seconds = {name: timed(command) for name, command in commands.items()}
    sizes = {name: path.stat().st_size for name, path in targets.items()}
    for _ in range(kills):
        name = rng.choice(list(targets))
        run(commands[name], rng.uniform(0.3, 1.05) * seconds[name])
        broken += targets[name].stat().st_size != sizes[name]
    for command in commands.values():
        run(command)
    rest = left_over(folder, {"whole.h5ad", *(path.name for path in targets.values())})
    return {"kills": kills, "broken": broken, "left over": rest}


def growth(times: int) -> dict[str, Any]:
    """Predict in one process again and again; by how much it grew after the first tenth."""
    import napari_tcgn

    spots, sizes = napari_tcgn.read_st_spots(SPOTS), []
    for _ in range(times):
        slide = napari_tcgn.open_slide(SLIDE)
        napari_tcgn.predict(slide, spots, "colour-texture-line-her2st")
        slide.close()
        sizes.append(psutil.Process().memory_info().rss / 2**20)
    after, end = round(sizes[times // 10], 1), round(sizes[-1], 1)
    return {"predictions": times, "MiB after a tenth": after, "MiB at the end": end}


def main() -> None:
    """Run all parts and write what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--predictions", type=int, default=50, help="in one process")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    rng, started = random.Random(options.seed), time.time()
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        os.environ["NAPARI_TCGN_CACHE"] = second
        told: dict[str, Any] = {"date": time.strftime("%Y-%m-%d")}
        told["predict"] = predictions(Path(first), rng, options.kills * 3 // 5)
        told["export"] = exports(Path(first), rng, options.kills * 2 // 5)
    told["growth"] = growth(options.predictions)
    told["seconds"] = round(time.time() - started)
    options.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
