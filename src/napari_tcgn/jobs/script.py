"""What was done in a session as two scripts that do it again: one for Python, one for a shell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_tcgn.engine import Repeat, as_line
from napari_tcgn.options import CompareSettings, ExportSettings, as_arguments

_HEAD = """import os
from contextlib import closing
from pathlib import Path

from napari_tcgn import compare, export, open_slide, read_measured, write_comparison
from napari_tcgn.engine import run_to_end
from napari_tcgn.expression import read_prediction, read_section
from napari_tcgn.jobs import Job, run_job
from napari_tcgn.options import CompareSettings, ExportSettings, GridSettings, PredictSettings, SpotsSettings
from napari_tcgn.stats import read_gmt
"""


@dataclass(frozen=True, slots=True)
class PredictStep:
    """A run: what makes it again, the .h5ad that it writes, and what is to be known of it."""

    run: Repeat
    out: Path
    note: str = ""

    def shell(self) -> str:
        """Return the command."""
        return f"{_comment(self.note)}{as_line(self.run.command(str(self.out)), windows=False)}"

    def python(self) -> str:
        """Return the statement."""
        run = self.run
        arguments = {"slide": run.slide, "out": self.out, "settings": run.settings, "mpp": run.mpp}
        spots = {"grid": run.grid} if run.grid is not None else {"spots": run.spots, "taken": run.taken}
        roi = {"roi": run.roi} if run.roi is not None else {}
        return f"{_comment(self.note)}run_to_end(run_job({_call('Job', arguments | spots | roi)}))"


@dataclass(frozen=True, slots=True)
class CompareStep:
    """A comparison of a prediction that was written with measured counts."""

    predicted: Path
    measured: Path
    out: Path
    slide: Path
    mpp: float
    spots: Path | None = None
    gene_sets: Path | None = None
    settings: CompareSettings = field(default_factory=CompareSettings)

    def shell(self) -> str:
        """Return the command."""
        arguments = ["napari-tcgn", "compare", str(self.predicted), str(self.measured)]
        for flag, path in (("--spots", self.spots), ("--gene-sets", self.gene_sets)):
            arguments += [flag, str(path)] if path is not None else []
        arguments += ["--slide", str(self.slide), "--mpp", repr(self.mpp), *as_arguments(self.settings)]
        return as_line([*arguments, "--out", str(self.out)], windows=False)

    def python(self) -> str:
        """Return the statements."""
        measured = ", ".join(_text(path) for path in (self.measured, self.spots) if path is not None)
        sets = ""
        if self.gene_sets is not None:
            sets = f", gene_sets={{one.name: one.genes for one in read_gmt({_text(self.gene_sets)})}}"
        return (
            f"with closing(open_slide({_text(self.slide)}, mpp={self.mpp!r})) as slide:\n"
            f"    comparison = compare(read_prediction({_text(self.predicted)}), read_measured({measured}), "
            f"{self.settings!r}, slide=slide{sets})\n"
            f"write_comparison(comparison, {_text(self.out)})"
        )


@dataclass(frozen=True, slots=True)
class MapStep:
    """A map of a prediction that was written, as a figure."""

    predicted: Path
    out: Path
    settings: ExportSettings

    def shell(self) -> str:
        """Return the command."""
        arguments = ["napari-tcgn", "export", str(self.predicted), "--to", str(self.out), *as_arguments(self.settings)]
        return as_line(arguments, windows=False)

    def python(self) -> str:
        """Return the statement."""
        return f"export(read_section({_text(self.predicted)})[0], {_text(self.out)}, {self.settings!r})"


Step = PredictStep | CompareStep | MapStep


def python_script(title: str, steps: Sequence[Step]) -> str:
    """Return a Python program that does the steps; its files come to lie beside it."""
    body = "\n\n".join(["os.chdir(Path(__file__).resolve().parent)", *(step.python() for step in steps)])
    main = "\n".join(f"    {line}" if line else "" for line in body.splitlines())
    # Not at the top of the file: training and reading may start processes, which import it.
    return f'"""{title}"""\n\n{_HEAD}\n\nif __name__ == "__main__":\n{main}\n'


def shell_script(title: str, steps: Sequence[Step]) -> str:
    """Return a shell program that does the steps; its files come to lie beside it."""
    comment = title.replace("\n", " ")
    return "\n".join(
        ["#!/bin/sh", f"# {comment}", "set -eu", 'cd "$(dirname "$0")"', *(step.shell() for step in steps), ""]
    )


def _comment(note: str) -> str:
    """Return a note as a line of its own, "" without one."""
    return f"# {note}\n" if note else ""


def _call(name: str, arguments: dict[str, object]) -> str:
    inside = ", ".join(f"{key}={_text(value)}" for key, value in arguments.items())
    return f"{name}({inside})"


def _text(value: object) -> str:
    """Return a value as Python writes it, a path without the name of this system's kind of paths."""
    return f"Path({str(value)!r})" if isinstance(value, Path) else repr(value)
