"""What the patch cache saves at the start of a training: processor time and memory of reading two sections, as ratios.

    python benchmarks/patch_cache.py --data FOLDER_OF_HER2ST [--sections B4 C2] [--patch-um 154] [--repeats 3]

Every reading is a process of its own: without a cache, filling one, and from one. Processor time, for other work on the
machine leaves it alone. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

READ = """
import json, resource, sys, time
from pathlib import Path
from dataclasses import replace
import torch
from napari_tcgn.model.card import ModelCard
from napari_tcgn.model.panels import read_panel
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.data.dataset import build_dataset
from napari_tcgn.training.data.her2st import find_sections, load_section
from napari_tcgn.training.data.own_sections import counts_and_spots
from napari_tcgn.training.data.patch_cache import PatchCache
from napari_tcgn.engine import cut_patch
import napari_tcgn.slide, napari_tcgn.spots, napari_tcgn.expression, pandas, skimage.color

def memory():  # MiB that only this process can give back
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024

data, names, patch_um, cache = Path(sys.argv[1]), sys.argv[2].split(","), float(sys.argv[3]), sys.argv[4]
panel = read_panel("her2st_785")
card = ModelCard(name="patch", version="0", architecture={}, genes=panel, patch_um=patch_um)
patches = PatchCache(Path(cache)) if cache else None
before, started = memory(), time.process_time()
found = {s.name: s for s in find_sections(data)}
sections = [load_section(found[name], panel, card, cache=patches) for name in names]
seconds = time.process_time() - started
tables = time.process_time()
for name in names:
    counts_and_spots(found[name])
tables = time.process_time() - tables
settings = TrainSettings(val_fraction=0.0, device="cpu")
dataset = build_dataset(sections, settings, "cpu", held_out=0)
held = memory() - before
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
mean = float(dataset.patches[torch.arange(64)].float().mean())
print(json.dumps({"cpu_seconds": seconds, "tables": tables, "held_mib": held, "peak_mib": peak, "mean": mean,
                  "read": patches and patches.read, "patches_mib": sum(s.patches.nbytes for s in sections) / 2**20}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sections", nargs="+", default=["B4", "C2"])
    parser.add_argument("--patch-um", type=float, default=154.0)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()

    def read(cache: str) -> dict[str, float]:
        line = [sys.executable, "-c", READ, chosen.data, ",".join(chosen.sections), chosen.patch_um, cache]
        return json.loads(subprocess.run([str(part) for part in line], check=True, stdout=subprocess.PIPE).stdout)

    found: dict[str, list[dict[str, float]]] = {"without": [], "filling": [], "from": []}
    for _ in range(chosen.repeats):
        with tempfile.TemporaryDirectory() as folder:
            for name, cache in (("without", ""), ("filling", folder), ("from", folder)):
                found[name].append(read(cache))
    medians = {
        name: {key: statistics.median(run[key] for run in runs) for key in runs[0] if runs[0][key] is not None}
        for name, runs in found.items()
    }
    without, cached = medians["without"], medians["from"]
    print(
        json.dumps(
            {
                "sections": chosen.sections,
                "patch_um": chosen.patch_um,
                **medians,
                "times_faster": without["cpu_seconds"] / cached["cpu_seconds"],
                "times_faster_but_for_the_tables": (without["cpu_seconds"] - without["tables"])
                / (cached["cpu_seconds"] - cached["tables"]),
                "filling_costs": medians["filling"]["cpu_seconds"] / without["cpu_seconds"] - 1,
                "held_less_mib": without["held_mib"] - cached["held_mib"],
                "peak_less_mib": without["peak_mib"] - cached["peak_mib"],
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
