"""Measure the peak memory of `napari-tcgn predict` over spots and slides, each run in a process of its own.

python scripts/make_big_slide.py big.tif                 # 60,000 x 60,000 px
python scripts/make_big_slide.py small.tif --side 15000
python benchmarks/scale.py big.tif small.tif --out benchmarks/results/scale.json
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

# Square pitches that lay about 1,000, 10,000 and 100,000 spots on the tissue of the slide of 60,000 px.
PITCHES_UM = (675.0, 213.5, 67.5)
# Nothing heavy may be imported here: the peak that the system reports of a child is never below its parent's.


def run(command: list[str]) -> tuple[float, float]:
    """Run a command to its end; returns its peak memory in MiB and its seconds."""
    start = time.perf_counter()
    process = os.spawnv(os.P_NOWAIT, command[0], command)
    _, status, usage = os.wait4(process, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{' '.join(command)} failed")
    unit = 1024 if sys.platform == "darwin" else 1  # bytes there, KiB elsewhere
    return usage.ru_maxrss / unit / 1024, time.perf_counter() - start


def measure(slide: Path, pitch: float, model: str, folder: Path) -> dict[str, float | int | str]:
    """Predict one grid over one slide."""
    out = folder / "result.h5ad"
    grid = ["--grid", "square", "--pitch-um", str(pitch), "--diameter-um", "55"]
    command = [sys.executable, "-m", "napari_tcgn", "predict", str(slide), "--out", str(out), "--device", "cpu"]
    peak, seconds = run([*command, *grid, "--model", model, "--json"])
    count = [sys.executable, "-c", f"import anndata; print(anndata.read_h5ad({str(out)!r}, backed='r').n_obs)"]
    spots = int(os.popen(" ".join(f'"{part}"' for part in count)).read())
    found = {
        "slide": slide.name,
        "spots": spots,
        "peak_mib": round(peak),
        "seconds": round(seconds, 1),
        "result_mb": round(out.stat().st_size / 1e6),
    }
    out.unlink()
    return found


def main() -> None:
    """Measure every grid on the first slide and the last grid on the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slides", type=Path, nargs="+")
    parser.add_argument("--model", default="haematoxylin-her2st")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/scale.json"))
    options = parser.parse_args()
    cases = [(options.slides[0], pitch) for pitch in PITCHES_UM]
    cases += [(slide, PITCHES_UM[1]) for slide in options.slides[1:]]
    result = {"model": options.model, "threads": os.environ.get("OMP_NUM_THREADS", "default"), "runs": []}
    with tempfile.TemporaryDirectory(dir=options.slides[0].parent) as folder:
        for slide, pitch in cases:
            result["runs"].append(measure(slide, pitch, options.model, Path(folder)))
            print(result["runs"][-1], file=sys.stderr, flush=True)
            options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
