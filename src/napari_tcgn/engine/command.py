"""The command line that repeats a run, from its run record."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

from napari_tcgn.errors import DataError
from napari_tcgn.options import GridSettings

# What a source of spots may say beside its kind that does not change which spots they are.
_HARMLESS = {
    "kind", "settings", "file", "rows", "not_selected", "not_in_tissue", "image_size", "image_size_tolerance",
    "implied_mpp", "positions", "recorded", "tissue_threshold", "without_counts",
}  # fmt: skip

# Holds for every run: an .h5ad keeps the names and places of its spots to the last digit.
_BY_RESULT = "Export the result as .h5ad and give predict that file as --spots: it holds the same spots."


def predict_command(
    record: dict[str, Any], out: str, slide: Path | None = None, spots_file: Path | None = None
) -> list[str]:
    """Return `napari-tcgn predict …` as a list of arguments that repeats a recorded run.

    Parameters
    ----------
    record : dict
        From `Prediction.record` or `uns["napari_tcgn"]["run_record"]`.
    out : str
        The .h5ad to write.
    slide, spots_file : pathlib.Path, optional
        Where the slide and the spot table lie; a record holds their names without the folders.

    Raises
    ------
    DataError
        If the run cannot be repeated from files: the slide has none, or nothing on the command line makes these spots.
    """
    if slide is None and not record["slide"].get("file"):
        raise DataError(
            f"Slide {record['slide']['name']!r} is a layer without a file, so that no command can read it.",
            "Save it as a TIFF, open that and run again.",
        )
    settings = record["settings"]
    arguments = ["napari-tcgn", "predict", str(slide or record["slide"]["file"]), "--mpp", repr(record["mpp"])]
    arguments += _spots_arguments(record["spots"]["source"], spots_file)
    arguments += ["--model", str(settings["model"]), "--device", str(record["device"]).partition(":")[0]]
    arguments += ["--precision", str(settings["precision"])]
    if settings["batch_size"] is not None:
        arguments += ["--batch-size", str(settings["batch_size"])]
    if settings.get("stain", "none") != "none":
        arguments += ["--stain", str(settings["stain"])]
    return [*arguments, "--out", out]


def _spots_arguments(source: dict[str, Any], spots_file: Path | None) -> list[str]:
    roi = source.get("region", {}).get("file")
    more = sorted(set(source) - _HARMLESS - ({"region"} if roi else set()))
    if more:
        raise DataError(
            f"No command makes these spots: they were also shaped by {', '.join(more)}.",
            _BY_RESULT,
        )
    if source.get("without_counts"):
        raise DataError(
            "The spots without counts were left out, and the record does not name the count table.",
            _BY_RESULT,
        )
    inside = ["--roi", roi] if roi else []
    if source.get("kind") == "grid":
        return _grid_arguments(source["settings"]) + inside
    if spots_file is None and not source.get("file"):
        raise DataError("The spots are of no file and no grid.", _BY_RESULT)
    return ["--spots", str(spots_file or source["file"]), *inside]


def _grid_arguments(settings: dict[str, Any]) -> list[str]:
    """Return every setting of a grid that is not the default; the options have the settings' names."""
    arguments = ["--grid", str(settings["layout"])]
    for field in fields(GridSettings):
        value = settings.get(field.name, field.default)
        if field.name == "layout" or value == field.default:
            continue
        if field.name == "tissue_only":
            arguments.append("--whole-slide")
        else:
            arguments += [f"--{field.name.replace('_', '-')}", repr(value)]
    return arguments


def as_line(arguments: list[str]) -> str:
    """Return arguments as one line that the shell of this system takes apart again."""
    return subprocess.list2cmdline(arguments) if os.name == "nt" else shlex.join(arguments)
