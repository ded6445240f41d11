"""What drives a gene, as files: a page, a gallery, tables, a record."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_tcgn.engine import as_line, package_versions
from napari_tcgn.explanation.drivers import Gallery, GeneDrivers
from napari_tcgn.explanation.drivers_page import SIGNIFICANT, drivers_page
from napari_tcgn.explanation.result import Explanation
from napari_tcgn.explanation.write import to_record
from napari_tcgn.files import check_folder, without_formulas, write_text_whole, write_together
from napari_tcgn.pages import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE, PICTURE, TABLE, SPOTS, RECORD = "report.html", "gallery.png", "morphology.csv", "spots.csv", "gene.json"
DRIVERS_FILES = (PAGE, PICTURE, TABLE, SPOTS, RECORD)
COLUMNS = 8


def write_drivers(
    found: GeneDrivers,
    folder: str | Path,
    overwrite: bool = False,
    command: list[str] | None = None,
    explanations: Sequence[Explanation] = (),
) -> list[Path]:
    """Write a page (HTML), the gallery (PNG), correlations and the spots' morphology (CSV), and a record (JSON).

    Parameters
    ----------
    found : GeneDrivers
    folder : str or pathlib.Path
        Made if it is missing.
    overwrite : bool
        Whether existing files may be replaced.
    command : list of str, optional
        What makes it again, for the record.
    explanations : sequence of Explanation
        Of spots, for the page and the record.

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
    check_folder(folder, DRIVERS_FILES, overwrite)
    gallery = Picture.of("Patches of both ends", _draw(found))
    table = pd.DataFrame([_row(one) for one in found.drivers])
    morphology = found.morphology
    names = [f"{name}, {unit}" for name, unit in zip(morphology.names, morphology.units, strict=True)]
    spots = pd.DataFrame(morphology.values, columns=names, index=pd.Index(found.spots, name="spot"))
    record = drivers_record(found, explanations) | ({"command": as_line(command)} if command is not None else {})
    with write_together(folder) as making:
        (making / PICTURE).write_bytes(gallery.png)
        for name, one, index in ((TABLE, table, False), (SPOTS, spots, True)):
            without_formulas(one).to_csv(making / name, index=index, lineterminator="\n")
        write_text_whole(making / PAGE, drivers_page(found, gallery, explanations, record))
        write_text_whole(making / RECORD, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return [folder / name for name in DRIVERS_FILES]


def drivers_record(found: GeneDrivers, explanations: Sequence[Explanation] = ()) -> dict[str, Any]:
    """Return everything but the pictures as JSON-able values."""
    return {
        "gene": found.gene,
        "library_id": found.library_id,
        "unit": found.unit,
        "side_um": found.side_um,
        "spots": len(found.spots),
        "highest": _gallery_record(found.highest),
        "lowest": _gallery_record(found.lowest),
        "morphology": [_row(one) for one in found.drivers],
        "explained": [to_record(one) for one in explanations],
        "notes": list(found.notes),
        "versions": package_versions(),
    }


def _gallery_record(gallery: Gallery) -> list[dict[str, Any]]:
    rows = zip(gallery.spots, gallery.values.tolist(), gallery.xy.tolist(), strict=True)
    return [{"spot": spot, "value": value, "x": x, "y": y} for spot, value, (x, y) in rows]


def _row(one: Any) -> dict[str, Any]:
    figures = {name: getattr(one, name) for name in ("rho", "p", "q")}
    known = {name: value if math.isfinite(value) else None for name, value in figures.items()}
    return {"feature": one.feature, "unit": one.unit} | known


def _draw(found: GeneDrivers) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 9), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(
        f"{found.gene} over {found.library_id}: patches of {found.side_um:g} µm at {len(found.spots)} spots",
        fontsize=12,
    )
    halves: Any = figure.subfigures(1, 2, width_ratios=(3, 1.3))  # an array, which matplotlib's types do not say
    ends: Any = halves[0].subfigures(2, 1)
    for part, name, gallery in zip(ends, ("highest", "lowest"), (found.highest, found.lowest), strict=True):
        span = f"{gallery.values.min():.3f} to {gallery.values.max():.3f}"
        part.suptitle(f"The {len(gallery.spots)} {name}, {span} ({found.unit})", fontsize=10)
        rows = -(-len(gallery.spots) // COLUMNS)
        axes = list(part.subplots(rows, COLUMNS, squeeze=False).flat)
        for axis in axes:
            axis.set_axis_off()
        for axis, spot, patch in zip(axes, gallery.spots, gallery.patches, strict=False):
            axis.imshow(patch)
            axis.set_title(spot, fontsize=6, pad=2)
    axis = halves[1].subplots()
    weakest_first = found.drivers[::-1]
    colours = ["tab:blue" if one.q < SIGNIFICANT else "0.75" for one in weakest_first]
    names, lengths = zip(*((one.feature, float(np.nan_to_num(one.rho))) for one in weakest_first), strict=True)
    axis.barh(names, lengths, color=colours)
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_xlim(-1, 1)
    axis.set_xlabel("Spearman's correlation\nwith the gene over the spots", fontsize=9)
    axis.set_title("Plain morphology; blue: q < 0.05 against\nshifts of the section against itself", fontsize=9)
    axis.tick_params(labelsize=8)
    return figure
