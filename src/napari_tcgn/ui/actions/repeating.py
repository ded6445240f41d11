"""What was done in the dock as commands and scripts that do it again, with the files that they need."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_tcgn.errors import TcgnError
from napari_tcgn.options import CompareSettings, ExportSettings
from napari_tcgn.paths import portable_name
from napari_tcgn.ui.actions.comparing import Comparing
from napari_tcgn.ui.layers import result_layers, store
from napari_tcgn.ui.session import Session

if TYPE_CHECKING:
    from napari.layers import Points

    from napari_tcgn.engine import Repeat, RunRecord
    from napari_tcgn.jobs import Step

PYTHON, SHELL = "session.py", "session.sh"


def result_name(result: store.Result, suffix: str, whole: bool = False) -> str:
    """Return the suggested file name of a result, or of the whole run that it is a part of."""
    maker = result.card.name if result.card else result.kind
    partial = "_partial" if result.partial and not whole else ""
    return portable_name(f"{result.library_id}_{maker}{partial}{suffix}").replace(" ", "_")


def slide_path(session: Session, result: store.Result) -> Path | None:
    """Return the file of a result's slide: where this session ran it, or has the same file open."""
    if result.slide is not None:
        return result.slide.path
    path = session.state.slide.path if session.state.slide is not None else None
    same = path is not None and result.record is not None and path.name == result.record.slide.file
    return path if same else None


def as_seen(session: Session, layer: Points, settings: ExportSettings, one_gene: bool) -> ExportSettings:
    """Return settings of a figure drawn as a layer is; with its limits only where they are those of all genes."""
    scale, look = session.colours.scale(layer), session.state.look
    limits = f"{scale.low:.6g},{scale.high:.6g}" if one_gene or not scale.automatic else ""
    return replace(
        settings,
        style=look.style,
        spot_size=look.size,
        bandwidth=look.bandwidth,
        dim=look.dim,
        fade=look.fade,
        colormap=scale.colormap,
        limits=limits,
    )


@dataclass(frozen=True)
class Wanted:
    """What a command needs as a file and is none yet: the region that was drawn, or the spots as they are.

    Attributes
    ----------
    kind : {"", "region", "spots"}
        "": nothing is needed.
    result : Result
    """

    kind: str
    result: store.Result

    @classmethod
    def of(cls, result: store.Result, record: RunRecord) -> Wanted:
        """Return what is needed to repeat a result."""
        from napari_tcgn.engine import file_to_save

        return cls(file_to_save(record), result)

    @property
    def name(self) -> str:
        """Suggested name of the file."""
        suffix = ".geojson" if self.kind == "region" else ".csv"
        return portable_name(f"{self.result.library_id}_{self.kind}{suffix}").replace(" ", "_")

    def write(self, path: Path, overwrite: bool) -> None:
        """Write the file.

        Raises
        ------
        OutputError
            If it exists or cannot be written.
        """
        from napari_tcgn.spots import write_region, write_spots

        spots = self.result.spots
        if self.kind == "region" and spots.source.region is not None:
            write_region(spots.source.region, path, overwrite)
        elif self.kind == "spots":
            write_spots(spots, path, overwrite, self.result.slide)

    def repeat(self, record: RunRecord, slide: Path | None, path: Path | None) -> Repeat:
        """Return what makes the run again, with the file that was written (None where none is needed).

        Raises
        ------
        DataError
            If nothing can: the slide is a layer without a file.
        """
        from napari_tcgn.engine import Files, repeat_of

        files = Files(
            slide=slide,
            spots=self.result.spots_file,
            region=path if self.kind == "region" else None,
            saved_spots=path if self.kind == "spots" else None,
        )
        return repeat_of(record, files)


@dataclass
class SessionScript:
    """The steps of a session, in the order in which they were done.

    Attributes
    ----------
    steps : list of Step
    files : dict of str to Wanted
        What has to lie beside the scripts, by name.
    left_out : list of str
        Why a result is not repeated, or not as it is, in sentences.
    """

    steps: list[Step] = field(default_factory=list)
    files: dict[str, Wanted] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def write(self, folder: Path, overwrite: bool) -> None:
        """Write both scripts and the files beside them.

        Raises
        ------
        OutputError
            If a file exists or cannot be written.
        """
        from napari_tcgn.files import check_folder, write_text_whole
        from napari_tcgn.jobs import python_script, shell_script

        check_folder(folder, [PYTHON, SHELL, *self.files], overwrite)
        for name, wanted in self.files.items():
            wanted.write(folder / name, overwrite)
        title = "Slides, spots, runs, comparisons and maps of a session of napari-tcgn."
        write_text_whole(folder / PYTHON, python_script(title, self.steps), overwrite)
        write_text_whole(folder / SHELL, shell_script(title, self.steps), overwrite)
        (folder / SHELL).chmod((folder / SHELL).stat().st_mode | stat.S_IXUSR)


def session_script(session: Session, comparing: Comparing) -> SessionScript:
    """Return what was done: the runs whose results are in the viewer, their comparisons, and the maps they show."""
    from napari_tcgn.jobs import CompareStep, MapStep, PredictStep

    script, names = SessionScript(), _Names()
    for layer, result, record in _runs(session):
        wanted = Wanted.of(result, record)
        file = names.new(wanted.name) if wanted.kind else ""
        try:
            again = wanted.repeat(record, slide_path(session, result), Path(file) if file else None)
        except TcgnError as error:
            script.left_out.append(f"{layer.name} is left out: {error}")
            continue
        if file:
            script.files[file] = wanted
        out = Path(names.new(result_name(result, ".h5ad", whole=True)))
        note = ""
        if result.partial:
            note = f"{layer.name} was stopped after {int(result.done.sum())} spots; this predicts all of them."
            script.left_out.append(note)
        script.steps.append(PredictStep(again, out, note))
        for compared in comparing:
            if compared.predicted is result:
                files, folder = compared.files, Path(names.new(f"{out.stem}_compared"))
                script.steps.append(
                    CompareStep(
                        out, files.path, folder, again.slide, again.mpp, files.spots, files.gene_sets,
                        CompareSettings(layer=files.layer),
                    )
                )  # fmt: skip
        gene = result_layers.shown_gene(layer)
        picture = Path(names.new(portable_name(f"{out.stem}_{gene}.png")))
        script.steps.append(MapStep(out, picture, as_seen(session, layer, ExportSettings(genes=gene), one_gene=True)))
    return script


def _runs(session: Session) -> Iterator[tuple[Points, store.Result, RunRecord]]:
    """Give every result that a run has made, in the order of the runs, with the layer in which it is browsed."""
    found: dict[int, tuple[Points, store.Result, RunRecord]] = {}
    for layer in session.viewer.layers:
        result = store.result_of(layer)
        if result is None or result.record is None or not store.shows_result(layer):
            continue
        if id(result) not in found or not session.colours.pinned(layer):
            found[id(result)] = layer, result, result.record
    return iter(sorted(found.values(), key=lambda one: one[2].started))


class _Names:
    """Names of files, none of them twice."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, name: str) -> str:
        """Return a name, numbered if it is taken."""
        path, number, found = Path(name), 1, name
        while found.casefold() in self._taken:
            number += 1
            found = f"{path.stem}_{number}{path.suffix}"
        self._taken.add(found.casefold())
        return found
