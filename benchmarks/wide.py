"""Models that look far around a spot and predict thousands of genes: reading against predicting, and whole runs.

python scripts/make_big_slide.py big.tif --side 20480 --mpp 0.25
python benchmarks/wide.py big.tif --out benchmarks/results/wide.json
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scale import run  # brings nothing heavy: the peak of a child is never below that of its parent

MODEL = "context-line-her2st"
# Square pitches that lay about 5,000 and 100,000 spots on the tissue of a slide of 20,480 px at 0.25 µm.
PITCHES_UM = (52.0, 11.6)


def whole_runs(slide: Path, pitches: tuple[float, ...]) -> list[dict[str, Any]]:
    """Predict all and the trusted genes over grids, each run in a process of its own."""
    found = []
    with tempfile.TemporaryDirectory(dir=slide.parent) as folder:
        for pitch in pitches:
            for genes in ("all", "trusted"):
                out, told = Path(folder) / "result.h5ad", Path(folder) / "told.json"
                grid = ["--grid", "square", "--pitch-um", str(pitch), "--diameter-um", "10", "--genes", genes]
                command = [sys.executable, __file__, str(slide), "--predict", str(told), *grid, "--out", str(out)]
                peak, seconds = run(command)
                result = json.loads(told.read_text())
                found.append(
                    {
                        "spots": result["spots"],
                        "genes": result["genes"],
                        "seconds": round(seconds, 1),
                        "predicting, spots/s": round(result["spots"] / result["seconds"], 1),
                        "peak_mib": round(peak),
                        "result_mb": round(out.stat().st_size / 1e6),
                    }
                )
                print(found[-1], file=sys.stderr, flush=True)
                out.unlink()
    return found


def predict(slide: Path, told: Path, options: list[str]) -> None:
    """Run the command in this process, and keep what it says as JSON."""
    from contextlib import redirect_stdout

    from napari_tcgn.cli.app import app

    arguments = ["predict", str(slide), "--model", MODEL, "--device", "cpu", "--json", *options]
    with told.open("w") as file, redirect_stdout(file):
        app(arguments, standalone_mode=False)


def reading(slide_path: Path, spots: int = 800) -> dict[str, Any]:
    """Reading the patches of a Visium section against predicting them, one after the other on one thread.

    On two threads of a machine that others use as well, the threads wait for each other and the figures say nothing.
    """
    from threading import Event

    import numpy as np
    import torch

    from napari_tcgn.engine import choose_patches, cut_batch, patch_source, reading_order
    from napari_tcgn.model import load_model
    from napari_tcgn.slide import NormalisedSlide, colour_change, open_slide

    torch.set_num_threads(1)
    predictor = load_model(MODEL)
    same = {"mu": [8.0, 0.1, 0.0], "sigma": [0.5, 0.1, 0.05]}
    change = colour_change("reinhard", same, same)
    seconds: dict[str, float] = {}
    for name, stained, shared in (
        ("reading, shared", False, True),
        ("reading, not shared", False, False),
        ("reading and staining, shared", True, True),
        ("reading and staining, not shared", True, False),
    ):
        slide = open_slide(slide_path)
        assert slide.mpp is not None
        patch = choose_patches(slide, predictor.card)
        base = NormalisedSlide(slide, change) if stained else slide
        source, level = patch_source(base, predictor.card, patch) if shared else (base, patch.level)
        pitch = 100 / slide.mpp
        rows, columns = (int(side / pitch) for side in slide.level_dimensions[0])
        row, column = np.divmod(np.arange(rows * columns), columns)
        x, y = (column + 0.5 + 0.5 * (row % 2)) * pitch, (row + 0.5) * pitch * 0.866
        order = reading_order(x, y, patch.side_px)[: spots if not stained or shared else spots // 8]
        taken = predicting = 0.0
        for batch in np.split(order, range(8, len(order), 8)):
            start = time.perf_counter()
            patches = cut_batch(source, x[batch], y[batch], patch.side_px, level, Event())
            taken += time.perf_counter() - start
            if name == "reading, shared":
                start = time.perf_counter()
                predictor.predict(patches)
                predicting += time.perf_counter() - start
        seconds[name] = taken / len(order)
        if predicting:
            seconds["predicting"] = predicting / len(order)
        slide.close()
    found: dict[str, Any] = {f"{name}, ms per spot": round(1000 * value, 2) for name, value in seconds.items()}
    share = seconds["reading, shared"] / seconds["predicting"]
    return {**found, "reading as a share of predicting, %": round(100 * share, 1)}


def main() -> None:
    """Measure everything; called by itself with --predict, predict once."""
    if "--predict" in sys.argv:
        predict(Path(sys.argv[1]), Path(sys.argv[3]), sys.argv[4:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slide", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/wide.json"))
    parser.add_argument("--pitches", type=float, nargs="*", default=PITCHES_UM)
    options = parser.parse_args()
    result: dict[str, Any] = {"model": MODEL, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "default")}
    result["runs"] = whole_runs(options.slide, tuple(options.pitches))
    result["reading"] = reading(options.slide)
    from timing import circumstances

    result = circumstances("cpu") | result
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
