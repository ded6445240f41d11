"""The command line that repeats a run, from its run record."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from napari_tcgn.engine.record import RunRecord
from napari_tcgn.errors import DataError
from napari_tcgn.options import GridSettings, PredictSettings, SpotsSettings, as_arguments, read_settings, to_record
from napari_tcgn.paths import WINDOWS
from napari_tcgn.spots import GridSource, H5adSource, SpotsSource

# What decides which spots they are and ``repeat_of` knows of; anything else is refused.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """What makes a recorded run again, from files.

    Attributes
    ----------
    slide : pathlib.Path
    mpp : float
        µm per px of the slide.
    settings : PredictSettings
        With what was computed.
    grid : GridSettings or None
        The grid that the spots are; None: they are those of a file.
    spots, roi : pathlib.Path or None
        Files of spots and of a region.
    taken : SpotsSettings
        How the spots of the file are taken.
    """

    slide: Path
    mpp: float
    settings: PredictSettings
    grid: GridSettings | None = None
    spots: Path | None = None
    roi: Path | None = None
    taken: SpotsSettings = field(default_factory=SpotsSettings)

    def command(self, out: str) -> list[str]:
        """Return `napari-tcgn predict …` as a list of arguments."""
        arguments = ["napari-tcgn", "predict", str(self.slide), "--mpp", repr(self.mpp)]
        if self.grid is not None:
            arguments += as_arguments(self.grid, ("layout",))
        else:
            arguments += ["--spots", str(self.spots), *as_arguments(self.taken)]
        if self.roi is not None:
            arguments += ["--roi", str(self.roi)]
        return [*arguments, *as_arguments(self.settings, _ALWAYS), "--out", out]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where the files of a recorded run lie; a record holds their names without the folders.

    Attributes
    ----------
    slide, spots : pathlib.Path or None
        The slide, and the table that spots were read from.
    region : pathlib.Path or None
        The outline of a region that was drawn, saved as GeoJSON.
    saved_spots : pathlib.Path or None
        The run's own spots, saved: they stand for whatever has shaped them.
    """

    slide: Path | None = None
    spots: Path | None = None
    region: Path | None = None
    saved_spots: Path | None = None


def file_to_save(record: RunRecord) -> Literal["", "region", "spots"]:
    """Say what has to be saved as a file, so that a recorded run can be repeated: its region, its spots, or nothing."""
    source = record.spots.source
    nowhere = not source.file and not (isinstance(source, GridSource) and source.settings is not None)
    if source.deciding() - _UNDERSTOOD - {"region"} or source.without_counts or nowhere:
        return "spots"
    return "region" if source.region is not None and not source.region.file else ""


def repeat_of(record: RunRecord, files: Files | None = None) -> Repeat:
    """Return what makes a recorded run again.

    Parameters
    ----------
    record : RunRecord
        From `Prediction.record` or `uns["napari_tcgn"]["run_record"]`.
    files : Files, optional
        Where they lie; else they are looked for by their names where the command runs.

    Raises
    ------
    DataError
        If the run cannot be repeated from files: the slide has none, or a file is wanted (`file_to_save`).
    """
    files = files or Files()
    if files.slide is None and not record.slide.file:
        raise DataError(
            f"Slide {record.slide.name!r} is a layer without a file, so that no command can read it.",
            "Save it as a TIFF, open that and run again.",
        )
    if record.unknown_settings:
        raise DataError(
            f"The run has settings that this version does not know: {', '.join(sorted(record.unknown_settings))}.",
            "Update napari-tcgn.",
        )
    slide = files.slide or Path(str(record.slide.file))
    device = {"device": record.device.partition(":")[0]}
    computed, _ = read_settings(PredictSettings, to_record(record.settings) | device)
    if files.saved_spots is not None:
        return Repeat(slide=slide, mpp=record.mpp, settings=computed, spots=files.saved_spots)
    source = record.spots.source
    roi = files.region
    if roi is None and source.region is not None and source.region.file:
        roi = Path(source.region.file)
    _refuse_what_no_command_says(source, roi)
    if isinstance(source, GridSource) and source.settings is not None:
        return Repeat(slide=slide, mpp=record.mpp, settings=computed, grid=source.settings, roi=roi)
    spots = files.spots or (Path(source.file) if source.file else None)
    if spots is None:
        raise DataError("The spots are of no file and no grid.", _BY_RESULT)
    library = source.library if isinstance(source, H5adSource) else None
    taken = SpotsSettings(library=library, trust_spots=bool(source.trusted))
    return Repeat(slide=slide, mpp=record.mpp, settings=computed, spots=spots, roi=roi, taken=taken)


def predict_command(record: RunRecord, out: str, files: Files | None = None) -> list[str]:
    """Return `napari-tcgn predict …` as a list of arguments that repeats a recorded run and writes `out`.

    Raises
    ------
    DataError
        As `repeat_of` does.
    """
    return repeat_of(record, files).command(out)


def _refuse_what_no_command_says(source: SpotsSource, roi: Path | None) -> None:
    more = sorted(source.deciding() - _UNDERSTOOD - ({"region"} if roi is not None else set()))
    if more:
        raise DataError(f"No command makes these spots: they were also shaped by {', '.join(more)}.", _BY_RESULT)
    if source.without_counts:
        raise DataError(
            "The spots without counts were left out, and the record does not name the count table.",
            _BY_RESULT,
        )


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
