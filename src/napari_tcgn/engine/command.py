"""The command line that repeats a run, from its run record."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from napari_tcgn.engine.record import RunRecord
from napari_tcgn.errors import DataError
from napari_tcgn.options import PredictSettings, SpotsSettings, as_arguments, read_settings, to_record
from napari_tcgn.paths import WINDOWS
from napari_tcgn.spots import GridSource, H5adSource, SpotsSource

# What decides which spots they are and `_spots_arguments` knows of; anything else is refused.
_UNDERSTOOD = {"file", "settings", "without_counts", "library", "trusted"}
_ALWAYS = ("model", "device", "precision")  # options that are given even where they have their default

# What PowerShell and cmd leave as it is where it stands bare; letters and digits of any script too.
_BARE = re.compile(r"(?:\w|[./\\:=+-])+")
_EXPANDED = re.compile(
    '[$`"\u201c\u201d\u201e]'
)  # in double quotes by PowerShell, to which the curly ones are quotes too
_SINGLE = re.compile("(['\u2018\u2019\u201a\u201b])")  # what PowerShell takes for a single quote

# Holds for every run: an .h5ad keeps the names and places of its spots to the last digit.
_BY_RESULT = "Export the result as .h5ad and give predict that file as --spots: it holds the same spots."


def predict_command(
    record: RunRecord, out: str, slide: Path | None = None, spots_file: Path | None = None
) -> list[str]:
    """Return `napari-tcgn predict …` as a list of arguments that repeats a recorded run.

    Parameters
    ----------
    record : RunRecord
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
    if slide is None and not record.slide.file:
        raise DataError(
            f"Slide {record.slide.name!r} is a layer without a file, so that no command can read it.",
            "Save it as a TIFF, open that and run again.",
        )
    if record.unknown_settings:
        raise DataError(
            f"The run has settings that this version does not know: {', '.join(sorted(record.unknown_settings))}.",
            "Update napari-tcgn.",
        )
    arguments = ["napari-tcgn", "predict", str(slide or record.slide.file), "--mpp", repr(record.mpp)]
    arguments += _spots_arguments(record.spots.source, spots_file)
    device = {"device": record.device.partition(":")[0]}
    computed, _ = read_settings(PredictSettings, to_record(record.settings) | device)
    return [*arguments, *as_arguments(computed, _ALWAYS), "--out", out]


def _spots_arguments(source: SpotsSource, spots_file: Path | None) -> list[str]:
    roi = source.region.file if source.region is not None else None
    more = sorted(source.deciding() - _UNDERSTOOD - ({"region"} if roi else set()))
    if more:
        raise DataError(f"No command makes these spots: they were also shaped by {', '.join(more)}.", _BY_RESULT)
    if source.without_counts:
        raise DataError(
            "The spots without counts were left out, and the record does not name the count table.",
            _BY_RESULT,
        )
    inside = ["--roi", roi] if roi else []
    if isinstance(source, GridSource) and source.settings is not None:
        return [*as_arguments(source.settings, ("layout",)), *inside]
    if spots_file is None and not source.file:
        raise DataError("The spots are of no file and no grid.", _BY_RESULT)
    library = source.library if isinstance(source, H5adSource) else None
    taken = SpotsSettings(library=library, trust_spots=bool(source.trusted))
    return ["--spots", str(spots_file or source.file), *as_arguments(taken), *inside]


def as_line(arguments: list[str], windows: bool = WINDOWS) -> str:
    """Return arguments as one line that the shell of this system takes apart again: on Windows PowerShell, and cmd too.

    cmd knows double quotes only. It reads the rare names that PowerShell would expand in those ($, `) in another way.
    """
    return " ".join(_quoted(argument) for argument in arguments) if windows else shlex.join(arguments)


def _quoted(argument: str) -> str:
    if _BARE.fullmatch(argument):
        return argument
    if _EXPANDED.search(argument):
        return f"'{_SINGLE.sub(_twice, argument)}'"
    # A program takes a backslash before the closing quote for one that belongs to the quote, unless it stands twice.
    ending = argument[len(argument.rstrip("\\")) :]
    return f'"{argument}{ending}"'


def _twice(found: re.Match[str]) -> str:
    return found[0] * 2
