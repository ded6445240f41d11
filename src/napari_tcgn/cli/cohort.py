"""Many slides on the command line: here, on several processes, or on a dask cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from napari_tcgn.cli.console import say_json
from napari_tcgn.cli.report import ProgressReport, duration
from napari_tcgn.cli.stop import when_stopped
from napari_tcgn.errors import CohortError, SettingsError

if TYPE_CHECKING:
    from napari_tcgn.jobs import Entry, Event, Job

NAMED = 5  # failures that are told in full; all are in the manifest


@dataclass(frozen=True, slots=True)
class Where:
    """On which processes slides are predicted: this one, so many workers, or those of a scheduler."""

    workers: int | None
    scheduler: str | None

    def __post_init__(self) -> None:
        if self.workers is not None and self.scheduler is not None:
            raise SettingsError("Both --workers and --scheduler are given.", "Give one of them.")


def is_cohort(slides: Sequence[Path], out: Path, counts: Path | None) -> bool:
    """Tell several results in a folder from one in a file; refuse what is neither."""
    if len(slides) > 1 and out.suffix == ".h5ad":
        raise SettingsError(f"{len(slides)} slides cannot go into one file {out.name}.", "Give a folder as --out.")
    if len(slides) == 1 and out.suffix and not out.is_dir():
        return False
    if counts is not None:
        raise SettingsError("--counts compares a single slide.", "Give one slide and an .h5ad file as --out.")
    return True


def with_own_spots(jobs: Sequence[Job]) -> list[Job]:
    """Fill {stem} and {folder} in the name of the spot table with those of each slide."""
    named = []
    for job in jobs:
        if job.spots is not None:
            filled = (
                str(job.spots).replace("{stem}", job.slide.stem).replace("{folder}", job.slide.absolute().parent.name)
            )
            job = replace(job, spots=Path(filled))
        named.append(job)
    tables = Counter(job.spots for job in named if job.spots is not None)
    if any(count > 1 for count in tables.values()):
        raise SettingsError(
            f"{max(tables.values())} slides would get the same spots, {tables.most_common(1)[0][0]}.",
            "Put {stem} or {folder} into --spots, such as spots/{stem}_selection.tsv.",
        )
    return named


def run_many(jobs: Sequence[Job], folder: Path, where: Where, stop_on_error: bool, as_json: bool) -> None:
    """Predict slides into a folder and say how each went.

    Raises
    ------
    CohortError
        At the end, if a slide has failed.
    """
    from napari_tcgn.engine import run_to_end
    from napari_tcgn.jobs import run_cohort

    jobs = with_own_spots(jobs)
    with (
        when_stopped(f"Stopped; what is predicted so far is kept in {folder}: the same command goes on."),
        _runner(where) as runner,
        CohortReport(jobs, several_at_once=runner is not None) as report,
    ):
        entries = run_to_end(run_cohort(jobs, folder, runner, stop_on_error), report)
    if as_json:
        say_json(_as_json(entries))
    else:
        typer.echo(cohort_text(entries, folder))
    failed = [entry for entry in entries if entry.state == "failed"]
    if failed:
        told = " ".join(f"{Path(entry.slide).name}: {entry.error}" for entry in failed[:NAMED])
        raise CohortError(f"{len(failed)} of {len(entries)} slides failed. {told}", f"See {folder / 'manifest.csv'}.")


@contextmanager
def _runner(where: Where) -> Iterator[Any]:
    """Give the runner of a cohort; None runs it here."""
    if where.workers is None and where.scheduler is None:
        yield None
        return
    from napari_tcgn.jobs import cluster_runner, connected, local_cluster, threads_per_worker

    if where.scheduler is not None:
        with connected(where.scheduler) as client:
            yield cluster_runner(client)
    else:
        assert where.workers is not None  # one of the two is given
        with local_cluster(where.workers) as client:
            yield cluster_runner(client, threads_per_worker(where.workers))


class CohortReport:
    """Tells on stderr what happens to every slide; the spots of a slide are counted where one runs at a time."""

    def __init__(self, jobs: Sequence[Job], several_at_once: bool) -> None:
        self._jobs, self._several = jobs, several_at_once
        self._begun: set[int] = set()
        self._report = ProgressReport()

    def __enter__(self) -> CohortReport:
        self._report.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._report.__exit__(*error)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        name = f"[{event.index + 1}/{len(self._jobs)}] {self._jobs[event.index].slide.name}"
        if event.state == "running":
            if event.index not in self._begun:
                self._begun.add(event.index)
                self._report.stage = ""
                self._report.say(f"{name} …")
            elif event.step is not None and not self._several:
                self._report(event.step)
        elif event.result is not None:
            self._report.say(f"{name}: {event.result.spots} spots in {duration(event.result.seconds)}")
        else:
            self._report.say(f"{name}: {event.error or 'finished before'}")


def _as_json(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    names = ("slide", "state", "out", "spots", "seconds", "error", "warnings")
    return [{name: getattr(entry, name) for name in names} for entry in entries]


def cohort_text(entries: Sequence[Entry], folder: Path) -> str:
    """Say how a cohort went, and what is unusual about its slides."""
    states = Counter(entry.state for entry in entries)
    counted = ", ".join(
        f"{states[state]} {state}" for state in ("done", "skipped", "failed", "waiting") if states[state]
    )
    lines = [f"{len(entries)} slides: {counted}. Results and manifest.csv are in {folder}."]
    lines.extend(f"Note on {Path(entry.slide).name}: {warning}" for entry in entries for warning in entry.warnings)
    return "\n".join(lines)
