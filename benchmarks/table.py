"""Write docs/speed.md from the results: `.venv/bin/python benchmarks/table.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

HEAD = """# Speed

Made by `benchmarks/table.py` from the files in `benchmarks/results/`; [benchmarks/README.md](../benchmarks/README.md) says how they
are measured. Rates are those of one machine on one day; the ratios hold better.

Predictions are made by a copy of the network in which every BatchNorm, shortcut and layer scale is folded into a neighbouring
product (`model/inference.py`; the same function, equal to rounding). With `--precision bf16` the factors of the large products are
rounded to bfloat16, while sums between them, the first convolutions, the graph and the last layers stay in float32.
"""


def rows(title: str, head: list[str], body: list[list[Any]]) -> str:
    """Return a titled Markdown table."""
    lines = [f"\n## {title}\n", f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    lines += [f"| {' | '.join(number(cell) for cell in row)} |" for row in body]
    return "\n".join(lines) + "\n"


def number(value: Any) -> str:
    """Return a cell's text; numbers to three digits."""
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 1000 else f"{value:.0f}" if isinstance(
        value, float
    ) else str(value)  # fmt: skip


def section(result: dict[str, Any]) -> str:
    """Return the part of the page about one result file."""
    where = result["circumstances"]
    text = f"\n# {where['device']}\n\n{', '.join(f'{k} {v}' for k, v in where.items() if k != 'device')}.\n"
    if "model" in result:
        batches = result["model"]
        names = list(next(iter(batches.values()))["images/s"])
        text += rows("TCGN tiny, images/s", ["", *batches], [
            *[[name, *(b["images/s"][name] for b in batches.values())] for name in names],
            *[[f"**ratio: {name}**", *(b[name] for b in batches.values())] for name in next(iter(batches.values())) if name != "images/s"],
        ])  # fmt: skip
    if "peers" in result:
        found = result["peers"]
        text += rows(f"Against other networks, float32, batch {found['batch']}", ["", "images/s"],
                     [[k, v] for k, v in found["images/s"].items()])  # fmt: skip
    if "train_step" in result:
        found = result["train_step"]
        text += rows(f"Training step, batch {found['batch']}", ["", "images/s"],
                     [*[[k, v] for k, v in found["images/s"].items()], ["**ratio: of its backbone**", found["of its backbone"]]])  # fmt: skip
    engines = {k: v for k, v in result.items() if k.startswith("engine ")}
    if engines:
        text += rows("End to end from a decoded slide", ["", "patches/s", "model alone", "busy"],
                     [[k.removeprefix("engine "), v["patches/s"], v["model alone, patches/s"], v["busy"]] for k, v in engines.items()])  # fmt: skip
    rest = {
        k: v
        for k, v in result.items()
        if k in ("floor", "graph", "prepare", "accuracy of bf16") or k.startswith("peak")
    }
    titles = {"floor": "Large matrix products", "graph": "Graph part of a block against dense matrices, image by image",
              "prepare": "Resizing and normalising", "accuracy of bf16": "What bf16 changes on a real section"}  # fmt: skip
    for name, found in rest.items():
        flat = {f"{k}, {kk}": vv for k, v in found.items() if isinstance(v, dict) for kk, vv in v.items()}
        flat |= {k: v for k, v in found.items() if not isinstance(v, dict)}
        heading = titles.get(name, f"P{name[1:]} (GiB)")
        text += rows(heading, ["", ""], [[k, v] for k, v in flat.items()])
    return text


def main() -> None:
    """Write the page."""
    results = [json.loads(path.read_text()) for path in sorted((ROOT / "benchmarks" / "results").glob("*.json"))]
    (ROOT / "docs" / "speed.md").write_text(HEAD + "".join(section(result) for result in results))


if __name__ == "__main__":
    main()
