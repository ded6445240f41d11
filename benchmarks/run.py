"""Measure the speed of TCGN and of the engine around it, and write one JSON file.

    .venv/bin/python benchmarks/run.py --out benchmarks/results/cpu.json
    .venv/bin/python benchmarks/run.py --device cuda --out benchmarks/results/gpu.json
    .venv/bin/python benchmarks/table.py          # docs/speed.md from the results

`--data` (the her2st folder) adds what bf16 changes in the accuracy on the real section C2.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import cases
from timing import circumstances


def peak_memory(device: str, batch: int) -> dict[str, float]:
    """Return the peak memory in GiB of predicting one batch in a process of its own."""
    import torch

    from napari_tcgn.model import TCGN
    from napari_tcgn.model.inference import for_inference

    cases.forward(for_inference(TCGN(cases.GENES).to(device)), cases.images(batch, device))()
    # Not getrusage: its peak includes that of the parent process.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    found = {"process": int(status["VmHWM"].split()[0]) / 2**20}
    if device.startswith("cuda"):
        found["device"] = torch.cuda.max_memory_allocated() / 2**30
    return found


def main() -> None:
    """Run every case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/cpu.json"))
    parser.add_argument("--data", type=Path, help="folder in her2st layout, for the accuracy of bf16")
    parser.add_argument("--model", default="tcgn-tiny-her2st", help="model for --data")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    device, rounds = options.device, options.rounds
    if options.peak:
        print(json.dumps(peak_memory(device, options.peak)))
        return

    cpu = device == "cpu"
    result = {"circumstances": circumstances(device)}

    def case(name: str, call) -> None:
        print(f"{name} …", file=sys.stderr, flush=True)
        result[name] = call()
        print(json.dumps(result[name], indent=1), file=sys.stderr, flush=True)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n")

    case("floor", lambda: cases.floor(device, rounds))
    case("products", cases.products)
    case("graph", lambda: cases.graph(device, 32, rounds))
    case("model", lambda: cases.model(device, (1, 8, 32, 128) if not cpu else (1, 8, 32), rounds))
    case("peers", lambda: cases.peers(device, 32, rounds))
    case("train_step", lambda: cases.train_step(device, 32 if cpu else 128, max(3, rounds // 2)))
    case("prepare", lambda: cases.prepare(device, 8 if cpu else 64, rounds))
    for precision in ("float32", "bf16"):
        case(f"engine {precision}", lambda p=precision: cases.engine(device, 200 if cpu else 20_000, p))
    for batch in (8, 32):
        command = [sys.executable, __file__, "--device", device, "--peak", str(batch)]
        case(f"peak memory, batch {batch}", lambda c=command: json.loads(subprocess.check_output(c, text=True)))
    if options.data is not None:
        case("accuracy of bf16", lambda: cases.accuracy(device, options.model, options.data))


if __name__ == "__main__":
    main()
