"""Write docs/speed.md from the results: `.venv/bin/python benchmarks/table.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NOTES = Path(__file__).parent / "notes.md"  # what the figures cannot say

HEAD = """# Speed

Made by `benchmarks/table.py` from the files in `benchmarks/results/`;
[benchmarks/README.md](https://github.com/napari-tcgn/napari-tcgn/blob/main/benchmarks/README.md)
says how they are measured. Rates are those of one machine on one day; the ratios hold better.

Predictions are made by a copy of the network in which every BatchNorm, shortcut and layer scale is folded into a
neighbouring product (`model/inference.py`; the same function, equal to rounding). With `--precision bf16` the factors
of the large products are rounded to bfloat16, while sums between them, the first convolutions, the graph and the last
layers stay in float32; `--precision auto`, the default, takes it on a CPU that has such products. On a CPU the products
run on weights that are sorted once, with the GELU behind them inside the product (`model/packed.py`).
"""


TITLES = {
    "floor": "Rate of large matrix products",
    "products": "Where the products are",
    "graph": "Graph part of a block, against dense matrices image by image",
    "peers": "Against other networks, float32",
    "train_step": "Training step",
    "prepare": "Resizing and normalising",
    "accuracy of bf16": "What bf16 changes on a real section",
}


def flat(found: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested figures as one level, names joined."""
    result: dict[str, Any] = {}
    for name, value in found.items():
        result |= flat(value, f"{before}{name}: ") if isinstance(value, dict) else {before + name: value}
    return result


def table(columns: dict[str, dict[str, Any]]) -> str:
    """Return a Markdown table of columns that share their row names."""
    lines = [f"| | {' | '.join(columns)} |", "| --- |" + " --- |" * len(columns)]
    for name in next(iter(columns.values())):
        lines.append(f"| {name} | {' | '.join(cell(column[name]) for column in columns.values())} |")
    return "\n".join(lines) + "\n"


def cell(value: Any) -> str:
    """Return a figure to three digits."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def section(result: dict[str, Any]) -> str:
    """Return the part of the page about one result file."""
    where = result.pop("circumstances")
    text = f"\n# {where.pop('device')}\n\n{', '.join(f'{name} {value}' for name, value in where.items())}.\n"
    # Cases that differ in one number (a batch, a precision) share a table.
    for group, title in (("engine ", "End to end from a decoded slide"), ("peak memory, ", "Peak memory, GiB")):
        members = {name.removeprefix(group): flat(result.pop(name)) for name in list(result) if name.startswith(group)}
        if members:
            result[title] = members
    for name, found in result.items():
        columns = {k: flat(v) for k, v in found.items()} if name == "model" or name not in TITLES else {"": flat(found)}
        text += f"\n## {'TCGN tiny' if name == 'model' else TITLES.get(name, name)}\n\n{table(columns)}"
    return text


def main() -> None:
    """Write the page."""
    found = [json.loads(path.read_text()) for path in sorted((ROOT / "benchmarks" / "results").glob("*.json"))]
    # Those of the model; the others are of single benchmarks, and their pages say what they found.
    results = [result for result in found if isinstance(result, dict) and "floor" in result]
    (ROOT / "docs" / "speed.md").write_text(HEAD + NOTES.read_text() + "".join(section(result) for result in results))


if __name__ == "__main__":
    main()
