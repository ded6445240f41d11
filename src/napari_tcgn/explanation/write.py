"""An explanation as files: a figure, plain arrays, a record."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.engine import as_line
from napari_tcgn.explanation.figure import explanation_figure
from napari_tcgn.explanation.result import AttributionMap, Explanation
from napari_tcgn.files import check_folder, write_text_whole, write_together

FIGURES = ("explanation.png", "explanation.svg")
ARRAYS, RECORD = "explanation.npz", "explanation.json"
FILES = (*FIGURES, ARRAYS, RECORD)


def write_explanation(
    explanation: Explanation, folder: str | Path, overwrite: bool = False, command: list[str] | None = None
) -> list[Path]:
    """Write the figure (PNG, SVG), the arrays (.npz) and the record (JSON) of an explanation into a folder.

    Parameters
    ----------
    explanation : Explanation
    folder : str or pathlib.Path
        Made if it is missing.
    overwrite : bool
        Whether existing files may be replaced.
    command : list of str, optional
        What makes it again, for the record.

    Returns
    -------
    list of pathlib.Path
        What was written: all of it, or nothing where something could not be written.

    Raises
    ------
    OutputError
        If the folder cannot be made, or a file exists or cannot be written.
    """
    folder = Path(folder)
    check_folder(folder, FILES, overwrite)
    record = to_record(explanation) | ({"command": as_line(command)} if command is not None else {})
    with write_together(folder) as making:
        for name in FIGURES:
            explanation_figure(explanation, making / name)
        arrays: dict[str, Any] = arrays_of(explanation)
        np.savez_compressed(making / ARRAYS, **arrays)
        write_text_whole(making / RECORD, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return [folder / name for name in FILES]


def arrays_of(explanation: Explanation) -> dict[str, NDArray[Any]]:
    """Return the arrays of an explanation by plain names.

    `patch`; `map_…` and `fill_…` [rows, columns]; of each block `graph0_xy`, `graph0_edges`, `graph0_attention`; of
    each curve `curve_…_share`, `_deletion`, `_insertion`, `_random_deletion`, `_random_insertion`.
    """
    found: dict[str, NDArray[Any]] = {"patch": explanation.patch}
    found |= {f"map_{_plain(one.method)}": one.values for one in explanation.maps}
    found |= {f"fill_{_plain(name)}": values for name, values in explanation.fills.items()}
    for graph in explanation.graphs:
        found |= {f"graph{graph.block}_{name}": getattr(graph, name) for name in ("xy", "edges", "attention")}
    for one in explanation.curves:
        names = ("share", "deletion", "insertion", "random_deletion", "random_insertion")
        found |= {f"curve_{_plain(one.method)}_{name}": getattr(one, name) for name in names}
    return found


def to_record(explanation: Explanation) -> dict[str, Any]:
    """Return everything but the arrays as JSON-able values."""
    shares = explanation.shares
    return {
        "library_id": explanation.library_id,
        "x": explanation.x,
        "y": explanation.y,
        "patch_um": explanation.patch_um,
        "prediction": explanation.prediction,
        "unit": explanation.unit,
        "shares": None if shares is None else {"network": shares.network, "line": shares.line},
        "network_reference": explanation.network_reference,
        "directions": explanation.directions,
        "agreement_of_fills": explanation.agreement if math.isfinite(explanation.agreement) else None,
        "maps": [_map_record(explanation, one) for one in explanation.maps],
        "checks": [
            {
                "name": one.name,
                "map": one.method,
                "passed": one.passed,
                "value": one.value,
                "limit": one.limit,
                "sentence": one.sentence,
            }
            for one in explanation.checks
        ],
        "notes": list(explanation.notes),
    } | explanation.record


def _map_record(explanation: Explanation, one: AttributionMap) -> dict[str, Any]:
    return {
        "method": one.method,
        "array": f"map_{_plain(one.method)}",
        "unit": one.unit,
        "reference": one.reference,
        "side_um": one.side_um,
        "signed": one.signed,
        "note": one.note,
        "failed": [check.name for check in explanation.failed(one.method)],
    }


def _plain(name: str) -> str:
    return name.lower().replace(" ", "_").replace("-", "_")
